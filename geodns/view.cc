#include "geodns/view.hh"

namespace portolan::geodns {

std::shared_ptr<View> build_view(const GeodnsConfig& config, uint32_t serial, std::vector<Mistake>& mistakes) {
  auto view = std::make_shared<View>();
  auto directory = std::make_shared<Directory>(build_directory(config, mistakes));
  view->zones = build_zones(config.zones, *directory, serial, mistakes);
  view->directory = std::move(directory);
  view->identity = std::make_shared<ServerIdentity>(ServerIdentity{config.nsid, config.version});
  return mistakes.empty() ? view : nullptr;
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
