#pragma once
// Everything an answer is made from, as one immutable snapshot: a query is answered from the View
// it began with. The control thread makes a new one when the configuration, the databases or the
// health of a service change, and posts it to the workers; parts that didn't change are shared.
#include <memory>

#include "core/geo/table.hh"
#include "geodns/zone.hh"

namespace portolan::geodns {

// A default one has no zones: everything is REFUSED.
struct View {
  std::shared_ptr<const Directory> directory;
  std::shared_ptr<const ZoneSet> zones;
  std::shared_ptr<const geo::Table> geo;  // may be null: nobody's place is known
  ServiceStates states;
};

// The configuration half of a View (`geo` empty, all states unknown); null where `mistakes` has
// something.
std::shared_ptr<View> build_view(const GeodnsConfig& config, uint32_t serial, std::vector<Mistake>& mistakes);

// The same View with other states. Cheap: the rest is shared.
std::shared_ptr<const View> with_states(const View& view, ServiceStates states);

}  // namespace portolan::geodns
