// Whom a password check is made for, and whom it isn't; tests/scenario/admit_test.cc has the rest.
#include "proxy/admit/verifier.hh"

#include <gtest/gtest.h>

#include <deque>

namespace portolan::proxy {
namespace {

using Verdict = Verifier::Verdict;

struct VerifierTest : ::testing::Test, Executor {
  bool submit(std::function<void()> work) override {
    queue.push_back(std::move(work));
    return true;
  }
  void run_all() {
    for (; !queue.empty(); queue.pop_front()) queue.front()();
    for (int i = 0; i < 3; ++i) worker.turn(0);
  }
  struct Waiter final : loop::Runnable {
    void run() override { ++runs; }
    int runs = 0;
  };
  static std::shared_ptr<const Users> read() {
    std::vector<std::string> errors;
    return Users::parse("alice:$2y$05$mVD9jVG.cJLHQUAe7B58EO/ZADvoDbN5gPcvDn/r35MVLNqmsHaga", "users", errors);
  }
  Verdict check(const std::string& user, const std::string& password, Verifier::Wait& wait) {
    return verifier->check(users, Credentials(user, password), address, waiter, wait);
  }

  FakeClock clock;
  metrics::Registry registry;
  loop::Worker worker{0, "test", clock, 1, registry.add_shard()};
  std::deque<std::function<void()>> queue;
  Executor* executor = this;
  ClientCounts pending{64};
  std::unique_ptr<Verifier> verifier = std::make_unique<Verifier>(worker, executor, pending);
  std::shared_ptr<const Users> users = read();
  IpAddress address = IpAddress::v4(192, 0, 2, 1);
  Waiter waiter;
};

TEST_F(VerifierTest, TellsGoodFromBad) {
  Verifier::Wait good, bad;
  EXPECT_EQ(check("alice", "wonderland", good), Verdict::waiting);
  EXPECT_EQ(check("alice", "wonderlanD", bad), Verdict::waiting);
  EXPECT_EQ(check("alice", "wonderland", good), Verdict::waiting) << "asked too early";
  EXPECT_EQ(queue.size(), 2u);
  run_all();
  EXPECT_GE(waiter.runs, 1);
  EXPECT_EQ(check("alice", "wonderland", good), Verdict::good);
  EXPECT_EQ(check("alice", "wonderlanD", bad), Verdict::bad);
  Verifier::Wait later;
  EXPECT_EQ(check("alice", "wonderland", later), Verdict::good) << "remembered";
  EXPECT_EQ(check("alic", "ewonderland", later), Verdict::waiting) << "no name runs over into a password";
}

TEST_F(VerifierTest, WhatNobodyWaitsForIsNotChecked) {
  {
    Verifier::Wait left;
    EXPECT_EQ(check("alice", "wonderland", left), Verdict::waiting);
  }
  run_all();
  EXPECT_EQ(waiter.runs, 0);
  Verifier::Wait again;
  EXPECT_EQ(check("alice", "wonderland", again), Verdict::waiting) << "nothing was remembered";
  run_all();
  EXPECT_EQ(check("alice", "wonderland", again), Verdict::good);
}

TEST_F(VerifierTest, OneWhoComesAfterTheLastHasLeftIsServed) {
  auto left = std::make_unique<Verifier::Wait>();
  EXPECT_EQ(check("alice", "wonderland", *left), Verdict::waiting);
  left.reset();
  Verifier::Wait comes;
  EXPECT_EQ(check("alice", "wonderland", comes), Verdict::waiting);
  EXPECT_EQ(queue.size(), 1u);
  run_all();
  EXPECT_EQ(check("alice", "wonderland", comes), Verdict::good);
}

// Its turn came while nobody was there, and the word of that is still on its way.
TEST_F(VerifierTest, OneWhoComesTooLateForATurnAsksAnew) {
  auto left = std::make_unique<Verifier::Wait>();
  EXPECT_EQ(check("alice", "wonderland", *left), Verdict::waiting);
  left.reset();
  queue.front()();
  queue.pop_front();
  Verifier::Wait comes;
  EXPECT_EQ(check("alice", "wonderland", comes), Verdict::waiting);
  run_all();
  EXPECT_EQ(waiter.runs, 1);
  EXPECT_EQ(check("alice", "wonderland", comes), Verdict::waiting);
  EXPECT_EQ(queue.size(), 1u);
  run_all();
  EXPECT_EQ(check("alice", "wonderland", comes), Verdict::good);
}

TEST_F(VerifierTest, MayGoWhileChecksAreUnderWay) {
  auto wait = std::make_unique<Verifier::Wait>();
  EXPECT_EQ(check("alice", "wonderland", *wait), Verdict::waiting);
  wait.reset();
  verifier.reset();
  run_all();
  EXPECT_EQ(waiter.runs, 0);
  EXPECT_NE(pending.acquire({}, address, 1), ClientCounts::refused) << "counted out";
}

TEST_F(VerifierTest, WithoutAnExecutorNobodyWaits) {
  executor = nullptr;
  Verifier::Wait wait;
  EXPECT_EQ(check("alice", "wonderland", wait), Verdict::busy);
}

// So that who asks with the same wrong password again and again costs one check in a while.
TEST_F(VerifierTest, RemembersWrongOnesForAMoment) {
  for (int i = 0; i < 20; ++i) {
    Verifier::Wait wait;
    std::string user = "user" + std::to_string(i);
    EXPECT_EQ(check(user, "x", wait), Verdict::waiting);
    run_all();
    EXPECT_EQ(check(user, "x", wait), Verdict::bad);
  }
  Verifier::Wait later;
  EXPECT_EQ(check("user19", "x", later), Verdict::bad);
  EXPECT_TRUE(queue.empty());
  clock.advance_ms(Verifier::bad_for_ms + 1);
  worker.turn(0);
  EXPECT_EQ(check("user19", "x", later), Verdict::waiting) << "a wrong one is forgotten soon";
}

}  // namespace
}  // namespace portolan::proxy
