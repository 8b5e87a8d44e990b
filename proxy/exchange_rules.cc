// What a route's rules make of a request beside its answer: variables, redirects, a copy for another pool.
#include "proxy/exchange.hh"
#include "proxy/mirror.hh"
#include "proxy/proxy.hh"
#include "proxy/request_target.hh"
#include "proxy/rewrite.hh"

namespace portolan::proxy {

VariableSource Exchange::variables() {
  return {*head_, host_, client_.scheme, client_.address, route_->path, country_, proxy_.places()};
}

std::string Exchange::redirect_to() {
  if (route_->redirect == "https") return https_target(host_, *head_);
  if (route_->redirect_to.pieces().empty()) return route_->redirect;
  Text target;
  route_->redirect_to.expand(variables(), target);
  if (target.ends_with('?')) target.pop_back();  // "…?{query}" of a request without one
  return std::string(target);
}

// Of a prefix it can't: neither it nor the path does.
bool Exchange::rewrite_climbs() const {
  if (!route_->rewrite || !route_->rewrite->by_regex()) return false;
  Text path;
  return !rewrite_path(*route_, head_->path, path);
}

// What goes to the servers of the route's pool goes to the mirror's too, with the body as it comes; a tunnel does not.
void Exchange::begin_mirror() {
  const MirrorConfig& config = *route_->mirror;
  if (mirror_ || !head_->upgrade.empty()) return;
  if (config.share < 1 && proxy_.worker().rng().unit() >= config.share) return;
  if (proxy_.mirrors() >= static_cast<size_t>(config.at_once)) return proxy_.count_mirrored(config.pool, "dropped");
  auto shadow = proxy_.cluster(*snapshot_, *route_, config.pool);
  if (!shadow) return;
  // The client waits for the word of its own server alone.
  bool expects = std::exchange(head_->expect_continue, false);
  OriginRequest::Ask request = ask(*shadow, false, nullptr);
  request.hedge = nullptr;
  head_->expect_continue = expects;
  auto mirror = std::make_unique<Mirror>(proxy_, std::move(shadow), std::move(request), config);
  mirror_ = mirror->feed();
  if (head_->framing == http::Framing::none) mirror_->end_body();
  proxy_.begin_mirror(std::move(mirror));
}

}  // namespace portolan::proxy
