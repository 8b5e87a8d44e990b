#include "core/health/pool_monitor.hh"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <set>

#include "core/base/log.hh"

namespace portolan::health {
namespace {

constexpr int64_t log_kept_every_ms = 60'000;  // a pool whose servers all fail would say so of each request

}  // namespace

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
  entry.counts->failure_told = false;  // what was told of a server that was away was lost
  CheckConfig check = spec_.check;
  if (check.tls) check.tls_host = spec->address.host;
  SocketAddress at = address;
  if (check.port > 0 && !at.is_unix()) at.port = static_cast<uint16_t>(check.port);
  entry.target = check.protocol.empty() ? nullptr : checker_.watch(at, check);
  return entry;
}

bool PoolMonitor::report_failure(const SocketAddress& address, const std::string& reason) {
  auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.address == address; });
  if (it == entries_.end()) return false;
  Entry& entry = *it;
  // Before the counts are read: what fails from now on is told again.
  entry.counts->failure_told = false;
  if (entry.outlier.out() || (entry.target && entry.target->state() == State::down)) return false;
  // Read anew: an answer that came since the report was sent speaks for the server.
  std::string verdict = entry.outlier.judge(spec_.eject, *entry.counts, worker_.now_ms());
  if (verdict.empty()) return false;
  if (!may_eject(entry)) {
    log_kept(entry, verdict + ": " + reason);
    return false;
  }
  entry.outlier.eject(spec_.eject, *entry.counts, worker_.now_ms());
  entry.ejected_for = verdict + ", out for " + std::to_string(entry.outlier.length_ms()) + " ms: " + reason;
  entry.good_checks = 0;
  return true;
}

// Too few servers left serve nobody: no more than a share is out at once, never the last one that serves. And none while
// most of the others have trouble too: then it is no outlier, and what is overloaded needs all the servers it has.
bool PoolMonitor::may_eject(const Entry& entry) const {
  if (spec_.eject.most <= 0) return false;
  size_t out = 0, others = 0, well = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& other = entries_[i];
    if (other.outlier.out()) {
      ++out;
    } else if (&other != &entry && (!other.target || other.target->state() != State::down)) {
      const Member* published = published_member(i, other.address);
      if (published && !serves(published->health.state)) continue;
      ++others;
      if (!other.outlier.struggled(spec_.eject, worker_.now_ms())) ++well;
    }
  }
  auto most = static_cast<size_t>(spec_.eject.most * static_cast<double>(entries_.size()));
  return well > 0 && well * 2 >= others && out < std::max<size_t>(most, 1);
}

bool PoolMonitor::on_check(const Target& target, bool good) {
  bool changed = false;
  for (Entry& entry : entries_) {
    if (entry.target.get() != &target || !entry.outlier.out()) continue;
    entry.good_checks = good ? entry.good_checks + 1 : 0;
    // Once the check itself is down it alone says when the server comes back.
    bool again = entry.outlier.times() > 1;
    if (target.state() != State::down && (again || entry.good_checks < spec_.check.rise)) continue;
    entry.outlier.restore(*entry.counts, worker_.now_ms());
    changed = true;
  }
  return changed;
}

int64_t PoolMonitor::expire_ejections() {
  int64_t next = std::numeric_limits<int64_t>::max();
  for (Entry& entry : entries_) {
    if (!entry.outlier.out()) continue;
    if (entry.outlier.until_ms() > worker_.now_ms()) {
      next = std::min(next, entry.outlier.until_ms());
      continue;
    }
    entry.outlier.restore(*entry.counts, worker_.now_ms());
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
  if (entry.outlier.out()) return {State::ejected, entry.ejected_for, 0};
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

// Whether a drained server still serves those who stick to it. One that isn't well keeps nobody.
bool PoolMonitor::keeps_clients(const Entry& entry, const Member& member) const {
  bool well = !entry.outlier.out() && !(entry.target && entry.target->state() == State::down);
  return member.health.state == State::draining && well &&
         worker_.wall_ms() < member.health.since_ms + spec_.keep_clients_ms;
}

int64_t PoolMonitor::next_farewell_ms() const {
  int64_t next = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; published_ && i < entries_.size(); ++i) {
    const Member* member = published_member(i, entries_[i].address);
    if (!member || !member->keeps_clients) continue;
    int64_t left_ms = member->health.since_ms + spec_.keep_clients_ms - worker_.wall_ms();
    next = std::min(next, worker_.now_ms() + std::max<int64_t>(1, left_ms));
  }
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
    m.keeps_clients = keeps_clients(entry, m);
    if (m.keeps_clients) m.health.reason += ", keeps its clients";
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

// How many results in a row stand behind the state, or how often it was ejected lately; 0 where that says nothing.
int PoolMonitor::evidence_of(const Entry& entry) const {
  if (entry.outlier.out()) return entry.outlier.times();
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

void PoolMonitor::log_kept(Entry& entry, const std::string& reason) {
  if (entry.kept_ms >= 0 && worker_.now_ms() - entry.kept_ms < log_kept_every_ms) return;
  entry.kept_ms = worker_.now_ms();
  log::warning("server not ejected", {{"pool", spec_.name},
                                      {"server", entry.name},
                                      {"reason", reason},
                                      {"because", "too few others would be left that are well"}});
}

}  // namespace portolan::health
