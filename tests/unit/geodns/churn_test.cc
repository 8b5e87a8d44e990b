// Zones, databases, health and drains that change all the time under load: everybody is answered, whole, from one state.
// Fit for TSan.
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "geodns/spill.hh"
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

// Of an epoch everything says which it is: addresses by the third byte, TTLs, places.
GeodnsConfig config(int epoch) {
  GeodnsConfig c;
  c.datacenters = {
      {"t", "us", true, 40.7, -74.0, 0.6}, {"t", "eu", true, 50.1, 8.7, 0.6}, {"t", "jp", true, 35.7, 139.7, 0.6}};
  ServiceConfig web{"t", "web", {}};
  const std::string prefix = "192.0." + std::to_string(epoch) + ".";
  web.sites["us"] = test::site({prefix + "1", prefix + "11"});
  web.sites["eu"] = test::site({prefix + "2", prefix + "12"});
  web.sites["jp"] = test::site({prefix + "3", prefix + "13"});
  c.services = {web};
  ZoneConfig z = test::zone("example.com");
  z.nameservers = {"ns.elsewhere.org"};
  for (const char* policy : {"nearest", "weighted", "sticky", "failover", "all"}) {
    RecordConfig r = test::service(policy, "web", policy);
    r.ttl_s = 100 + static_cast<uint32_t>(epoch);
    if (r.policy != "all") r.answers = 2;
    r.rules.resize(1);
    r.rules[0].networks = {*IpNetwork::parse(epoch % 2 ? "10.0.0.0/9" : "10.128.0.0/9")};
    r.rules[0].datacenters = {"jp", "eu"};
    z.records.push_back(r);
  }
  c.zones = {z};
  return c;
}

std::shared_ptr<const geo::Table> places(uint64_t seed) {
  geo::Table::Builder builder;
  Rng rng(seed);
  for (int i = 0; i < 64; i++) {
    geo::Location l;
    l.has_coordinates = true;
    l.latitude = rng.unit() * 120 - 60;
    l.longitude = rng.unit() * 360 - 180;
    const unsigned length = 8 + static_cast<unsigned>(rng.below(17));
    const IpAddress a = IpAddress::v4(10, static_cast<uint8_t>(rng.next()), static_cast<uint8_t>(rng.next()), 0);
    if (!builder.insert({a.masked(length), length}, l)) std::abort();
  }
  return builder.finish();
}

// A worker's: what control posted last is what it answers from next.
struct Mailbox {
  std::mutex mutex;
  std::shared_ptr<const View> view;
  DemandCounts counts;
  bool wants_counts = false;
};

struct Tally {
  size_t answers = 0, empty = 0, failed = 0, mixed = 0, lost = 0;
};

void serve(Mailbox& mailbox, const std::atomic<bool>& stop, uint64_t seed, Tally& tally) {
  Rng rng(seed);
  Answerer answerer(rng);
  Demand demand;
  std::shared_ptr<const View> view;
  const char* names[] = {"nearest", "weighted", "sticky", "failover", "all"};
  while (!stop) {
    {
      const std::lock_guard lock(mailbox.mutex);
      if (mailbox.view) view = std::move(mailbox.view);
      if (mailbox.wants_counts) mailbox.counts = demand.take();
      mailbox.wants_counts = false;
    }
    demand.set_view(*view);
    for (int i = 0; i < 64; i++) {
      test::Ask question;
      question.name = std::string(names[rng.below(5)]) + ".example.com";
      question.edns = true;
      question.options =
          test::subnet_option("10." + std::to_string(rng.below(256)) + "." + std::to_string(rng.below(256)) + ".0/24");
      test::Packet out(1232);
      AnswerInfo info;
      out.resize(answerer.answer(make(question), test::ip("127.0.0.1"), Transport::udp, *view, out, info));
      if (out.empty()) {
        tally.lost++;
        continue;
      }
      const test::Message m = test::decode(out);
      if (info.flow >= 0) demand.count(info.flow, info.order);
      tally.answers++;
      tally.failed += m.rcode != dns::noerror;
      tally.empty += m.answers().empty();
      for (const auto& record : m.answers()) {
        const std::string epoch = record.data.substr(6, record.data.find('.', 6) - 6);
        tally.mixed += std::to_string(record.ttl_s - 100) != epoch;
      }
    }
  }
}

TEST(Churn, EverybodyIsAnsweredFromOneState) {
  using Clock = std::chrono::steady_clock;
  std::vector<Mistake> mistakes;
  std::shared_ptr<const geo::Table> table = places(1);
  std::shared_ptr<View> base = build_view(config(0), 1, mistakes);
  ASSERT_TRUE(base) << mistakes.front().text;
  give_places(*base, table, nullptr);
  Mailbox mailboxes[2];
  Tally tallies[2];
  for (Mailbox& m : mailboxes) m.view = base;
  std::atomic<bool> stop{false};
  std::vector<std::thread> workers;
  for (size_t i = 0; i < 2; i++) workers.emplace_back([&, i] { serve(mailboxes[i], stop, i + 1, tallies[i]); });
  Spill spill;
  spill.set_view(*base);
  Rng rng(99);
  const auto began = Clock::now();
  int reloads = 0, flips = 0, databases = 0;
  // Reloads and flips with drains 100 times a second, databases 5 times.
  while (Clock::now() - began < std::chrono::seconds(3) || databases < 5) {  // a slow machine takes longer
    if (reloads % 20 == 0) {
      table = places(rng.next());
      databases++;
    }
    reloads++;
    auto next = build_view(config(reloads % 100), static_cast<uint32_t>(reloads), mistakes);
    give_places(*next, table, base.get());
    base = next;
    spill.set_view(*base);
    for (int flip = 0; flip < 2; flip++, flips++) {
      ServiceStates states;
      states.states.emplace_back();
      for (int d = 0; d < 3; d++) states.states[0].emplace_back(static_cast<State>(rng.below(4)));
      spill.apply(states);
      const auto view = with_states(*base, states);
      for (Mailbox& m : mailboxes) {
        const std::lock_guard lock(m.mutex);
        m.view = view;
        if (!m.counts.by_order.empty()) spill.add(m.counts);
        m.counts = {};
        m.wants_counts = true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
    }
    spill.tick({});
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  for (const Tally& t : tallies) {
    EXPECT_GT(t.answers, 1000u);
    EXPECT_EQ(t.lost, 0u);
    EXPECT_EQ(t.failed, 0u);
    EXPECT_EQ(t.empty, 0u);
    EXPECT_EQ(t.mixed, 0u);
  }
  EXPECT_GE(flips, 160);
}

}  // namespace
}  // namespace portolan::geodns
