#pragma once
// Everything an answer is made from, as one immutable snapshot: a query is answered from the View
// it began with. The control thread makes a new one when the configuration, the databases or the
// health of a service change, and posts it to the workers; parts that didn't change are shared.
#include <memory>

#include "core/geo/table.hh"
#include "geodns/alias_table.hh"
#include "geodns/zone.hh"

namespace portolan::geodns {

// What the server says about itself, where the operator wants it to; empty: not told.
struct ServerIdentity {
  std::string nsid;     // RFC 5001; id.server and hostname.bind too
  std::string version;  // version.bind and version.server
};

// A default one has no zones: everything is REFUSED.
struct View {
  std::shared_ptr<const Directory> directory;
  std::shared_ptr<const ZoneSet> zones;
  std::shared_ptr<const geo::Table> geo;  // may be null: nobody's place is known
  ServiceStates states;
  std::shared_ptr<const AliasTable> aliases;       // may be null: nothing is known of any
  std::shared_ptr<const ServerIdentity> identity;  // may be null: it tells nothing of itself
};

// The configuration half of a View (`geo` empty, all states unknown); null where `mistakes` has
// something.
std::shared_ptr<View> build_view(const GeodnsConfig& config, uint32_t serial, std::vector<Mistake>& mistakes);

// The same View with other states, or other addresses behind its ALIAS records. Cheap: the rest is shared.
std::shared_ptr<const View> with_states(const View& view, ServiceStates states);
std::shared_ptr<const View> with_aliases(const View& view, std::shared_ptr<const AliasTable> aliases);

}  // namespace portolan::geodns
