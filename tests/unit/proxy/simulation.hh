#pragma once
// A pool under load on a virtual clock: requests come at random moments, each server works on a few at once and lets the
// others wait. Discrete events, one seed: every run is the same. Requests are chosen, counted and learnt from as
// OriginRequest does it, by several workers that share nothing but the pool's state.
#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "core/health/latency.hh"
#include "proxy/cluster.hh"
#include "tests/unit/proxy/balance_fixture.hh"

namespace portolan::proxy {

class Simulation {
 public:
  struct Host {
    double service_us = 10'000;  // mean
    int lanes = 4;               // requests it works on at once
    bool varies = true;          // exponentially; else every request takes the mean
    bool refuses = false;
    int busy = 0;
    std::deque<size_t> waiting = {};
    size_t asked = 0;  // tries, failed ones included
  };
  struct Request {
    int64_t came_us = 0;
    uint64_t key = 0;
    Tried tried = {};
    size_t member = Balancer::none;
    size_t worker = 0;
    int64_t asked_us = 0;
    int64_t took_us = -1;  // -1: not answered
  };

  Simulation(std::string kind, const std::vector<int>& weights, size_t workers = 2, uint64_t seed = 1)
      : hosts(weights.size()),
        rng(seed),
        pool_(pool_of(weights)),
        config_(std::make_shared<PoolConfig>()),
        workers_(workers) {
    config_->balance = std::move(kind);
    publish();
  }

  std::vector<Host> hosts;
  std::vector<Request> requests;
  Rng rng;
  std::function<uint64_t()> next_key = [this] { return rng.next(); };
  std::function<void(size_t)> on_pick = [](size_t) {};

  int64_t now_us() const { return now_us_; }
  const health::Pool& pool() const { return *pool_; }
  int64_t in_flight(size_t i) const { return pool_->members[i].state->in_flight; }

  void at(double seconds, std::function<void()> what) {
    events_.push({static_cast<int64_t>(seconds * 1e6), ++order_, std::move(what)});
  }
  // What control would publish: a new state of the pool, seen by all workers.
  void change(const std::function<void(health::Pool&)>& how) {
    auto next = std::make_shared<health::Pool>(*pool_);
    ++next->generation;
    how(*next);
    pool_ = std::move(next);
    publish();
  }
  void set_state(size_t i, health::State state) {
    change([&](health::Pool& pool) { pool.members[i].health.state = state; });
  }
  // Requests at `rate` a second, from now for so long; then whatever is under way goes on with the next call.
  void load(double rate, double seconds) {
    int64_t until_us = now_us_ + static_cast<int64_t>(seconds * 1e6);
    double next_us = static_cast<double>(now_us_) + gap(rate);
    while (next_us < static_cast<double>(until_us)) {
      run_until(static_cast<int64_t>(next_us));
      arrive();
      next_us += gap(rate);
    }
    run_until(until_us);
  }
  void settle() { run_until(INT64_MAX / 2); }

  // Of the requests that came in that part of the run.
  double percentile_ms(double p, double from_s = 0, double to_s = 1e9) const {
    std::vector<int64_t> took;
    for (const Request& r : requests) {
      double came_s = static_cast<double>(r.came_us) / 1e6;
      if (r.took_us >= 0 && came_s >= from_s && came_s < to_s) took.push_back(r.took_us);
    }
    if (took.empty()) return 0;
    auto at = took.begin() + static_cast<long>(p * static_cast<double>(took.size() - 1));
    std::nth_element(took.begin(), at, took.end());
    return static_cast<double>(*at) / 1000;
  }
  size_t unanswered() const {
    return static_cast<size_t>(
        std::count_if(requests.begin(), requests.end(), [](const Request& r) { return r.took_us < 0; }));
  }
  double share(size_t i) const {
    size_t all = 0;
    for (const Host& h : hosts) all += h.asked;
    return static_cast<double>(hosts[i].asked) / static_cast<double>(all);
  }

 private:
  struct Event {
    int64_t at_us;
    uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return at_us != other.at_us ? at_us > other.at_us : order > other.order;
    }
  };
  static constexpr size_t most_tries = 3;

  double gap(double rate) { return -std::log(1 - rng.unit()) * 1e6 / rate; }

  void publish() {
    clusters_.clear();
    for (size_t i = 0; i < workers_; ++i) clusters_.push_back(std::make_unique<Cluster>(pool_, config_));
  }

  void run_until(int64_t until_us) {
    while (!events_.empty() && events_.top().at_us <= until_us) {
      Event event = events_.top();
      events_.pop();
      now_us_ = std::max(now_us_, event.at_us);
      event.what();
    }
    if (until_us < INT64_MAX / 2) now_us_ = until_us;
  }

  void arrive() {
    Request r;
    r.came_us = now_us_;
    r.key = next_key();
    r.worker = rng.below(workers_);
    requests.push_back(std::move(r));
    ask(requests.size() - 1);
  }

  void ask(size_t id) {
    Request& r = requests[id];
    Cluster& cluster = *clusters_[r.worker];
    r.member = cluster.pick({r.tried, rng, now_us_, {r.key}});
    if (r.member == Balancer::none) return;
    ASSERT_TRUE(cluster.pool().takes(cluster.member(r.member)));
    on_pick(r.member);
    Host& host = hosts[r.member];
    ++host.asked;
    r.asked_us = now_us_;
    if (host.refuses) {
      if (cluster.by_latency()) health::note_failure(*state(r.member), 0, now_us_);
      health::count_out(*pool_->state, *state(r.member));
      r.tried.push_back(r.member);
      if (r.tried.size() < most_tries) ask(id);
      return;
    }
    if (host.busy < host.lanes)
      work(id);
    else
      host.waiting.push_back(id);
  }

  void work(size_t id) {
    Host& host = hosts[requests[id].member];
    ++host.busy;
    double takes_us = host.varies ? -std::log(1 - rng.unit()) * host.service_us : host.service_us;
    events_.push({now_us_ + static_cast<int64_t>(takes_us), ++order_, [this, id] { done(id); }});
  }

  void done(size_t id) {
    Request& r = requests[id];
    Host& host = hosts[r.member];
    r.took_us = now_us_ - r.came_us;
    if (clusters_[r.worker]->by_latency()) health::note_latency(*state(r.member), now_us_ - r.asked_us, now_us_);
    health::count_out(*pool_->state, *state(r.member));
    --host.busy;
    if (host.waiting.empty()) return;
    size_t next = host.waiting.front();
    host.waiting.pop_front();
    work(next);
  }

  health::ServerState* state(size_t member) { return pool_->members[member].state.get(); }

  std::shared_ptr<health::Pool> pool_;
  std::shared_ptr<PoolConfig> config_;
  std::vector<std::unique_ptr<Cluster>> clusters_;  // by worker
  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
  int64_t now_us_ = 1'000'000;
  size_t workers_;
};

}  // namespace portolan::proxy
