#pragma once
// A monitor on a fake clock, with servers that answer checks as the test says.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/log.hh"
#include "core/health/monitor.hh"

namespace portolan::health {

inline SocketAddress at(const std::string& text) {
  auto address = SocketAddress::parse(text);
  EXPECT_TRUE(address) << text;
  return *address;
}

// Answers checks at once (in the same turn of the loop), after a delay, or never.
class FakeServers {
 public:
  struct Behaviour {
    bool answers = true;
    Verdict verdict{true, "HTTP 200"};
  };
  struct Started {
    std::string server;
    int64_t at_ms;
  };

  StartProbe start() {
    return [this](loop::Worker& worker, const SocketAddress& server, const CheckConfig&,
                  Probe::Done done) -> std::unique_ptr<ProbeRun> {
      std::string name = server.to_string();
      started.push_back({name, worker.now_ms()});
      ++under_way;
      return std::make_unique<Run>(*this, worker, behaviour[name], std::move(done));
    };
  }
  void good(const std::string& server) { behaviour[server] = {}; }
  void refuses(const std::string& server) { behaviour[server] = {true, {false, "connection refused"}}; }
  void says(const std::string& server, Verdict v) { behaviour[server] = {true, std::move(v)}; }
  void freezes(const std::string& server) { behaviour[server] = {false, {}}; }
  size_t checks_of(const std::string& server) const {
    size_t n = 0;
    for (const Started& s : started) n += s.server == server;
    return n;
  }

  std::map<std::string, Behaviour> behaviour;
  std::vector<Started> started;
  int under_way = 0;

 private:
  struct Run final : ProbeRun, loop::Runnable {
    Run(FakeServers& s, loop::Worker& worker, const Behaviour& b, Probe::Done d)
        : servers(s), verdict(b.verdict), done(std::move(d)) {
      if (b.answers) worker.run_soon(*this);
    }
    ~Run() override { --servers.under_way; }
    void run() override {
      auto call = std::move(done);
      auto v = std::move(verdict);
      call(std::move(v));
    }
    FakeServers& servers;
    Verdict verdict;
    Probe::Done done;
  };
};

// Lists of servers by path.
class FakeFiles {
 public:
  void write(const std::string& path, const std::string& text) { contents_[path] = {text, ++versions_}; }
  void remove(const std::string& path) { contents_.erase(path); }
  ListReading read(const std::string& path, const FileStamp& last) const {
    ListReading r;
    r.stamp = last;
    auto file = contents_.find(path);
    if (file == contents_.end()) {
      r.changed = true;
      r.stamp = {};
      r.places = Error{"cannot open " + path + ": No such file or directory"};
      return r;
    }
    FileStamp now;
    now.status.st_size = file->second.version;
    r.changed = !last.is_of(now.status);
    r.stamp = now;
    if (r.changed) r.places = parse_server_list(file->second.text, path);
    return r;
  }

 private:
  struct Contents {
    std::string text;
    int64_t version;
  };
  std::map<std::string, Contents> contents_;
  int64_t versions_ = 0;
};

class MonitorTest : public ::testing::Test {
 protected:
  static constexpr const char* a = "127.0.0.1:8081";
  static constexpr const char* b = "127.0.0.1:8082";

  MonitorTest() {
    log::set_sink([](std::string_view) {});
  }
  ~MonitorTest() override { log::set_sink(nullptr); }

