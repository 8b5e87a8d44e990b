// An exchange before the gates of its listener and its route.
#include "proxy/connection.hh"
#include "proxy/exchange.hh"
#include "proxy/proxy.hh"

namespace portolan::proxy {

Exchange::Next Exchange::leads_nowhere() {
  pass_gates();
  return jumped_ ? Next::more : answer_error(404);
}

Exchange::Next Exchange::ask_gates() {
  if (!admission_) {
    const Gate* of_route = nullptr;
    const Gate* of_listener = nullptr;
    if (route_ && !snapshot_->route_gates.empty())
      of_route = snapshot_->route_gates[static_cast<size_t>(route_ - snapshot_->routes.data())].get();
    if (!snapshot_->listener_gates.empty())
      if (auto gate = snapshot_->listener_gates.find(connection_.listener().config.name);
          gate != snapshot_->listener_gates.end())
        of_listener = gate->second.get();
    if (!of_route && !of_listener) return Next::more;
    admission_ = std::make_unique<Admission>(proxy_.worker(), proxy_.verifier(), of_listener, of_route);
  }
  switch (admission_->run({*head_, host_, client_.address, country_, proxy_.places(), downstream_})) {
    case Admission::Outcome::pass:
      admission_->strip_signature(*head_);
      return Next::more;
    case Admission::Outcome::wait:
      return Next::wait;
    case Admission::Outcome::refuse:
      break;
  }
  return refuse(admission_->refusal(), admission_->answer());
}

Exchange::Next Exchange::refuse(Refusal why, std::unique_ptr<Source> with) {
  static const std::string none;
  note_ = to_string(why);
  auto index = route_ ? static_cast<uint32_t>(route_ - snapshot_->routes.data()) : UINT32_MAX;
  const ListenerView& at = connection_.listener();
  proxy_.refusals().count(why, {at.id, snapshot_->version, index, at.config.name, route_ ? route_->name : none},
                          client_.address, proxy_.worker().now_ms());
  return answer_made_here(std::move(with));
}

}  // namespace portolan::proxy
