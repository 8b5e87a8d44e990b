#include "core/health/names.hh"

#include <algorithm>

#include "core/base/log.hh"

namespace portolan::health {

namespace {

constexpr int64_t shortest_ms = 1'000;
constexpr int64_t longest_ms = 300'000;
constexpr int64_t retry_ms = 2'000;

}  // namespace

Resolve resolve_with(loop::Resolver& resolver) {
  return [&resolver](const std::string& host, loop::Resolver::Callback done) {
    return std::shared_ptr<void>(std::shared_ptr<loop::Resolver::Ticket>(resolver.resolve(host, std::move(done))));
  };
}

Name::Name(loop::Worker& worker, const Resolve& resolve, std::string host, const std::function<void()>& on_change)
    : worker_(worker),
      resolve_(resolve),
      host_(std::move(host)),
      on_change_(on_change),
      again_(worker_, this, &loop::Calls<&Name::ask>::call) {
  ask();
}

void Name::ask() {
  ticket_ = resolve_(host_, [this](Result<loop::Resolution> answer) { on_answer(std::move(answer)); });
}

void Name::on_answer(Result<loop::Resolution> answer) {
  if (!answer) {
    if (!failing_)
      log::warning("name not resolved",
                   {{"name", host_},
                    {"reason", answer.error().text},
                    {"effect", addresses_.empty() ? "no servers from it yet" : "its last addresses stay in use"}});
    failing_ = true;
    again_.set(retry_ms);
    return;
  }
  if (failing_) log::info("name resolved again", {{"name", host_}});
  failing_ = false;
  again_.set(std::clamp(answer->ttl_ms, shortest_ms, longest_ms));
  if (answer->addresses == addresses_) return;
  addresses_ = std::move(answer->addresses);
  on_change_();
}

Names::Names(loop::Worker& worker, Resolve resolve, std::function<void()> on_change)
    : worker_(worker), resolve_(std::move(resolve)), on_change_(std::move(on_change)) {}

std::shared_ptr<Name> Names::watch(const std::string& host) {
  std::erase_if(names_, [](const auto& entry) { return entry.second.expired(); });
  auto& weak = names_[host];
  auto name = weak.lock();
  if (!name) weak = name = std::make_shared<Name>(worker_, resolve_, host, on_change_);
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
