#include "geodns/view.hh"

#include "core/geo/embedded.hh"

namespace portolan::geodns {

std::shared_ptr<View> build_view(const GeodnsConfig& config, uint32_t serial, std::vector<Mistake>& mistakes) {
  auto view = std::make_shared<View>();
  auto directory = std::make_shared<Directory>(build_directory(config, mistakes));
  view->zones = build_zones(config.zones, *directory, serial, mistakes);
  view->directory = std::move(directory);
  view->identity = std::make_shared<ServerIdentity>(ServerIdentity{config.nsid, config.version});
  view->ttl = {config.min_ttl_s, config.max_ttl_s};
  view->hidden = config.hidden;
  view->cookies = config.cookies;
  if (config.min_ttl_s > config.max_ttl_s)
    mistakes.push_back({config.where, "min_ttl is more than max_ttl in [geodns]"});
  if (mistakes.empty()) view->plans = std::make_shared<Plans>(make_plans(view->zones->plans(), nullptr, {}));
  return mistakes.empty() ? view : nullptr;
}

void give_places(View& view, std::shared_ptr<const geo::Table> places, const View* before) {
  view.geo = std::move(places);
  Plans known = *view.plans;  // that go by no place
  if (before && before->plans) known.insert(known.end(), before->plans->begin(), before->plans->end());
  view.plans = std::make_shared<Plans>(make_plans(view.zones->plans(), view.geo, known));
}

IpAddress View::shown(const IpAddress& address) const {
  return contains(hidden, geo::find_embedded(address).address) || contains(hidden, address) ? IpAddress() : address;
}

std::shared_ptr<const View> with_aliases(const View& view, std::shared_ptr<const AliasTable> aliases) {
  auto next = std::make_shared<View>(view);
  next->aliases = std::move(aliases);
  return next;
}

std::shared_ptr<const View> with_states(const View& view, ServiceStates states) {
  auto next = std::make_shared<View>(view);
  next->states = std::move(states);
  return next;
}

}  // namespace portolan::geodns
