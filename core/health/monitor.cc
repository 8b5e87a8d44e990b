#include "core/health/monitor.hh"

#include <algorithm>
#include <limits>

#include "core/base/log.hh"

namespace portolan::health {

namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

}  // namespace

Monitor::Monitor(loop::Worker& control, Lookups lookups, OnBoard on_board, StartProbe start_probe)
    : worker_(control),
      on_board_(std::move(on_board)),
      checker_(control, *this, std::move(start_probe)),
      sources_(control, std::move(lookups), [this] { on_sources_changed(); }),
      peers_(control, sources_.names(), [this] { changed(); }),
      ejection_over_(control, this, &loop::Calls<&Monitor::on_ejection_over>::call),
      foreseen_over_(control, this, &loop::Calls<&Monitor::end_foreseen>::call) {}

Monitor::~Monitor() = default;

void Monitor::apply(const MonitorSpec& spec) {
  datacenters_ = spec.datacenters;
  apply_pools(spec.pools);
  apply_services(spec.services);
  std::vector<std::shared_ptr<Peer>> listened_to;
  for (const std::string& text : spec.peers)
    if (auto url = client::parse_url(text)) listened_to.push_back(peers_.watch(*url, CheckConfig()));
  listened_to_ = std::move(listened_to);
  forget_gone_drains();
  publish();
  waits_for_ = first_waiting();
  counts_.forget_unused();
  checker_.size();
}

bool Monitor::Foreseen::settled() const {
  return std::all_of(sources.begin(), sources.end(), [](const auto& source) {
    source->servers();
    const Discovery* discovery = source->discovery();
    return !discovery || discovery->state != Discovery::State::waiting;
  });
}

void Monitor::foresee(const MonitorSpec& spec, int64_t at_most_ms, std::function<void()> done) {
  foreseen_.emplace();
  foreseen_->done = std::move(done);
  for (const PoolSpec& pool : spec.pools)
    for (const ServerSpec& server : pool.servers)
      if (!server.address.is_literal) foreseen_->sources.push_back(sources_.watch(server.address));
  if (foreseen_->settled()) return end_foreseen();
  foreseen_over_.set(at_most_ms);
}

// The sources live until `done` has taken them over.
void Monitor::end_foreseen() {
  foreseen_over_.cancel();
  auto over = std::exchange(foreseen_, std::nullopt);
  over->done();
}

void Monitor::apply_pools(const std::vector<PoolSpec>& specs) {
  auto previous = std::move(pools_);
  pools_.clear();
  for (const PoolSpec& spec : specs) {
    auto& pool = pools_[spec.name];
    auto before = previous.find(spec.name);
    if (before != previous.end()) pool = std::move(before->second);
    if (!pool) pool = std::make_unique<PoolMonitor>(worker_, checker_, sources_, counts_);
    pool->configure(spec);
  }
}

// Sites are made before the old ones go: the targets and peers they share live on.
void Monitor::apply_services(const std::vector<ServiceSpec>& specs) {
  const SiteMonitor::Parts parts{worker_, checker_, sources_.names(), peers_, site_changed_};
  std::map<std::string, std::vector<SiteMonitor>> next;
  for (const ServiceSpec& service : specs)
    for (const SiteSpec& site : service.sites) next[service.name].emplace_back(parts, service.name, site);
  services_ = std::move(next);
}

void Monitor::forget_gone_drains() {
  std::erase_if(drains_.servers, [&](const auto& drain) {
    auto pool = pools_.find(drain.first);
    return pool == pools_.end() || !pool->second->has_server(drain.second);
  });
  std::erase_if(drains_.datacenters, [&](const auto& drain) {
    return std::find(datacenters_.begin(), datacenters_.end(), drain.first) == datacenters_.end();
  });
}

void Monitor::on_check(const Target& target, bool good, bool news) {
  for (auto& [name, pool] : pools_) news |= pool->on_check(target, good);
  // What may come of it is nearer, or further away again.
  news |= target.in_a_row() == 1 || good == (target.state() == State::down);
  if (news) changed();
}

// Answers may come inside apply(), so members are looked at anew with the next board.
void Monitor::on_sources_changed() {
  sources_changed_ = true;
  changed();
}

std::vector<SourceReport> Monitor::sources(const std::string& pool) const {
  auto it = pools_.find(pool);
  return it == pools_.end() ? std::vector<SourceReport>() : it->second->sources();
}

