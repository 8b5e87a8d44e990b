// What operators tell the process to do, but for a reload.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "core/base/log.hh"
#include "daemon/cache_inspect.hh"
#include "daemon/route_names.hh"
#include "daemon/server.hh"

namespace portolan::daemon {

void Server::reopen_logs() {
  auto opened = log_writer_->reopen();
  if (opened) opened = query_log_writer_->reopen();
  if (!opened) {
    log::error("a log can't be reopened", {{"reason", opened.error().text}});
  } else {
    log::info("reopened the logs", {{"access", config_.log.access_path}, {"queries", config_.log.queries_path}});
  }
}

Status Server::drain_server(const std::string& pool, const std::string& address, bool drain) {
  return monitor_->drain_server(pool, address, drain);
}

Status Server::drain_datacenter(const std::string& name, bool drain) {
  return monitor_->drain_datacenter(name, drain);
}

Result<std::vector<std::string>> Server::set_maintenance(const std::string& route, bool on) {
  std::vector<std::string> all, changed;
  for (auto& [name, operator_says] : gates_.switches) {
    all.push_back(name);
    if (!route.empty() && name != route) continue;
    operator_says->word = on ? proxy::MaintenanceSwitch::on : proxy::MaintenanceSwitch::off;
    changed.push_back(name);
  }
  if (all.empty())
    return Error{"no route has maintenance; set maintenance = {} in the routes it may be turned on for", 404};
  if (changed.empty())
    return Error{fmt::format("no route {} has maintenance; there are: {}", route, fmt::join(all, ", ")), 404};
  log::info("maintenance", {{"routes", fmt::format("{}", fmt::join(changed, ", "))}, {"on", on ? "yes" : "no"}});
  return changed;
}

Status Server::drain_node(bool drain) {
  if (shutting_down_) return Error{"the process is stopping", 409};
  if (std::exchange(node_drained_, drain) == drain) return {};
  log::info("node changed", {{"state", drain ? "draining" : "enabled"}, {"reason", "an operator"}});
  drain ? leave_->begin() : leave_->end();
  admin_->health_changed();
  return {};
}

Result<std::vector<std::shared_ptr<edge::Cache>>> Server::caches_named(const std::string& name) {
  std::vector<std::shared_ptr<edge::Cache>> out;
  std::vector<std::string> all;
  for (auto& [known, cache] : caches_) {
    all.push_back(known);
    if (name.empty() || name == known) out.push_back(cache);
  }
  if (all.empty()) return Error{"there is no cache", 404};
  if (out.empty()) return Error{fmt::format("no cache {}; there are: {}", name, fmt::join(all, ", ")), 404};
  return out;
}

namespace {

// What one order still waits for.
struct Purging {
  PurgeOutcome outcome;
  size_t waiting = 1;
  Status worst;
  std::function<void(Result<PurgeOutcome>)> done;
  void arrive(const Status& status) {
    if (!status && worst) worst = status;
    if (--waiting > 0) return;
    if (worst) return done(std::move(outcome));
    done(Error{"purged, but a restart may bring it back: " + worst.error().text, 500});
  }
};

}  // namespace

void Server::purge(PurgeOrder order, std::function<void(Result<PurgeOutcome>)> done) {
  auto caches = caches_named(order.cache);
  if (!caches) return done(caches.error());
  auto purging = std::make_shared<Purging>();
  purging->done = std::move(done);
  for (auto& cache : *caches) purging->outcome.caches.emplace_back(cache->name(), 0);
  for (const auto& cache : *caches) purging->outcome.disk |= disks_->executor_of(cache->name()) != nullptr;
  for (const edge::Purge& purge : as_cached(order.purges)) {
    uint64_t removed = 0;
    for (size_t i = 0; i < caches->size(); ++i) {
      ++purging->waiting;
      auto made = (*caches)[i]->purge(purge, clock_.wall_ms(), [this, purging](const Status& durable) {
        control_.post([purging, durable] { purging->arrive(durable); });
      });
      if (!made) return purging->done(made.error());  // parse_purge_order() lets no such thing pass
      removed += made->removed;
      purging->outcome.caches[i].second = made->number;
    }
    purging->outcome.removed += removed;
    log::info("purged", {{"kind", edge::name_of(purge.kind)},
                         {"value", purge.value},
                         {"soft", purge.soft ? "yes" : "no"},
                         {"cache", order.cache.empty() ? "all" : order.cache},
                         {"objects", removed},
                         {"by", order.who}});
  }
  purging->arrive({});
}

Result<std::vector<std::string>> Server::hot_urls(const std::string& cache, size_t most) {
  auto caches = caches_named(cache);
  if (!caches) return caches.error();
  std::vector<std::string> out;
  for (auto& c : *caches)
    for (std::string& url : c->hot_urls(most)) out.push_back(std::move(url));
  return out;
}

CacheCounts Server::cache_counts() {
  CacheCounts out;
  for (auto& [name, cache] : caches_) out.caches.emplace_back(name, cache->stats());
  return out;
}

CacheSegments Server::cache_segments() {
  return disks_->segments();
}

Status Server::begin_check(const std::string& cache) {
  return disks_->begin_check(cache);
}

VerifyState Server::check() {
  return disks_->check();
}

CacheTops Server::cache_top(size_t most) {
  CacheTops out;
  const RouteNames routes(snapshot_->routes);
  for (auto& [name, cache] : caches_) {
    auto& [_, keys] = out.caches.emplace_back(name, cache->top(most));
    for (edge::HotKey& key : keys) routes.tell(key.key);
  }
  return out;
}

// Caches know URLs without what signs them.
std::vector<edge::Purge> Server::as_cached(const std::vector<edge::Purge>& purges) const {
  std::vector<edge::Purge> out;
  for (const edge::Purge& purge : purges) {
    if (purge.kind != edge::PurgeKind::url) {
      out.push_back(purge);
      continue;
    }
    for (std::string& url : cached_urls(*snapshot_, purge.value))
      out.push_back({purge.kind, std::move(url), purge.soft});
  }
  return out;
}

std::vector<std::string> Server::sign_urls(const SignOrder& order) {
  std::vector<std::string> out;
  const ExplainWorld world = explain_world();
  for (const std::string& url : order.urls)
    out.push_back(url_to_ask({"GET", url, {}, "127.0.0.1", order.listener}, world));
  return out;
}

void Server::inspect(const ExplainRequest& request, std::function<void(Result<CacheInspections>)> done) {
  auto plan = plan_inspection(request, explain_world());
  if (!plan) return done(plan.error());
  Executor* waits = plan->cache ? disks_->executor_of(plan->cache->name()) : nullptr;
  const int64_t now_ms = clock_.wall_ms();
  if (!waits) return done(look(std::move(*plan), now_ms));
  // Let go of here: the last of a cache mustn't go on a thread that its disk waits for.
  struct Held {
    InspectionPlan plan;
    std::shared_ptr<const proxy::Snapshot> snapshot;
  };
  auto held = std::make_shared<const Held>(Held{std::move(*plan), snapshot_});
  auto work = [this, held, now_ms, done]() mutable {
    CacheInspections found = look(held->plan, now_ms);
    control_.post([held = std::move(held), found = std::move(found), done = std::move(done)] { done(found); });
  };
  if (!waits->submit(std::move(work))) done(Error{"too much waits for the cache's disk; try again later", 503});
}

}  // namespace portolan::daemon
