// What workers count and share: who waits for a server with room, how long servers keep idle connections, how long
// answers took.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/clock.hh"
#include "core/health/server_state.hh"

namespace portolan::health {
namespace {

struct Bell final : Waker {
  explicit Bell(std::vector<int>& r, int n) : rung(r), number(n) {}
  void wake() override { rung.push_back(number); }
  std::vector<int>& rung;
  int number;
};

class Queue : public ::testing::Test {
 protected:
  WaitQueue::Ticket enter(size_t most = 10) { return queue.enter(std::make_shared<Bell>(rung, ++last), most); }
  WaitQueue queue;
  std::vector<int> rung;
  int last = 0;
};

using Rung = std::vector<int>;

TEST_F(Queue, FirstComeFirstServed) {
  auto one = enter(), two = enter(), three = enter();
  EXPECT_TRUE(queue.may_look(one));
  EXPECT_FALSE(queue.may_look(two));
  EXPECT_TRUE(queue.must_wait());
  queue.room();
  queue.room();
  EXPECT_EQ(rung, (Rung{1, 2}));
  EXPECT_TRUE(queue.may_look(three)) << "the others are on their way";
  queue.leave(one, true);
  EXPECT_EQ(rung, (Rung{1, 2, 3})) << "more may have been freed than were woken for";
  queue.leave(two, true);
  queue.leave(three, true);
  EXPECT_TRUE(queue.empty());
  queue.room();
}

TEST_F(Queue, HasItsSize) {
  auto one = enter(2);
  enter(2);
  EXPECT_EQ(enter(2), WaitQueue::none);
  queue.leave(one, false);
  EXPECT_NE(enter(2), WaitQueue::none);
}

TEST_F(Queue, WhoLeavesWithoutItsPlacePassesItOn) {
  auto one = enter(), two = enter();
  queue.room();
  queue.leave(one, false);
  EXPECT_EQ(rung, (Rung{1, 2}));
  queue.leave(two, true);
}

TEST_F(Queue, WhoFindsNoRoomKeepsItsTurn) {
  auto one = enter();
  enter();
  queue.room();
  queue.again(one, false);
  EXPECT_EQ(rung, (Rung{1}));
  queue.room();
  EXPECT_EQ(rung, (Rung{1, 1}));
  queue.again(one, true);  // nothing it may use: another may
  EXPECT_EQ(rung, (Rung{1, 1, 2}));
  queue.room();
  EXPECT_EQ(rung, (Rung{1, 1, 2, 1}));
}

TEST_F(Queue, WhoIsChoosyHoldsNobodyUp) {
  auto choosy = queue.enter(std::make_shared<Bell>(rung, ++last), 10, true);
  EXPECT_FALSE(queue.must_wait());
  auto other = enter();
  EXPECT_TRUE(queue.may_look(other));
  EXPECT_TRUE(queue.must_wait());
  queue.room();
  EXPECT_EQ(rung, (Rung{1})) << "and yet it came first";
  queue.leave(other, true);
  queue.leave(choosy, true);
  EXPECT_FALSE(queue.must_wait());
  EXPECT_TRUE(queue.empty());
}

TEST_F(Queue, AllAreWokenWhenThePoolChanges) {
  enter();
  auto two = enter();
  queue.room();
  queue.wake_all();
  EXPECT_EQ(rung, (Rung{1, 2}));
  queue.again(two, false);
  EXPECT_TRUE(queue.may_look(two));
}

// A server with room for two, many threads that take and give places, and wait for them in the queue: nobody waits for
// ever, whoever else comes and goes.
TEST(Queues, NobodyIsForgotten) {
  struct Door final : Waker {
    void wake() override {
      std::lock_guard lock(mutex);
      open = true;
      opened.notify_one();
    }
    void wait() {
      std::unique_lock lock(mutex);
      if (!opened.wait_for(lock, std::chrono::seconds(20), [this] { return open; })) forgotten = true;
      open = false;
    }
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
    bool forgotten = false;
  };
  PoolState pool;
  ServerState server;
  std::atomic<int> at_once{0}, most{0}, served{0};
  std::atomic<bool> forgotten{false};
  auto work = [&] {
    for (int i = 0; i < 3'000 && !forgotten; ++i) {
      bool taken = !pool.queue.must_wait() && try_count_in(pool, server, 2);
      if (!taken) {
        auto door = std::make_shared<Door>();
        auto ticket = pool.queue.enter(door, 100);
        taken = pool.queue.may_look(ticket) && try_count_in(pool, server, 2);
        while (!taken && !door->forgotten) {
          door->wait();
          taken = try_count_in(pool, server, 2);
          if (!taken) {
            pool.queue.again(ticket, false);
            taken = try_count_in(pool, server, 2);
          }
        }
        if (door->forgotten) forgotten = true;
        pool.queue.leave(ticket, taken);
      }
      if (!taken) return;
      int now = ++at_once;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      ++served;
      --at_once;
      count_out(pool, server);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) threads.emplace_back(work);
  for (auto& t : threads) t.join();
  EXPECT_FALSE(forgotten);
  EXPECT_EQ(served, 18'000);
  EXPECT_LE(most, 2);
  EXPECT_TRUE(pool.queue.empty());
  EXPECT_EQ(server.in_flight, 0);
}

TEST(IdleLimits, AreWhatTheServerSays) {
  IdleLimit limit;
  EXPECT_EQ(limit.retire_after_ms(0, 60'000), 60'000);
  limit.said(5'000, 0);
  EXPECT_EQ(limit.retire_after_ms(0, 60'000), 4'000) << "at four fifths";
  EXPECT_EQ(limit.retire_after_ms(0, 2'000), 2'000) << "our own, where it is shorter";
  EXPECT_EQ(limit.retire_after_ms(IdleLimit::forget_ms, 60'000), 60'000) << "forgotten in time";
}

TEST(IdleLimits, AreLearntWhereTwoClosesAgree) {
  IdleLimit limit;
  limit.closed(3'000, 0);
  EXPECT_EQ(limit.retire_after_ms(0, 60'000), 60'000) << "one may be a restart's";
  limit.closed(9'000, 0);
  EXPECT_EQ(limit.retire_after_ms(0, 60'000), 60'000);
  limit.closed(9'100, 0);
  EXPECT_EQ(limit.retire_after_ms(0, 60'000), 7'200);
}

TEST(IdleLimits, WhatCantBeSentAgainTakesOnlyWhatSurelyLives) {
  IdleLimit limit;
  EXPECT_TRUE(limit.safe(1'000, 0));
  EXPECT_FALSE(limit.safe(1'001, 0)) << "nothing is known of it";
  limit.survived(20'000);
  EXPECT_TRUE(limit.safe(20'000, 0));
  limit.said(10'000, 0);
  EXPECT_TRUE(limit.safe(5'000, 0));
  EXPECT_FALSE(limit.safe(5'001, 0)) << "half of what the server said";
  limit.closed(4'000, 0);
  EXPECT_TRUE(limit.safe(2'000, 0));
  EXPECT_FALSE(limit.safe(2'001, 0)) << "one died younger";
}

TEST(LatenciesSeen, GivePercentiles) {
  Latencies seen;
  for (int i = 1; i < 50; ++i) seen.observe_us(1000);
  EXPECT_EQ(seen.percentile_us(0.95, 0), -1) << "too few";
  Rng rng(7);
  for (int i = 0; i < 10'000; ++i) seen.observe_us(static_cast<int64_t>(rng.below(100'000)));
  for (double share : {0.5, 0.9, 0.95, 0.99}) {
    auto us = static_cast<double>(seen.percentile_us(share, 10'000));
    EXPECT_GE(us, share * 99'000) << share;
    EXPECT_LE(us, share * 100'000 * 1.25) << share;
  }
}

TEST(LatenciesSeen, FadeSoThatNewOnesCount) {
  Latencies seen;
  for (int i = 0; i < 15'000; ++i) seen.observe_us(1'000);
  for (int i = 0; i < 30'000; ++i) seen.observe_us(50'000);
  EXPECT_GE(seen.percentile_us(0.5, 0), 50'000);
  seen.observe_us(int64_t{1} << 40);  // whatever is seen has its place
  seen.observe_us(-5);
}

}  // namespace
}  // namespace portolan::health
