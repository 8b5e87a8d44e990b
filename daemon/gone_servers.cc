#include "daemon/gone_servers.hh"

#include <unordered_set>

namespace portolan::daemon {

GoneServers::GoneServers(loop::Worker& control, Fold fold)
    : control_(control), fold_(std::move(fold)), timer_(control, this, &loop::Calls<&GoneServers::on_time>::call) {}

void GoneServers::note(const health::Board& now) {
  for (const auto& [name, pool] : pools_) {
    auto next = now.pools.find(name);
    if (next != now.pools.end() && next->second == pool) continue;
    std::unordered_set<std::string_view> there;
    if (next != now.pools.end())
      for (const health::Member& m : next->second->members) there.insert(m.name);
    for (const health::Member& m : pool->members)
      if (!there.contains(m.name)) gone_[{name, m.name}] = control_.now_ms();
  }
  if (!gone_.empty())
    for (const auto& [name, pool] : now.pools) {
      auto before = pools_.find(name);
      if (before != pools_.end() && before->second == pool) continue;
      for (const health::Member& m : pool->members) gone_.erase({name, m.name});
    }
  pools_ = now.pools;
  if (!gone_.empty() && !timer_.armed()) timer_.set(kept_ms);
  if (gone_.size() > most_kept) timer_.set(0);
}

void GoneServers::on_time() {
  const bool too_many = gone_.size() > most_kept;
  std::erase_if(gone_, [&](const auto& entry) { return too_many || entry.second + kept_ms <= control_.now_ms(); });
  auto stay = std::make_shared<proxy::ServerSeries>();
  for (const auto& [name, pool] : pools_)
    for (const health::Member& m : pool->members) stay->add(name, m.name);
  for (const auto& [server, since_ms] : gone_) stay->add(server.first, server.second);
  if (!gone_.empty()) timer_.set(kept_ms);
  fold_(std::move(stay));
}

}  // namespace portolan::daemon
