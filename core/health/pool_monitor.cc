#include "core/health/pool_monitor.hh"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <set>

#include "core/base/log.hh"

namespace portolan::health {

std::shared_ptr<ServerState> Counts::server(const std::string& pool, const SocketAddress& address) {
  auto& state = servers_[{pool, address}];
  if (!state) state = std::make_shared<ServerState>();
  return state;
}

std::shared_ptr<PoolState> Counts::pool(const std::string& name) {
  auto& state = pools_[name];
  if (!state) state = std::make_shared<PoolState>();
  return state;
}

void Counts::forget_unused() {
  std::erase_if(servers_, [](const auto& entry) { return entry.second.use_count() == 1; });
  std::erase_if(pools_, [](const auto& entry) { return entry.second.use_count() == 1; });
}

PoolMonitor::PoolMonitor(loop::Worker& worker, Checker& checker, Sources& sources, Counts& counts)
    : worker_(worker), checker_(checker), sources_(sources), counts_(counts) {}

void PoolMonitor::configure(const PoolSpec& spec) {
  std::vector<std::shared_ptr<Source>> found_by;
  for (const ServerSpec& server : spec.servers) found_by.push_back(sources_.watch(server.address));
  found_by_ = std::move(found_by);  // those that stay are watched anew before they are dropped, and know what they knew
  spec_ = spec;
  if (!state_)
    for (const ServerSpec& server : spec_.servers) starting_.insert(server.address.to_string());
  state_ = counts_.pool(spec_.name);
  refresh_members();
}

void PoolMonitor::refresh_members() {
  std::map<SocketAddress, Entry> previous;
  for (Entry& entry : entries_) previous.emplace(entry.address, std::move(entry));
  entries_.clear();
  std::set<SocketAddress> known;
  for (size_t i = 0; i < spec_.servers.size(); ++i)
    for (const Found& found : found_by_[i]->servers())
      if (known.insert(found.address).second) entries_.push_back(make_entry(spec_.servers[i], found, previous));
}

std::vector<SourceReport> PoolMonitor::sources() const {
  std::vector<SourceReport> reports;
  std::map<std::string_view, size_t> in_use;
  for (const Entry& e : entries_) ++in_use[e.configured];
  for (size_t i = 0; i < spec_.servers.size(); ++i) {
    const Discovery* discovery = found_by_[i]->discovery();
    if (!discovery) continue;
    std::string name = spec_.servers[i].address.to_string();
    auto here = in_use.find(name);
    size_t servers = here == in_use.end() ? 0 : here->second;
    reports.push_back({std::move(name), *discovery, servers});
  }
  return reports;
}

std::string PoolMonitor::waits_for() const {
  for (size_t i = 0; i < spec_.servers.size(); ++i)
    if (const Discovery* d = found_by_[i]->discovery(); d && d->state == Discovery::State::waiting)
      return spec_.servers[i].address.to_string() + " of pool " + spec_.name;
  return {};
}

PoolMonitor::Entry PoolMonitor::make_entry(const ServerSpec& server, const Found& found,
                                           const std::map<SocketAddress, Entry>& previous) {
  const SocketAddress& address = found.address;
  auto spec = std::make_shared<ServerSpec>(server);
  spec->address.host = found.host;
  if (found.weight) spec->weight = *found.weight;
  if (found.max_connections) spec->max_connections = *found.max_connections;
  if (found.backup) spec->backup = spec->backup || *found.backup;
  Entry entry;
  if (auto before = previous.find(address); before != previous.end()) entry = before->second;
  entry.address = address;
  entry.name = address.to_string();
  entry.configured = server.address.to_string();
  entry.spec = spec;
  entry.counts = counts_.server(spec_.name, address);
  bool was_checked = entry.target != nullptr;
  CheckConfig check = spec_.check;
  if (check.tls) check.tls_host = spec->address.host;
  entry.target = check.protocol.empty() ? nullptr : checker_.watch(address, check);
  if (was_checked != (entry.target != nullptr)) {
    entry.failed = false;
    entry.ejected_until_ms = -1;
  }
  return entry;
}

bool PoolMonitor::report_failure(const SocketAddress& address, const std::string& reason) {
  auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.address == address; });
  if (it == entries_.end() || it->failed || it->ejected_until_ms >= 0) return false;
  // Read anew: an answer that came since the report was sent speaks for the server.
  uint32_t failures = it->counts->failures_in_a_row.load(std::memory_order_relaxed);
  uint32_t limit = it->target ? static_cast<uint32_t>(spec_.check.fall) : failures_to_eject;
  if (failures < limit) return false;
  it->failure = reason;
  it->failures = failures;
  if (!it->target) return eject(*it);
  if (it->target->state() == State::down) return false;
  it->failed = true;
  it->good_checks = 0;
  return true;
}