  static CheckConfig http_check() {
    CheckConfig c;
    c.protocol = "http";
    c.http_path = "/healthz";
    c.interval_ms = 1000;
    c.timeout_ms = 500;
    c.rise = 2;
    c.fall = 3;
    return c;
  }
  static ServerSpec server(const std::string& text, int weight = 1, bool backup = false) {
    auto address = ServerAddress::parse(text);
    EXPECT_TRUE(address) << text;
    return {*address, weight, 0, backup};
  }
  static PoolSpec pool(const std::string& name, std::vector<ServerSpec> servers, CheckConfig check = http_check()) {
    return {name, std::move(servers), std::move(check)};
  }
  // Moves time in steps of one tick, so that timers fire when they are due.
  void passes(int64_t ms) {
    for (int64_t gone = 0; gone < ms; gone += 8) {
      clock.advance_ms(8);
      worker.turn(0);
    }
    settle();
  }
  void settle() {
    for (int i = 0; i < 4; ++i) worker.turn(0);
  }
  // Milliseconds until `done`, at most `limit`.
  int64_t until(const std::function<bool()>& done, int64_t limit = 60'000) {
    int64_t begin = clock.now_ms();
    while (!done() && clock.now_ms() - begin < limit) passes(8);
    return clock.now_ms() - begin;
  }
  const Health& health(const std::string& pool_name, const std::string& address) {
    static const Health none{State::unknown, "no such server", 0};
    auto it = boards.back()->pools.find(pool_name);
    if (it == boards.back()->pools.end()) return none;
    const Member* m = it->second->find(at(address));
    return m ? m->health : none;
  }
  State state(const std::string& pool_name, const std::string& address) { return health(pool_name, address).state; }
  const Health& site(const std::string& service, const std::string& datacenter) {
    static const Health none{State::unknown, "no such site", 0};
    auto it = boards.back()->services.find(service);
    if (it == boards.back()->services.end()) return none;
    for (const Site& s : it->second)
      if (s.datacenter == datacenter) return s.health;
    return none;
  }
  // What a worker does when a request fails.
  void request_fails(const std::string& pool_name, const std::string& address, int times = 1) {
    for (; times > 0; --times) {
      const Member* m = boards.back()->pools.at(pool_name)->find(at(address));
      m->state->requests.fetch_add(1);
      m->state->failures.fetch_add(1);
      m->state->failures_in_a_row.fetch_add(1);
      monitor.report_failure(pool_name, at(address), "connection reset by peer");
      settle();
    }
  }
  // … and when it is answered.
  void request_succeeds(const std::string& pool_name, const std::string& address, int times = 1) {
    const Member* m = boards.back()->pools.at(pool_name)->find(at(address));
    m->state->requests.fetch_add(static_cast<uint64_t>(times));
    m->state->failures_in_a_row.store(0);
  }

  // Notes a question; dropping what it returns cancels.
  template <class Done>
  static std::shared_ptr<void> until_dropped(std::vector<Done>& questions, Done done) {
    auto ticket = std::make_shared<int>();
    questions.push_back([asked = std::weak_ptr<int>(ticket), done = std::move(done)](auto result) {
      if (!asked.expired()) done(std::move(result));
    });
    return ticket;
  }

  FakeClock clock;
  metrics::Shard shard;
  loop::Worker worker{0, "control", clock, 7, shard};
  FakeServers servers;
  std::map<std::string, std::vector<loop::Resolver::Callback>> asked;                  // names waiting for their answer
  std::map<std::string, IpAddress::Family> asked_family;                               // with the last question
  std::map<std::string, std::vector<loop::Resolver::ServiceCallback>> asked_services;  // as `asked`
  FakeFiles files;
  std::vector<std::shared_ptr<const Board>> boards;
  Monitor monitor{worker,
                  {[this](const std::string& host, IpAddress::Family family, loop::Resolver::Callback done) {
                     asked_family[host] = family;
                     return until_dropped(asked[host], std::move(done));
                   },
                   [this](const std::string& name, loop::Resolver::ServiceCallback done) {
                     return until_dropped(asked_services[name], std::move(done));
                   },
                   [this](const std::string& path, const FileStamp& last, std::function<void(ListReading)> done) {
                     worker.post([reading = files.read(path, last), done] { done(reading); });
                     return std::shared_ptr<void>();
                   }},
                  [this](std::shared_ptr<const Board> board) { boards.push_back(std::move(board)); },
                  servers.start()};
};

}  // namespace portolan::health
