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

// Between which the TTL of a service's answers follows from how long they hold; a record's own is the most in any case.
struct TtlBounds {
  uint32_t least_s = 0;
  uint32_t most_s = UINT32_MAX;
};

// A default one has no zones: everything is REFUSED.
struct View {
  std::shared_ptr<const Directory> directory;
  std::shared_ptr<const ZoneSet> zones;
  std::shared_ptr<const geo::Table> geo;  // may be null: nobody's place is known
  std::shared_ptr<const Plans> plans;     // of the zones' service records; never null where there are zones
  ServiceStates states;
  std::shared_ptr<const AliasTable> aliases;       // may be null: nothing is known of any
  std::shared_ptr<const ServerIdentity> identity;  // may be null: it tells nothing of itself
  TtlBounds ttl;
  bool cookies = true;            // else the option is none to us
  std::vector<IpNetwork> hidden;  // whose addresses are not told to anybody further
  // The address as others may see it: of no family where it is hidden.
  IpAddress shown(const IpAddress& address) const;
};

// The configuration half of a View (nobody's place known, all states unknown); null where `mistakes` has something.
std::shared_ptr<View> build_view(const GeodnsConfig& config, uint32_t serial, std::vector<Mistake>& mistakes);

// Gives it the places, and the plans that follow from them, which takes its time for a worldwide table
// of cities: run it off the workers. Plans of `before` (may be null) that would be the same are taken over.
void give_places(View& view, std::shared_ptr<const geo::Table> places, const View* before);

// The same View with other states, or other addresses behind its ALIAS records. Cheap: the rest is shared.
std::shared_ptr<const View> with_states(const View& view, ServiceStates states);
std::shared_ptr<const View> with_aliases(const View& view, std::shared_ptr<const AliasTable> aliases);

}  // namespace portolan::geodns
