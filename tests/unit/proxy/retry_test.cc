// Retries against outages and overload, on a clock of its own: what the budget allows, and whether a pool comes back by
// itself once the cause is gone.
#include <gtest/gtest.h>

#include <deque>

#include "core/base/log.hh"
#include "core/health/monitor.hh"
#include "proxy/cluster.hh"
#include "proxy/retry_budget.hh"

namespace portolan::proxy {
namespace {

struct Rates {
  double requests_a_second;
  double share;
};
class RetryBudgets : public ::testing::TestWithParam<Rates> {};

// Everything fails and wants two more tries each.
TEST_P(RetryBudgets, AreNeverExceeded) {
  constexpr int64_t length_ms = 120'000;
  health::PoolState pool;
  Rng rng(11);
  double requests = 0, retries = 0, due = 0;
  for (int64_t now = 1; now <= length_ms; ++now) {
    due += GetParam().requests_a_second / 1000 * 2 * rng.unit();
    for (; due >= 1; --due) {
      count_request(pool, now);
      ++requests;
      for (int i = 0; i < 2; ++i) retries += take_retry(pool, now, GetParam().share);
    }
    auto in_windows = static_cast<double>(pool.window_requests[0] + pool.window_requests[1]);
    ASSERT_LE(static_cast<double>(pool.window_retries[0] + pool.window_retries[1]),
              std::max(100.0, GetParam().share * in_windows * 1.05 + 1));
  }
  double allowed = std::max(GetParam().share * requests, 10.0 * length_ms / 1000);
  EXPECT_LE(retries, allowed * 1.1 + 100);
  EXPECT_GE(retries, std::min(2 * requests, allowed * 0.8)) << "and what is allowed is given";
}

INSTANTIATE_TEST_SUITE_P(Rates, RetryBudgets,
                         ::testing::Values(Rates{1, 0.2}, Rates{30, 0.2}, Rates{500, 0.2}, Rates{5'000, 0.2},
                                           Rates{5'000, 0.05}, Rates{500, 1}, Rates{2'000, 0}));

// Four servers, one request after another in each, ten milliseconds a request: 400 a second. A request that waits for
// more than half a second is given up and tried elsewhere, but its server still does the work. The monitor, the balancer
// and the budget are the real ones.
class Simulation {
 public:
  static constexpr int64_t service_ms = 10, timeout_ms = 500;

  Simulation(double share, int attempts) : share_(share), attempts_(attempts) {
    log::set_sink([](std::string_view) {});
    health::PoolSpec spec;
    spec.name = "app";
    for (int i = 1; i <= 4; ++i) spec.servers.push_back({*HostPort::parse("10.0.0." + std::to_string(i) + ":80")});
    monitor.apply({{spec}, {}, {}});
  }
  ~Simulation() { log::set_sink(nullptr); }

  // Runs for so long, at so many requests a second; the share of them that were answered.
  double runs(int64_t ms, double requests_a_second) {
    uint64_t answered = answered_, asked = asked_;
    for (; ms > 0; --ms) {
      clock.advance_ms(1);
      if (clock.now_ms() % 8 == 0) worker.turn(0);
      for (Server& s : servers_) serve(s);
      expire();
      due_ += requests_a_second / 1000;
      for (; due_ >= 1; --due_) ask();
    }
    return static_cast<double>(answered_ - answered) / static_cast<double>(asked_ - asked);
  }
  uint64_t retries() const { return retries_; }
  uint64_t asked() const { return asked_; }
  size_t serving() const { return cluster_->pool().serving(); }
  void breaks(size_t server, bool broken) { servers_[server].broken = broken; }

  FakeClock clock;
  metrics::Shard shard;
  loop::Worker worker{0, "control", clock, 7, shard};

 private:
  struct Attempt {
    size_t server;
    std::shared_ptr<health::ServerState> state;
    std::shared_ptr<health::PoolState> pool;
    int64_t deadline_ms;
    Tried tried;
    bool over = false;
  };
  struct Server {
    std::deque<std::shared_ptr<Attempt>> queue;
    int64_t busy_ms = 0;
    bool broken = false;  // refuses
  };

  void on_board(std::shared_ptr<const health::Board> board) {
    cluster_ = std::make_unique<Cluster>(board->pools.at("app"), config_);
  }
  void ask() {
    ++asked_;
    count_request(*cluster_->pool().state, clock.now_ms());
    attempt({});
  }
  void attempt(Tried tried) {
    size_t m = cluster_->pick({tried, worker.rng(), worker.now_us()});
    if (m == Balancer::none) return;
    auto a = std::make_shared<Attempt>(
        Attempt{m, cluster_->member(m).state, cluster_->pool().state, clock.now_ms() + timeout_ms, std::move(tried)});
    a->state->requests.fetch_add(1);
    if (servers_[m].broken) return fail(*a);
    under_way_.push_back(a);
    servers_[m].queue.push_back(std::move(a));
  }
  void serve(Server& s) {
    if (s.queue.empty() || ++s.busy_ms < service_ms) return;
    s.busy_ms = 0;
    auto a = std::move(s.queue.front());
    s.queue.pop_front();
    if (a->over) return;  // work for nobody
    a->over = true;
    ++answered_;
    a->state->failures_in_a_row = 0;
    health::count_out(*a->pool, *a->state);
  }
  void expire() {
    while (!under_way_.empty() && (under_way_.front()->over || under_way_.front()->deadline_ms <= clock.now_ms())) {
      auto a = std::move(under_way_.front());
      under_way_.pop_front();
      if (!a->over) fail(*a);
    }
  }
  void fail(Attempt& a) {
    a.over = true;
    health::count_out(*a.pool, *a.state);
    a.state->failures.fetch_add(1);
    a.state->failures_in_a_row.fetch_add(1);
    monitor.report_failure("app", cluster_->member(a.server).address, "timed out");
    Tried tried = a.tried;
    tried.push_back(a.server);
    if (static_cast<int>(tried.size()) > attempts_) return;
    if (!take_retry(*a.pool, clock.now_ms(), share_)) return;
    ++retries_;
    attempt(std::move(tried));
  }

  double share_;
  int attempts_;
  std::shared_ptr<const PoolConfig> config_ = std::make_shared<PoolConfig>();
  std::unique_ptr<Cluster> cluster_;
  std::vector<Server> servers_{4};
  std::deque<std::shared_ptr<Attempt>> under_way_;  // in the order of their deadlines
  double due_ = 0;
  uint64_t asked_ = 0, answered_ = 0, retries_ = 0;

 public:
  health::Monitor monitor{
      worker,
      {[](const std::string&, IpAddress::Family, loop::Resolver::Callback) { return std::shared_ptr<void>(); }},
      [this](std::shared_ptr<const health::Board> board) { on_board(std::move(board)); }};
};

TEST(Overload, APoolComesBackByItselfOnceTheLoadIsBearable) {
  Simulation pool(PoolConfig().retry.budget, PoolConfig().retry.attempts);
  EXPECT_GT(pool.runs(10'000, 300), 0.99);
  EXPECT_LT(pool.runs(5'000, 800), 0.6) << "too much for it";
  pool.runs(90'000, 300);  // work for nobody is done first
  EXPECT_GT(pool.runs(10'000, 300), 0.99) << "and now it isn't";
  EXPECT_LE(static_cast<double>(pool.retries()), 0.2 * static_cast<double>(pool.asked()) + 100);
  EXPECT_EQ(pool.serving(), 4u);
}

// The same without a budget: the retries alone keep the pool down. It is what the budget is for.
TEST(Overload, WithoutABudgetItStaysDown) {
  Simulation pool(1e9, PoolConfig().retry.attempts);
  EXPECT_GT(pool.runs(10'000, 300), 0.99);
  pool.runs(5'000, 800);
  pool.runs(90'000, 300);  // work for nobody is done first
  EXPECT_LT(pool.runs(10'000, 300), 0.5);
}

TEST(Overload, AServerThatRefusesCostsNobodyAnAnswerAndIsOutSoon) {
  Simulation pool(PoolConfig().retry.budget, PoolConfig().retry.attempts);
  pool.runs(5'000, 200);
  pool.breaks(2, true);
  EXPECT_GT(pool.runs(20'000, 200), 0.999);
  EXPECT_EQ(pool.serving(), 3u);
  EXPECT_LE(pool.retries(), 10u) << "five failures, and those meanwhile";
  pool.breaks(2, false);
  EXPECT_GT(pool.runs(120'000, 200), 0.999);
  EXPECT_EQ(pool.serving(), 4u);
}

TEST(Overload, AServerThatFlapsIsOutMostOfTheTime) {
  Simulation pool(PoolConfig().retry.budget, PoolConfig().retry.attempts);
  int64_t out_ms = 0;
  for (int i = 0; i < 600; ++i) {
    pool.breaks(1, i % 2 == 0);
    EXPECT_GT(pool.runs(1'000, 200), 0.98);
    if (pool.serving() == 3) out_ms += 1'000;
  }
  EXPECT_GT(out_ms, 500'000);
  EXPECT_LE(pool.retries(), 200u);
}

}  // namespace
}  // namespace portolan::proxy
