// Timers, run queues, graves and the mailbox, on a clock that moves only when told to.
#include "core/loop/worker.hh"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <future>
#include <thread>

#include "core/loop/thread_pool.hh"

namespace portolan::loop {
namespace {

struct WorkerTest : ::testing::Test {
  FakeClock clock;
  metrics::Registry registry;
  Worker worker{0, "test", clock, 1, registry.add_shard()};
  void advance(int64_t ms) {
    clock.advance_ms(ms);
    worker.turn(0);
  }
};

struct Alarm {
  Alarm(Worker& worker, std::function<void()> what)
      : action(std::move(what)), timer(worker, this, &Calls<&Alarm::ring>::call) {}
  void ring() {
    auto a = action;  // the action may destroy us
    a();
  }
  std::function<void()> action;
  Timer timer;
};

struct Job final : Runnable {
  explicit Job(std::function<void()> what) : action(std::move(what)) {}
  void run() override { action(); }
  std::function<void()> action;
};

TEST_F(WorkerTest, ATimerNeverFiresEarlyAndAtMostATickLate) {
  for (int64_t delay : {0, 1, 7, 8, 9, 100, 5000, 8191, 8192, 8200, 20'000, 3'600'000}) {
    int64_t fired_at = -1;
    Alarm alarm(worker, [&] { fired_at = worker.now_ms(); });
    worker.turn(0);
    int64_t start = worker.now_ms();
    alarm.timer.set(delay);
    for (int64_t step = 1; fired_at < 0 && worker.now_ms() < start + delay + 100; step = delay > 10'000 ? 4 : 1)
      advance(step);
    ASSERT_GE(fired_at, start + delay) << delay;
    ASSERT_LE(fired_at, start + delay + 2 * Wheel::tick_ms) << delay;
    EXPECT_FALSE(alarm.timer.armed());
  }
}

TEST_F(WorkerTest, TimersFireInTheOrderOfTheirDeadlines) {
  std::vector<int> order;
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 300; ++i) alarms.push_back(std::make_unique<Alarm>(worker, [&order, i] { order.push_back(i); }));
  for (int i = 299; i >= 0; --i) alarms[static_cast<size_t>(i)]->timer.set(i * 16);
  for (int i = 0; i < 700; ++i) advance(8);
  EXPECT_EQ(order.size(), 300u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(WorkerTest, ATimerMovesLaterAndEarlierAndIsCancelled) {
  int fired = 0;
  Alarm alarm(worker, [&] { ++fired; });
  alarm.timer.set(100);
  alarm.timer.set(1000);
  advance(500);
  EXPECT_EQ(fired, 0);
  alarm.timer.set(50);  // earlier than the slot it stands in
  advance(66);
  EXPECT_EQ(fired, 1);
  advance(2000);
  EXPECT_EQ(fired, 1);
  alarm.timer.set(100);
  EXPECT_TRUE(alarm.timer.armed());
  alarm.timer.cancel();
  EXPECT_FALSE(alarm.timer.armed());
  advance(1000);
  EXPECT_EQ(fired, 1);
  alarm.timer.set(100);  // its old slot has been looked at meanwhile
  advance(116);
  EXPECT_EQ(fired, 2);
}

TEST_F(WorkerTest, ATimerBeyondTheWheelComesRound) {
  int fired = 0;
  Alarm alarm(worker, [&] { ++fired; });
  alarm.timer.set(60'000);  // the wheel is 8.2 s long
  for (int i = 0; i < 599; ++i) advance(100);
  EXPECT_EQ(fired, 0);
  advance(116);
  EXPECT_EQ(fired, 1);
}

TEST_F(WorkerTest, ALongSleepFiresEverythingOnce) {
  int fired = 0;
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int64_t delay = 0; delay < 30'000; delay += 50) {
    alarms.push_back(std::make_unique<Alarm>(worker, [&] { ++fired; }));
    alarms.back()->timer.set(delay);
  }
  Alarm later(worker, [&] { fired += 1000; });
  later.timer.set(90'000);
  advance(60'000);
  EXPECT_EQ(fired, 600);
  advance(31'000);
  EXPECT_EQ(fired, 1600);
}

TEST_F(WorkerTest, CallbacksMayDestroyAnyTimerAndSetNewOnes) {
  std::unique_ptr<Alarm> first, second, again;
  int rang = 0;
  // Both stand in one slot; whichever rings first ends both.
  auto end_both = [&] {
    ++rang;
    first.reset();
    second.reset();
    again->timer.set(0);
  };
  first = std::make_unique<Alarm>(worker, end_both);
  second = std::make_unique<Alarm>(worker, end_both);
  int renewed = 0;
  again = std::make_unique<Alarm>(worker, [&] {
    if (++renewed < 5) again->timer.set(0);
  });
  first->timer.set(16);
  second->timer.set(16);
  advance(32);
  EXPECT_EQ(rang, 1);
  for (int i = 0; i < 20; ++i) advance(8);
  EXPECT_EQ(renewed, 5);
}

TEST_F(WorkerTest, TheWheelKnowsWhenToLookAgain) {
  EXPECT_EQ(worker.wheel().next_due_ms(), INT64_MAX);
  Alarm alarm(worker, [] {});
  alarm.timer.set(3000);
  int64_t due = worker.wheel().next_due_ms();
  EXPECT_GE(due, worker.now_ms() + 3000);
  EXPECT_LE(due, worker.now_ms() + 3000 + Wheel::tick_ms);
  Alarm sooner(worker, [] {});
  sooner.timer.set(40);
  EXPECT_LE(worker.wheel().next_due_ms(), worker.now_ms() + 40 + Wheel::tick_ms);
}

TEST_F(WorkerTest, SoonIsThisTurnAndOnceHoweverOftenAsked) {
  std::vector<std::string> order;
  Job inner([&] { order.push_back("inner"); });
  Job outer([&] {
    order.push_back("outer");
    worker.run_soon(inner);
    worker.run_soon(inner);
  });
  worker.run_soon(outer);
  worker.run_soon(outer);
  worker.turn(0);
  EXPECT_EQ(order, (std::vector<std::string>{"outer", "inner"}));
}

TEST_F(WorkerTest, NextTurnLetsOthersGoFirst) {
  int runs = 0;
  Job greedy([&] {
    ++runs;
    worker.run_next_turn(greedy);
  });
  worker.run_next_turn(greedy);
  for (int i = 1; i <= 5; ++i) {
    worker.turn(INT64_MAX);  // and no turn waits while there is work
    EXPECT_EQ(runs, i);
  }
}

TEST_F(WorkerTest, AJobThatIsDestroyedDoesNotRun) {
  bool ran = false;
  {
    Job job([&] { ran = true; });
    worker.run_soon(job);
  }
  auto victim = std::make_unique<Job>([&] { ran = true; });
  Job killer([&] { victim.reset(); });
  worker.run_soon(killer);
  worker.run_soon(*victim);
  worker.turn(0);
  EXPECT_FALSE(ran);
}

struct Ghost final : Mortal {
  explicit Ghost(std::function<void()> last) : last_words(std::move(last)) {}
  ~Ghost() override { last_words(); }
  std::function<void()> last_words;
};

TEST_F(WorkerTest, TheBuriedDieWhenTheCallbackHasReturned) {
  std::vector<std::string> order;
  Job job([&] {
    worker.bury(std::make_unique<Ghost>([&] {
      order.push_back("died");
      worker.bury(std::make_unique<Ghost>([&] { order.push_back("and another"); }));
    }));
    order.push_back("returned");
  });
  worker.run_soon(job);
  worker.turn(0);
  EXPECT_EQ(order, (std::vector<std::string>{"returned", "died", "and another"}));
}

TEST(Mailbox, WorkFromManyThreadsRunsInItsOrderOnTheWorker) {
  SystemClock clock;
  metrics::Registry registry;
  Worker worker(0, "mail", clock, 1, registry.add_shard());
  constexpr int threads = 4, each = 2000;
  std::vector<std::vector<int>> got(threads);
  int in_wrong_place = 0;
  worker.start();
  std::vector<std::thread> senders;
  for (int t = 0; t < threads; ++t)
    senders.emplace_back([&, t] {
      for (int i = 0; i < each; ++i)
        worker.post([&, t, i] {
          got[static_cast<size_t>(t)].push_back(i);
          if (Worker::current() != &worker) ++in_wrong_place;
        });
    });
  for (auto& s : senders) s.join();
  std::promise<void> all;
  worker.post([&] { all.set_value(); });
  all.get_future().wait();
  worker.stop();
  worker.join();
  for (const auto& list : got) {
    EXPECT_EQ(list.size(), static_cast<size_t>(each));
    EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
  }
  EXPECT_EQ(in_wrong_place, 0);
}

TEST(Mailbox, WorkMayPostMoreWork) {
  FakeClock clock;
  metrics::Registry registry;
  Worker worker(0, "mail", clock, 1, registry.add_shard());
  int depth = 0;
  std::function<void()> again = [&] {
    if (++depth < 10) worker.post(again);
  };
  worker.post(again);
  for (int i = 0; i < 20; ++i) worker.turn(0);
  EXPECT_EQ(depth, 10);
}

TEST(ThreadPool, MayBeNicerThanOthers) {
  const int own = ::getpriority(PRIO_PROCESS, 0), nicer = std::min(own + 5, 19);
  std::atomic<int> found{-100};
  {
    ThreadPool pool(1, 10, nicer);
    ASSERT_TRUE(pool.submit([&] { found = ::getpriority(PRIO_PROCESS, 0); }));
  }
  EXPECT_EQ(found, nicer);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), own) << "this thread";
}

TEST(ThreadPool, RunsAllItTookAndRefusesWhenFull) {
  std::atomic<int> ran{0};
  int taken = 0;
  {
    std::promise<void> open, begun;
    std::shared_future<void> gate = open.get_future().share();
    ThreadPool pool(1, 10);
    ASSERT_TRUE(pool.submit([&, gate] {
      begun.set_value();
      gate.wait();
    }));
    begun.get_future().wait();  // the one thread is busy now
    while (taken < 100 && pool.submit([&] { ++ran; })) ++taken;
    EXPECT_EQ(taken, 10);
    open.set_value();
  }
  EXPECT_EQ(ran, taken);
}

}  // namespace
}  // namespace portolan::loop
