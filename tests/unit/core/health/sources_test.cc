// Names, SRV sets and lists as servers of a pool: what is used, and what answers that fail, flap or come in part leave.
#include <algorithm>
#include <cerrno>
#include <set>

#include "tests/unit/core/health/fixture.hh"

namespace portolan::health {
namespace {

std::vector<std::string> lines;

class SourcesTest : public MonitorTest {
 protected:
  SourcesTest() {
    lines.clear();
    log::set_sink([](std::string_view line) { lines.emplace_back(line); });
  }
  static loop::Resolution at_ips(std::initializer_list<int> last, int64_t ttl_ms = 1000) {
    loop::Resolution r;
    for (int n : last) r.addresses.push_back(ip(n));
    r.ttl_ms = ttl_ms;
    return r;
  }
  static IpAddress ip(int n) { return IpAddress::v4(10, 0, 0, static_cast<uint8_t>(n)); }
  // The last question about a name is answered.
  void answers(const std::string& host, Result<loop::Resolution> result) {
    ASSERT_FALSE(asked[host].empty()) << host << " was not asked";
    auto done = std::move(asked[host].back());
    asked[host].pop_back();
    done(std::move(result));
    settle();
  }
  void answers_service(const std::string& name, Result<loop::ServiceResolution> result) {
    ASSERT_FALSE(asked_services[name].empty()) << name << " was not asked";
    auto done = std::move(asked_services[name].back());
    asked_services[name].pop_back();
    done(std::move(result));
    settle();
  }
  const std::vector<Member>& members() const { return boards.back()->pools.at("app")->members; }
  std::vector<std::string> servers_in_use() const {
    std::vector<std::string> names;
    for (const Member& m : members()) names.push_back(m.name);
    return names;
  }
  SourceReport source(size_t i = 0) const { return monitor.sources("app").at(i); }
  static size_t told(const std::string& part) {
    return static_cast<size_t>(std::count_if(
        lines.begin(), lines.end(), [&part](const std::string& line) { return line.find(part) != std::string::npos; }));
  }
};

using Strings = std::vector<std::string>;
using FoundNames = SourcesTest;
using ServiceSets = SourcesTest;
using WatchedLists = SourcesTest;
using Churn = SourcesTest;

TEST_F(FoundNames, APoolStartsEmptyAndUnknownAndSaysSo) {
  monitor.apply({{pool("app", {server("app.internal:80")})}, {{"web", {}}}, {}});
  settle();
  EXPECT_TRUE(members().empty());
  EXPECT_EQ(report_of(*boards.back()->pools.at("app")).state, State::unknown);
  EXPECT_EQ(source().discovery.state, Discovery::State::waiting);
  EXPECT_EQ(monitor.waits_for(), "app.internal:80 of pool app");
  answers("app.internal", Error{"cannot resolve app.internal: Timeout", EAGAIN});
  EXPECT_EQ(told("event=\"servers not found\" from=app.internal reason=\"cannot resolve app.internal: Timeout\" "
                 "effect=\"none from it yet\""),
            1u);
  EXPECT_EQ(source().discovery.state, Discovery::State::failing);
  EXPECT_EQ(monitor.waits_for(), "");
  passes(ask_again_ms + 100);
  answers("app.internal", Error{"cannot resolve app.internal: Timeout", EAGAIN});
  EXPECT_EQ(told("servers not found"), 1u) << "once while it goes on";
  passes(ask_again_ms + 100);
  answers("app.internal", at_ips({1}));
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.1:80"});
  EXPECT_EQ(source().discovery.state, Discovery::State::found);
  EXPECT_EQ(source().servers, 1u);
  EXPECT_EQ(told("event=\"servers found again\" from=app.internal"), 1u);
}

TEST_F(FoundNames, BeingFoundAndBeingHealthyAreTwoThings) {
  servers.refuses("10.0.0.1:80");
  monitor.apply({{pool("app", {server("app.internal:80")})}, {}, {}});
  answers("app.internal", at_ips({1}));
  until([&] { return state("app", "10.0.0.1:80") == State::down; });
  EXPECT_EQ(source().discovery.state, Discovery::State::found);
  servers.good("10.0.0.1:80");
  until([&] { return state("app", "10.0.0.1:80") == State::up; });
  until([&] { return !asked["app.internal"].empty(); });
  answers("app.internal", Error{"cannot resolve app.internal: SERVFAIL", EAGAIN});
  EXPECT_EQ(source().discovery.state, Discovery::State::failing);
  EXPECT_EQ(state("app", "10.0.0.1:80"), State::up);
}

TEST_F(FoundNames, TtlsHaveBounds) {
  monitor.set_ttl_bounds({5'000, 10'000});
  monitor.apply({{pool("app", {server("app.internal:80")})}, {}, {}});
  answers("app.internal", at_ips({1}, 0));
  passes(4'900);
  EXPECT_TRUE(asked["app.internal"].empty());
  passes(200);
  answers("app.internal", at_ips({1}, 86'400'000));
  passes(9'900);
  EXPECT_TRUE(asked["app.internal"].empty());
  passes(200);
  EXPECT_FALSE(asked["app.internal"].empty());
}

TEST_F(FoundNames, AReloadKeepsWhatWasFoundWhileNobodyAnswers) {
  MonitorSpec spec{{pool("app", {server("app.internal:80"), server("srv:_http._tcp.app"), server("file:/l")})}, {}, {}};
  files.write("/l", "10.0.0.9:80\n");
  monitor.apply(spec);
  answers("app.internal", at_ips({1, 2}));
  answers_service("_http._tcp.app", loop::ServiceResolution{{{0, "s1.internal", 8000, 1}}, 60'000});
  answers("s1.internal.", at_ips({5}));
  passes(2'000);
  Strings before = servers_in_use();
  EXPECT_EQ(before, (Strings{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.5:8000", "10.0.0.9:80"}));
  files.remove("/l");
  for (int i = 0; i < 3; ++i) {
    spec.pools[0].servers[0].weight = 2 + i;
    spec.pools[0].check.interval_ms += 1;
    monitor.apply(spec);
    EXPECT_EQ(servers_in_use(), before);
    passes(3'000);
    EXPECT_EQ(servers_in_use(), before);
  }
  // A pool under another name, too: the name was watched all along.
  spec.pools[0].name = "renamed";
  monitor.apply(spec);
  EXPECT_EQ(boards.back()->pools.at("renamed")->members.size(), 4u);
}

TEST_F(FoundNames, AnAddressGivenTwiceIsOneServer) {
  files.write("/l", "10.0.0.1:80 weight=7\n10.0.0.4:80\n");
  monitor.apply(
      {{pool("app", {server("a.internal:80", 3), server("b.internal:80"), server("10.0.0.2:80"), server("file:/l")})},
       {},
       {}});
  answers("a.internal", at_ips({1, 2}));
  answers("b.internal", at_ips({2, 3}));
  EXPECT_EQ(servers_in_use(), (Strings{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"}));
  EXPECT_EQ(members()[0].weight, 3) << "the first that gives it says what it is";
}

TEST_F(FoundNames, AFamilyThatWasNotAnsweredForStays) {
  IpAddress v6 = *IpAddress::parse("2001:db8::1");
  monitor.apply({{pool("app", {server("app.internal:80")})}, {}, {}});
  loop::Resolution both = at_ips({1});
  both.addresses.push_back(v6);
  answers("app.internal", both);
  passes(1'100);
  answers("app.internal", at_ips({2}));  // nothing about IPv6: it is asked for alone
  EXPECT_EQ(asked_family["app.internal"], IpAddress::Family::v6);
  EXPECT_EQ(servers_in_use(), (Strings{"10.0.0.2:80", "[2001:db8::1]:80"})) << "the other does not wait for it";
  answers("app.internal", Error{"Timeout", EAGAIN});
  EXPECT_EQ(servers_in_use(), (Strings{"10.0.0.2:80", "[2001:db8::1]:80"}));
  passes(2'100);
  answers("app.internal", at_ips({2}));
  answers("app.internal", Error{"no data", ENOENT});
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.2:80"});
}

TEST_F(FoundNames, AreForeseenBeforeTheyAreApplied) {
  monitor.apply({{pool("app", {server("10.0.0.9:80")})}, {}, {}});
  MonitorSpec next{{pool("app", {server("app.internal:80"), server("srv:s"), server("10.0.0.8:80")})}, {}, {}};
  int done = 0;
  monitor.foresee(next, 2'000, [&] {
    ++done;
    monitor.apply(next);
  });
  answers("app.internal", at_ips({1}));
  answers_service("s", loop::ServiceResolution{{{0, "a", 80, 1}}, 1'000});
  passes(100);
  EXPECT_EQ(done, 0);
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.9:80"});
  size_t published = boards.size();
  answers("a.", at_ips({2}));
  passes(16);
  EXPECT_EQ(done, 1);
  ASSERT_GT(boards.size(), published);
  for (; published < boards.size(); ++published)
    EXPECT_EQ(boards[published]->pools.at("app")->members.size(), 3u) << "all of it at once";
  monitor.foresee(next, 2'000, [&] { ++done; });
  EXPECT_EQ(done, 2) << "nothing new: at once";
  next.pools[0].servers.push_back(server("silent.internal:80"));
  monitor.foresee(next, 2'000, [&] { ++done; });
  passes(1'900);
  EXPECT_EQ(done, 2);
  passes(200);
  EXPECT_EQ(done, 3);
}

TEST_F(FoundNames, CountsOfServersThatLeftAreForgotten) {
  monitor.apply({{pool("app", {server("app.internal:80")})}, {}, {}});
  answers("app.internal", at_ips({1}));
  std::weak_ptr<ServerState> first = members()[0].state;
  for (int n = 2; n < 5; ++n) {
    until([&] { return !asked["app.internal"].empty(); });
    answers("app.internal", at_ips({n}));
    boards.erase(boards.begin(), boards.end() - 1);
  }
  EXPECT_TRUE(first.expired());
}

TEST_F(ServiceSets, AreTheirTargetsWithPortsAndWeightsAndTheRestAreBackups) {
  monitor.apply({{pool("app", {server("srv:_http._tcp.app.internal")})}, {}, {}});
  answers_service("_http._tcp.app.internal",
                  loop::ServiceResolution{
                      {{10, "a.internal", 8001, 60}, {10, "b.internal", 8002, 0}, {20, "c.internal", 8003, 5}}, 5'000});
  answers("a.internal.", at_ips({1, 2}));
  answers("b.internal.", at_ips({3}));
  EXPECT_TRUE(members().empty()) << "not before all were asked";
  EXPECT_EQ(source().discovery.state, Discovery::State::waiting);
  answers("c.internal.", at_ips({4}));
  ASSERT_EQ(servers_in_use(), (Strings{"10.0.0.1:8001", "10.0.0.2:8001", "10.0.0.3:8002", "10.0.0.4:8003"}));
  EXPECT_EQ(members()[0].weight, 60);
  EXPECT_EQ(members()[2].weight, 1);
  EXPECT_FALSE(members()[2].backup);
  EXPECT_TRUE(members()[3].backup);
  EXPECT_EQ(members()[0].host, "a.internal") << "what TLS asks for";
  EXPECT_EQ(members()[0].configured, "srv:_http._tcp.app.internal");
  EXPECT_EQ(source().servers, 4u);
  passes(5'100);
  EXPECT_EQ(asked_services["_http._tcp.app.internal"].size(), 1u);
}

TEST_F(ServiceSets, HeavyWeightsKeepTheirProportions) {
  monitor.apply({{pool("app", {server("srv:s")})}, {}, {}});
  answers_service("s", loop::ServiceResolution{{{0, "a", 1, 0}, {0, "b", 1, 32'768}, {0, "c", 1, 65'535}}, 5'000});
  for (const char* name : {"a.", "b.", "c."}) answers(name, at_ips({name[0]}));
  ASSERT_EQ(members().size(), 3u);
  EXPECT_EQ(members()[0].weight, 1);
  EXPECT_EQ(members()[1].weight, 500);
  EXPECT_EQ(members()[2].weight, 1000);
}

TEST_F(ServiceSets, ANewSetLeavesNoGap) {
  monitor.apply({{pool("app", {server("srv:s")})}, {}, {}});
  answers_service("s", loop::ServiceResolution{{{0, "blue", 80, 1}}, 1'000});
  answers("blue.", at_ips({1}, 60'000));
  passes(1'100);
  answers_service("s", loop::ServiceResolution{{{0, "green", 80, 1}, {0, "teal", 80, 1}}, 1'000});
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.1:80"}) << "green is not known yet";
  answers("green.", Error{"Timeout", EAGAIN});
  answers("teal.", Error{"Timeout", EAGAIN});
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.1:80"}) << "nobody of the new set is known";
  EXPECT_EQ(source().discovery.state, Discovery::State::failing);
  until([&] { return !asked["green."].empty(); });
  answers("green.", at_ips({2}, 60'000));
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.2:80"});
  until([&] { return !asked["teal."].empty(); });
  answers("teal.", at_ips({3}, 60'000));
  EXPECT_EQ(servers_in_use(), (Strings{"10.0.0.2:80", "10.0.0.3:80"}));
  EXPECT_EQ(source().discovery.state, Discovery::State::found);
}

TEST_F(ServiceSets, AFailureKeepsTheLastGoodSet) {
  monitor.apply({{pool("app", {server("srv:s")})}, {}, {}});
  answers_service("s", Error{"cannot resolve srv:s: DNS server returned general failure"});
  EXPECT_EQ(monitor.waits_for(), "");
  passes(ask_again_ms + 100);
  answers_service("s", loop::ServiceResolution{{{0, "a", 80, 1}}, 1'000});
  answers("a.", at_ips({1}, 60'000));
  passes(1'100);
  answers_service("s", Error{"cannot resolve srv:s: Domain name not found"});
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.1:80"});
  EXPECT_EQ(told("from=srv:s reason=\"cannot resolve srv:s: Domain name not found\" "
                 "effect=\"the last ones stay in use\""),
            1u);
  passes(ask_again_ms + 100);
  answers_service("s", loop::ServiceResolution{});
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.1:80"});
}

TEST_F(WatchedLists, AreReadAgainWithinASecondOrSoOfAChange) {
  files.write("/l", "10.0.0.1:80 weight=4 max_connections=9\n10.0.0.2:80 backup\n");
  monitor.apply({{pool("app", {server("file:/l")})}, {}, {}});
  settle();
  ASSERT_EQ(servers_in_use(), (Strings{"10.0.0.1:80", "10.0.0.2:80"}));
  EXPECT_EQ(members()[0].weight, 4);
  EXPECT_EQ(members()[0].max_connections, 9);
  EXPECT_TRUE(members()[1].backup);
  files.write("/l", "10.0.0.2:80\n10.0.0.3:80\n");
  EXPECT_LE(until([&] { return servers_in_use() == Strings{"10.0.0.2:80", "10.0.0.3:80"}; }), 1'100);
  EXPECT_FALSE(members()[0].backup);
}

TEST_F(WatchedLists, WithAMistakeKeepTheLastGoodSetAndSayWhere) {
  files.write("/l", "10.0.0.1:80\n");
  monitor.apply({{pool("app", {server("file:/l")})}, {}, {}});
  settle();
  for (const char* text : {"10.0.0.2:80\nnonsense\n", "", "# nobody\n", "10.0.0.2:80 weight=none\n"}) {
    files.write("/l", text);
    passes(2'100);
    EXPECT_EQ(servers_in_use(), Strings{"10.0.0.1:80"}) << text;
    EXPECT_EQ(source().discovery.state, Discovery::State::failing) << text;
  }
  EXPECT_EQ(told("from=file:/l reason=\"/l:2: \\\"nonsense\\\" is not a server"), 1u) << lines[0];
  EXPECT_EQ(told("reason=\"/l:1: no server in the file\""), 1u) << "the same twice is no news";
  files.remove("/l");
  passes(2'100);
  EXPECT_EQ(source().discovery.reason, "cannot open /l: No such file or directory");
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.1:80"});
  files.write("/l", "10.0.0.5:80\n");
  passes(2'100);
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.5:80"});
  EXPECT_EQ(source().discovery.state, Discovery::State::found);
}

TEST_F(WatchedLists, MayHaveNamesAndMoveOnWhenTheyAreKnown) {
  files.write("/l", "10.0.0.1:80\n");
  monitor.apply({{pool("app", {server("file:/l")})}, {}, {}});
  settle();
  files.write("/l", "b.internal:80\n");
  passes(1'100);
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.1:80"});
  answers("b.internal", at_ips({2}));
  EXPECT_EQ(servers_in_use(), Strings{"10.0.0.2:80"});
}

// Whatever the answers, the servers in use are those of each source's last good answer, and those that stay know nothing
// of it: their health, its age, their counts and the timing of their checks go on.
TEST_F(Churn, LeavesTheLastGoodAnswerInUseAndTheHealthOfWhatStaysUntouched) {
  Rng random{20'261'127};
  for (int n = 1; n <= 12; n += 3) {
    std::string name = ip(n).to_string() + ":80";
    servers.refuses(name);
  }
  monitor.apply({{pool("app", {server("app.internal:80"), server("srv:s"), server("file:/l")})}, {}, {}});
  std::set<int> last[3];  // what the sources gave last: the name, the set, the list
  auto expected = [&] {
    std::set<std::string> all;
    for (int i = 0; i < 3; ++i)
      for (int n : last[i]) all.insert(ip(n).to_string() + ":80");
    return all;
  };
  auto some = [&] {
    std::set<int> set;
    for (uint64_t left = 1 + random.below(5); left > 0; --left) set.insert(1 + static_cast<int>(random.below(12)));
    return set;
  };
  std::map<std::string, Member> before;
  std::map<std::string, size_t> checks;
  auto remember = [&] {
    before.clear();
    checks.clear();
    for (const Member& m : members()) before.emplace(m.name, m);
    for (const Member& m : members()) checks[m.name] = servers.checks_of(m.name);
  };
  auto look = [&](const std::string& event) {
    std::set<std::string> now;
    for (const Member& m : members()) {
      now.insert(m.name);
      auto was = before.find(m.name);
      if (was == before.end()) continue;
      EXPECT_EQ(m.health, was->second.health) << m.name << " after " << event;
      EXPECT_EQ(m.state, was->second.state) << m.name << " after " << event;
      EXPECT_EQ(servers.checks_of(m.name), checks[m.name]) << m.name << " was checked out of turn by " << event;
    }
    EXPECT_EQ(now, expected()) << "after " << event;
  };
  for (int step = 0; step < 1'500 && !HasFailure(); ++step) {
    passes(static_cast<int64_t>(random.below(1'500)));
    remember();
    switch (random.below(8)) {
      case 0: {
        if (asked["app.internal"].empty()) break;
        loop::Resolution r;
        last[0] = some();
        for (int n : last[0]) r.addresses.push_back(ip(n));
        r.ttl_ms = static_cast<int64_t>(random.below(4'000));
        answers("app.internal", r);
        look("a new answer");
        break;
      }
      case 1:
      case 2:
        if (asked["app.internal"].empty()) break;
        answers("app.internal", random.below(2) ? Result<loop::Resolution>(Error{"SERVFAIL", EAGAIN})
                                                : Result<loop::Resolution>(Error{"NXDOMAIN", ENOENT}));
        look("a failure");
        break;
      case 3:
        if (asked["app.internal"].empty()) break;
        answers("app.internal", loop::Resolution{});
        look("an empty answer");
        break;
      case 4: {
        if (asked_services["s"].empty()) break;
        loop::ServiceResolution r;
        std::set<int> next = some();
        for (int n : next) r.records.push_back({0, "s" + std::to_string(n), 80, 1});
        std::sort(r.records.begin(), r.records.end());
        r.ttl_ms = 1'000;
        answers_service("s", r);
        for (auto& [name, questions] : asked)
          if (name[0] == 's' && !questions.empty()) answers(name, at_ips({std::stoi(name.substr(1))}, 3'600'000));
        last[1] = next;
        look("a new set");
        break;
      }
      case 5:
        if (asked_services["s"].empty()) break;
        answers_service("s", random.below(2) ? Result<loop::ServiceResolution>(Error{"SERVFAIL"})
                                             : Result<loop::ServiceResolution>(loop::ServiceResolution{}));
        look("a set that failed");
        break;
      case 6: {
        std::string text;
        std::set<int> next = some();
        for (int n : next) text += ip(n).to_string() + ":80\n";
        bool good = random.below(2);
        files.write("/l", good ? text : text + "10.0.0.99\n");
        if (good) last[2] = next;
        passes(1'100);
        EXPECT_EQ(std::set<std::string>(expected()), [&] {
          auto names = servers_in_use();
          return std::set<std::string>(names.begin(), names.end());
        }()) << "after a list";
        break;
      }
      default:
        passes(4'000);  // nobody answers
        break;
    }
  }
}

}  // namespace
}  // namespace portolan::health