// The last server that still takes requests is never ejected: trying it is better than refusing
// everybody for a while.
bool PoolMonitor::eject(Entry& entry) {
  bool another = std::any_of(entries_.begin(), entries_.end(),
                             [&](const Entry& e) { return &e != &entry && !e.failed && e.ejected_until_ms < 0; });
  if (!another) return false;
  entry.ejected_until_ms = worker_.now_ms() + ejection_ms;
  return true;
}

bool PoolMonitor::on_check(const Target& target, bool good) {
  bool changed = false;
  for (Entry& entry : entries_) {
    if (entry.target.get() != &target || !entry.failed) continue;
    entry.good_checks = good ? entry.good_checks + 1 : 0;
    // Once the check itself is down it alone says when the server comes back.
    bool over = target.state() == State::down || entry.good_checks >= spec_.check.rise;
    if (!over) continue;
    entry.failed = false;
    entry.counts->failures_in_a_row.store(0, std::memory_order_relaxed);
    changed = true;
  }
  return changed;
}

int64_t PoolMonitor::expire_ejections() {
  int64_t next = std::numeric_limits<int64_t>::max();
  for (Entry& entry : entries_) {
    if (entry.ejected_until_ms < 0) continue;
    if (entry.ejected_until_ms > worker_.now_ms()) {
      next = std::min(next, entry.ejected_until_ms);
      continue;
    }
    entry.ejected_until_ms = -1;
    entry.counts->failures_in_a_row.store(0, std::memory_order_relaxed);
  }
  return next;
}

bool PoolMonitor::has_server(const std::string& server) const {
  auto names = server_names();
  return std::find(names.begin(), names.end(), server) != names.end();
}

std::vector<std::string> PoolMonitor::server_names() const {
  std::vector<std::string> names;
  auto add = [&](std::string name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  };
  for (const ServerSpec& server : spec_.servers) add(server.address.to_string());
  for (const Entry& entry : entries_) add(entry.address.to_string());
  return names;
}

Health PoolMonitor::health_of(const Entry& entry, const Drains& drains) const {
  if (drains.has(spec_.name, entry.name) || drains.has(spec_.name, entry.configured))
    return {State::draining, "drained by an operator", 0};
  if (entry.target && entry.target->state() == State::down) return {State::down, entry.target->reason(), 0};
  if (entry.failed) return {State::down, "failed requests: " + entry.failure, 0};
  if (entry.ejected_until_ms >= 0) return {State::ejected, "failed requests: " + entry.failure, 0};
  if (entry.target) return {entry.target->state(), entry.target->reason(), 0};
  return {State::unknown, "not checked", 0};
}

// Twenty steps, from the first twentieth of its share to the whole. `comes`: it begins to serve now.
uint8_t PoolMonitor::warm_up(Entry& entry, bool comes, bool serves) const {
  if (comes && spec_.slow_start_ms > 0) entry.back_ms = worker_.now_ms();
  if (!serves) entry.back_ms = -1;
  if (entry.back_ms < 0) return Member::full_warmth;
  int64_t steps =
      1 + (worker_.now_ms() - entry.back_ms) * Member::full_warmth / std::max<int64_t>(1, spec_.slow_start_ms);
  if (steps < Member::full_warmth) return static_cast<uint8_t>(steps);
  entry.back_ms = -1;
  return Member::full_warmth;
}