std::string Monitor::first_waiting() const {
  for (const auto& [name, pool] : pools_)
    if (std::string source = pool->waits_for(); !source.empty()) return source;
  return {};
}

void Monitor::on_ejection_over() {
  changed();
}

void Monitor::report_failure(const std::string& pool, const SocketAddress& server, const std::string& reason) {
  auto it = pools_.find(pool);
  if (it != pools_.end() && it->second->report_failure(server, reason)) changed();
}

Status Monitor::drain_server(const std::string& pool, const std::string& server, bool drain) {
  auto it = pools_.find(pool);
  if (it == pools_.end()) {
    std::vector<std::string> names;
    for (const auto& [name, monitor] : pools_) names.push_back(name);
    return Error{"no pool " + pool + "; there are: " + listed(names), 404};
  }
  if (!it->second->has_server(server))
    return Error{"pool " + pool + " has no server " + server + "; it has: " + listed(it->second->server_names()), 404};
  bool was = drains_.servers.contains({pool, server});
  if (drain)
    drains_.servers.insert({pool, server});
  else
    drains_.servers.erase({pool, server});
  if (was != drain) changed();
  return {};
}

Status Monitor::drain_datacenter(const std::string& name, bool drain) {
  if (std::find(datacenters_.begin(), datacenters_.end(), name) == datacenters_.end())
    return Error{"no datacenter " + name + "; there are: " + listed(datacenters_), 404};
  bool was = drains_.datacenters.contains(name);
  if (was == drain) return {};
  if (drain)
    drains_.datacenters.emplace(name, worker_.wall_ms());
  else
    drains_.datacenters.erase(name);
  log::info("datacenter changed",
            {{"datacenter", name}, {"state", drain ? "draining" : "enabled"}, {"reason", "an operator"}});
  changed();
  return {};
}

void Monitor::publish() {
  if (std::exchange(sources_changed_, false)) {
    if (foreseen_ && foreseen_->settled()) foreseen_over_.set(0);  // not amid a board
    for (auto& [name, pool] : pools_) pool->refresh_members();
    for (auto& [name, sites] : services_)
      for (SiteMonitor& site : sites) site.refresh();
    waits_for_ = first_waiting();
    counts_.forget_unused();  // of servers that came and went
    checker_.size();
  }
  int64_t next_ejection = std::numeric_limits<int64_t>::max();
  for (auto& [name, pool] : pools_) next_ejection = std::min(next_ejection, pool->expire_ejections());
  auto next = std::make_shared<Board>();
  next->version = board_->version + 1;
  bool news = publish_pools(*next);
  for (auto& [name, pool] : pools_)
    next_ejection = std::min({next_ejection, pool->next_warmth_ms(), pool->next_farewell_ms()});
  if (next_ejection != std::numeric_limits<int64_t>::max()) ejection_over_.set(next_ejection - worker_.now_ms());
  for (const auto& [name, since_ms] : drains_.datacenters)
    next->datacenters[name] = {State::draining, "drained by an operator", since_ms};
  news |= next->datacenters != board_->datacenters;
  news |= publish_services(*next);
  if (!news && board_->version > 0) return;
  board_ = std::move(next);
  on_board_(board_);
}

std::optional<double> Monitor::utilization(const std::string& service, const std::string& datacenter) const {
  const auto sites = services_.find(service);
  if (sites == services_.end()) return std::nullopt;
  for (const SiteMonitor& site : sites->second)
    if (site.datacenter() == datacenter) return site.utilization(*board_);
  return std::nullopt;
}

bool Monitor::publish_pools(Board& next) {
  for (auto& [name, pool] : pools_) next.pools[name] = pool->publish(drains_);
  return next.pools != board_->pools;
}

bool Monitor::publish_services(Board& next) {
  for (const auto& [name, sites] : services_) {
    auto before = board_->services.find(name);
    for (const SiteMonitor& site : sites) {
      const Site* last = nullptr;
      if (before != board_->services.end())
        for (const Site& s : before->second)
          if (s.datacenter == site.datacenter()) last = &s;
      next.services[name].push_back(site.publish(next, drains_, last, worker_.wall_ms()));
    }
  }
  return next.services != board_->services;
}

}  // namespace portolan::health
