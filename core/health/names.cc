#include "core/health/names.hh"

#include <algorithm>
#include <cerrno>

#include "core/base/log.hh"

namespace portolan::health {

using Family = IpAddress::Family;

std::string_view to_string(Discovery::State state) {
  switch (state) {
    case Discovery::State::waiting:
      return "waiting";
    case Discovery::State::found:
      return "found";
    case Discovery::State::failing:
      return "failing";
  }
  return "waiting";
}

Resolve resolve_with(loop::Resolver& resolver) {
  return [&resolver](const std::string& host, Family family, loop::Resolver::Callback done) {
    return std::shared_ptr<void>(
        std::shared_ptr<loop::Resolver::Ticket>(resolver.resolve(host, std::move(done), family)));
  };
}

int64_t TtlBounds::of(int64_t ttl_ms) const {
  return std::clamp(ttl_ms, least_ms, most_ms);
}

void DiscoveryLog::found() {
  if (now_.state == Discovery::State::found) return;
  if (now_.state == Discovery::State::failing) log::info("servers found again", {{"from", what_}});
  now_ = {Discovery::State::found, "", worker_.wall_ms()};
}

bool DiscoveryLog::failing(const std::string& reason, bool has_last_good, bool every) {
  bool was_waiting = now_.state == Discovery::State::waiting;
  bool was_failing = now_.state == Discovery::State::failing;
  if (!was_failing || (every && now_.reason != reason))
    log::warning("servers not found", {{"from", what_},
                                       {"reason", reason},
                                       {"effect", has_last_good ? "the last ones stay in use" : "none from it yet"}});
  now_ = {Discovery::State::failing, reason, was_failing ? now_.since_ms : worker_.wall_ms()};
  return was_waiting;
}

Name::Name(loop::Worker& worker, const Resolve& resolve, const TtlBounds& bounds, std::string host,
           const std::function<void()>& on_change)
    : worker_(worker),
      resolve_(resolve),
      bounds_(bounds),
      host_(std::move(host)),
      on_change_(on_change),
      log_(worker, host_),
      again_(worker_, this, &loop::Calls<&Name::ask>::call) {
  ask();
}

void Name::ask() {
  ticket_ = resolve_(host_, Family::none, [this](Result<loop::Resolution> answer) { on_answer(std::move(answer)); });
}

bool Name::lost(const loop::Resolution& answer, Family family) const {
  auto is = [family](const IpAddress& a) { return a.family == family; };
  return std::any_of(addresses_.begin(), addresses_.end(), is) &&
         std::none_of(answer.addresses.begin(), answer.addresses.end(), is);
}

void Name::on_answer(Result<loop::Resolution> answer) {
  if (!answer || answer->addresses.empty()) {
    again_.set(ask_again_ms);
    if (log_.failing(answer ? "no address" : answer.error().text, !addresses_.empty())) on_change_();
    return;
  }
  // Two questions made this answer, for IPv4 and IPv6, and one that failed looks like one that said no.
  Family gone = lost(*answer, Family::v4) ? Family::v4 : lost(*answer, Family::v6) ? Family::v6 : Family::none;
  if (gone == Family::none) return take(std::move(*answer));
  loop::Resolution kept = *answer;
  keep(kept, gone);
  use(std::move(kept.addresses));
  ticket_ = resolve_(host_, gone, [this, gone, first = std::move(*answer)](const Result<loop::Resolution>& second) {
    on_second_answer(first, gone, second);
  });
}

void Name::on_second_answer(loop::Resolution first, Family family, const Result<loop::Resolution>& second) {
  if (!second && second.error().code != ENOENT) {
    keep(first, family);
    first.ttl_ms = std::min(first.ttl_ms, ask_again_ms);
  } else if (second) {
    first.addresses.insert(first.addresses.end(), second->addresses.begin(), second->addresses.end());
    first.ttl_ms = std::min(first.ttl_ms, second->ttl_ms);
  }
  take(std::move(first));
}

void Name::keep(loop::Resolution& answer, Family family) const {
  for (const IpAddress& a : addresses_)
    if (a.family == family) answer.addresses.push_back(a);
}

void Name::take(loop::Resolution answer) {
  again_.set(bounds_.of(answer.ttl_ms));
  use(std::move(answer.addresses));
}

void Name::use(std::vector<IpAddress> addresses) {
  log_.found();
  std::sort(addresses.begin(), addresses.end());
  if (addresses == addresses_) return;
  addresses_ = std::move(addresses);
  on_change_();
}

Names::Names(loop::Worker& worker, Resolve resolve, std::function<void()> on_change)
    : worker_(worker), resolve_(std::move(resolve)), on_change_(std::move(on_change)) {}

std::shared_ptr<Name> Names::watch(const std::string& host) {
  if (names_.size() >= sweep_at_) {
    std::erase_if(names_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = 2 * names_.size() + 16;
  }
  auto& weak = names_[host];
  auto name = weak.lock();
  if (!name) weak = name = std::make_shared<Name>(worker_, resolve_, bounds_, host, on_change_);
  return name;
}

Endpoint::Endpoint(Names& names, HostPort at) : at_(std::move(at)) {
  if (!at_.is_literal) name_ = names.watch(at_.host);
}

std::vector<SocketAddress> Endpoint::addresses() const {
  if (at_.is_literal) return {at_.literal};
  std::vector<SocketAddress> list;
  if (name_)
    for (const IpAddress& ip : name_->addresses()) list.push_back({ip, at_.port, {}});
  return list;
}

std::optional<SocketAddress> Endpoint::first() const {
  auto list = addresses();
  return list.empty() ? std::nullopt : std::optional(list.front());
}

}  // namespace portolan::health