int64_t PoolMonitor::next_warmth_ms() const {
  int64_t next = std::numeric_limits<int64_t>::max();
  int64_t step_ms = std::max<int64_t>(1, spec_.slow_start_ms / Member::full_warmth);
  for (const Entry& entry : entries_)
    if (entry.back_ms >= 0) next = std::min(next, worker_.now_ms() + step_ms);
  return next;
}

// In a pool of two or three a minority is what a restart or a failure leaves, and it can be relied on: there it takes
// that nobody serves. Backups come first, and drained servers count for nothing.
bool PoolMonitor::panics(const Pool& pool) const {
  constexpr size_t small = 3;
  size_t servers = 0, serving = 0;
  bool anybody = false;
  for (const Member& m : pool.members) {
    bool good = serves(m.health.state);
    anybody = anybody || good;
    if (m.backup || m.health.state == State::draining) continue;
    ++servers;
    serving += good;
  }
  if (spec_.panic <= 0 || serving == servers) return false;
  if (serving == 0) return !anybody;
  return servers > small && static_cast<double>(serving) < spec_.panic * static_cast<double>(servers);
}

std::shared_ptr<const Pool> PoolMonitor::publish(const Drains& drains) {
  auto pool = std::make_shared<Pool>();
  pool->name = spec_.name;
  pool->state = state_;
  for (Entry& entry : entries_) {
    Member m{entry.address,      entry.name,
             entry.configured,   entry.spec->address.host,
             entry.spec->weight, entry.spec->max_connections,
             entry.spec->backup, health_of(entry, drains),
             entry.counts,       entry.spec->datacenter,
             entry.spec->tier};
    const Member* before = published_member(pool->members.size(), entry.address);
    bool same_state = before && before->health.state == m.health.state;
    m.health.since_ms = same_state ? before->health.since_ms : worker_.wall_ms();
    if (!same_state && (before || !serves(m.health.state)))
      log_change(entry, m.health, before ? before->health.state : State::unknown);
    // Back, or new in a pool that is known already: not at the start, when all are cold.
    bool comes =
        serves(m.health.state) && (before ? !serves(before->health.state) : !starting_.contains(entry.configured));
    m.warmth = warm_up(entry, comes, serves(m.health.state));
    pool->members.push_back(std::move(m));
  }
  for (const Entry& entry : entries_) starting_.erase(entry.configured);
  pool->panic = panics(*pool);
  if (pool->panic != (published_ && published_->panic)) log_panic(*pool);
  if (published_ && *published_ == *pool) return published_;
  pool->generation = ++state_->generations;
  published_ = std::move(pool);
  return published_;
}

// What was published of this address; most often it stood in the same place.
const Member* PoolMonitor::published_member(size_t place, const SocketAddress& address) const {
  if (!published_) return nullptr;
  const auto& members = published_->members;
  return place < members.size() && members[place].address == address ? &members[place] : published_->find(address);
}

// How many results in a row stand behind the state; 0 where that says nothing.
int PoolMonitor::evidence_of(const Entry& entry) const {
  if (entry.failed || entry.ejected_until_ms >= 0) return static_cast<int>(entry.failures);
  return entry.target ? entry.target->in_a_row() : 0;
}

void PoolMonitor::log_panic(const Pool& pool) const {
  log::write(pool.panic ? log::Level::warning : log::Level::info, pool.panic ? "pool panics" : "pool no longer panics",
             {{"pool", pool.name},
              {"serving", pool.serving()},
              {"servers", pool.members.size()},
              {"reason", pool.panic ? "too few serve: all servers are used" : "enough serve"}});
}

void PoolMonitor::log_change(const Entry& entry, const Health& now, State was) const {
  auto level = now.state == State::down || now.state == State::ejected ? log::Level::warning : log::Level::info;
  log::write(level, "server changed",
             {{"pool", spec_.name},
              {"server", entry.name},
              {"state", to_string(now.state)},
              {"was", to_string(was)},
              {"reason", now.reason},
              {"after", evidence_of(entry)}});
}

}  // namespace portolan::health
