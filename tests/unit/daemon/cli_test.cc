// The command line against a daemon's admin socket, and what people read.
#include "daemon/cli.hh"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "daemon/table.hh"
#include "tests/unit/daemon/cli_fixture.hh"

namespace portolan::daemon {
namespace {

TEST_F(Cli, RunsTheDaemonOnItsFile) {
  EXPECT_EQ(portolan({"run", "--config", "/x/y.toml"}), 7);
  EXPECT_EQ(ran_, "/x/y.toml");
  EXPECT_EQ(portolan({"run", "/x/z.toml"}), 7) << "as check takes it";
  EXPECT_EQ(ran_, "/x/z.toml");
  ran_.clear();
  EXPECT_EQ(portolan({"run"}), 7);
  EXPECT_EQ(ran_, "/etc/portolan/portolan.toml");
}

TEST_F(Cli, MistakesInTheCommandLineExitWith2) {
  EXPECT_EQ(portolan({}), 2);
  EXPECT_EQ(portolan({"frobnicate"}), 2);
  EXPECT_EQ(portolan({"drain", "server", "app"}), 2);
  EXPECT_EQ(portolan({"purge"}), 2);
  EXPECT_FALSE(err().empty());
  EXPECT_EQ(portolan({"--help"}), 0);
  EXPECT_NE(out().find("reload"), std::string::npos);
  EXPECT_EQ(portolan({"--version"}), 0);
  EXPECT_EQ(out(), "portolan 0.1.0\n");
}

TEST_F(Cli, CheckSaysValidOrEveryMistake) {
  std::string path = ::testing::TempDir() + "check-" + std::to_string(getpid()) + ".toml";
  std::ofstream(path) << "[listener.http]\nlisten = [\"127.0.0.1:8080\"]\n"
                         "[[route]]\nrespond = { status = 200, body = \"x\" }\n";
  EXPECT_EQ(portolan({"check", path.c_str()}), 0) << err();
  EXPECT_EQ(out(), path + ": valid\n");
  EXPECT_EQ(portolan({"check", "--config", path.c_str()}), 0);
  std::ofstream(path) << "[listener.http]\nlisen = [\"127.0.0.1:8080\"]\n";
  EXPECT_EQ(portolan({"check", path.c_str()}), 2);
  EXPECT_EQ(out(), "");
  EXPECT_NE(err().find(path + ":2:1: "), std::string::npos) << err();
  ::unlink(path.c_str());
}

// What `run` and `reload` refuse: databases that can't be used, and what the machine lacks.
TEST_F(Cli, CheckLooksAtWhatARunNeeds) {
  std::string path = ::testing::TempDir() + "check-" + std::to_string(getpid()) + ".toml";
  std::string database = ::testing::TempDir() + "check-" + std::to_string(getpid()) + ".mmdb";
  const std::string listener = "[listener.http]\nlisten = [\"127.0.0.1:8080\"]\n";
  std::ofstream(database) << "rubbish";
  std::ofstream(path) << listener << "[geo]\ndatabases = [\"" << database << "\"]\n[log]\n"
                      << "access.path = \"/nonexistent/access.log\"\nqueries.path = \"/tmp\"\n";
  EXPECT_EQ(portolan({"check", path.c_str()}), 2);
  EXPECT_EQ(out(), "");
  EXPECT_NE(err().find(path + ":4:14: databases in [geo]: " + database + ": "), std::string::npos) << err();
  EXPECT_NE(err().find(path + ":6:15: path in [log.access]: \"/nonexistent/access.log\": there is no directory "
                              "\"/nonexistent\"; make it\n"),
            std::string::npos)
      << err();
  EXPECT_NE(err().find(path + ":7:16: path in [log.queries]: \"/tmp\" is a directory\n"), std::string::npos) << err();
  EXPECT_NE(::access("/nonexistent", F_OK), 0);
  std::ofstream(path) << listener << "[server]\nuser = \"no-such-user\"\n";
  const bool root = geteuid() == 0;  // anybody else stays who he is
  EXPECT_EQ(portolan({"check", path.c_str()}), root ? 2 : 0);
  EXPECT_EQ(err().find(path + ":4:8: user in [server]: there is no user \"no-such-user\"") == 0, root) << err();
  ::unlink(path.c_str());
  ::unlink(database.c_str());
}

TEST_F(Cli, ReferenceNamesTheKeys) {
  EXPECT_EQ(portolan({"reference"}), 0);
  EXPECT_NE(out().find("[server]"), std::string::npos);
}

TEST_F(Cli, GeoDemoWritesADatabase) {
  std::string path = ::testing::TempDir() + "demo-" + std::to_string(getpid()) + ".mmdb";
  EXPECT_EQ(portolan({"geo-demo", path.c_str()}), 0) << err();
  EXPECT_EQ(out(), path + ": a database of 30 cities\n");
  EXPECT_EQ(::access(path.c_str(), R_OK), 0);
  ::unlink(path.c_str());
  EXPECT_EQ(portolan({"geo-demo", "/nonexistent/demo.mmdb"}), 1);
}

TEST_F(Cli, ShardsPlanSaysWhatMoves) {
  std::string path = ::testing::TempDir() + "shards-" + std::to_string(getpid()) + ".toml";
  const std::string listener = "[listener.http]\nlisten = [\"127.0.0.1:8080\"]\n[[route]]\npool = \"users\"\n";
  const std::string pool = "[pool.users]\nservers = [\"10.0.0.1:80\", \"10.0.0.2:80\"]\n";
  std::ofstream(path) << listener << pool;
  EXPECT_EQ(portolan({"shards", "plan", "users", "-c", path.c_str()}), 0) << err();
  const std::string even = out();
  EXPECT_EQ(even,
            "0 of 16384 slots move (0.0%).\n\n"
            "Copy what belongs to them, then reload with:\n\n"
            "map = [\n"
            "  { slots = [\"0-8191\"], servers = [\"10.0.0.1:80\"] },\n"
            "  { slots = [\"8192-16383\"], servers = [\"10.0.0.2:80\"] },\n"
            "]\n");
  EXPECT_EQ(portolan({"shards", "plan", "users", "--add", "10.0.0.3:80", "-c", path.c_str()}), 1);
  EXPECT_NE(err().find("pool users has no shards yet"), std::string::npos) << err();
  std::ofstream(path) << listener << pool << "[pool.users.shards]\nkey = \"path\"\n" << even.substr(even.find("map"));
  EXPECT_EQ(portolan({"shards", "plan", "users", "--add", "10.0.0.3:80", "-c", path.c_str()}), 0) << err();
  EXPECT_EQ(out(),
            "5461 of 16384 slots move (33.3%).\n\n"
            "FROM         TO           COUNT  SHARE  SLOTS\n"
            "10.0.0.1:80  10.0.0.3:80   2730  16.7%  5462-8191\n"
            "10.0.0.2:80  10.0.0.3:80   2731  16.7%  13653-16383\n\n"
            "Copy what belongs to them, then reload with:\n\n"
            "map = [\n"
            "  { slots = [\"0-5461\"], servers = [\"10.0.0.1:80\"] },\n"
            "  { slots = [\"8192-13652\"], servers = [\"10.0.0.2:80\"] },\n"
            "  { slots = [\"5462-8191\", \"13653-16383\"], servers = [\"10.0.0.3:80\"] },\n"
            "]\n");
  EXPECT_EQ(portolan({"shards", "plan", "users", "--remove", "10.0.0.2:80", "-c", path.c_str()}), 0) << err();
  EXPECT_NE(out().find("8192 of 16384 slots move (50.0%)."), std::string::npos) << out();
  EXPECT_EQ(portolan({"shards", "plan", "users", "--remove", "10.0.0.9:80", "-c", path.c_str()}), 1);
  EXPECT_EQ(err(), "portolan: 10.0.0.9:80 has no shard\n");
  EXPECT_EQ(portolan({"shards", "plan", "users", "--add", "10.0.0.2:80", "-c", path.c_str()}), 1);
  EXPECT_EQ(portolan({"shards", "plan", "users", "--add", "nowhere", "-c", path.c_str()}), 1);
  EXPECT_EQ(portolan({"shards", "plan", "nobody", "-c", path.c_str()}), 1);
  EXPECT_EQ(portolan({"shards"}), 2);
  ::unlink(path.c_str());
}

TEST_F(Cli, ADaemonThatIsNotThereIsNamedWithTheRemedy) {
  EXPECT_EQ(portolan({"status", "--admin", "unix:/nonexistent/admin.sock"}), 1);
  EXPECT_EQ(err(),
            "portolan: cannot reach the daemon at unix:/nonexistent/admin.sock: no such file or "
            "directory; is it "
            "running? `--admin unix:/path` or `--config FILE` names another socket\n");
}

TEST_F(CliWithDaemon, DrainsEnablesAndPurges) {
  EXPECT_EQ(remote({"drain", "server", "app", "127.0.0.1:8081"}), 0) << err();
  EXPECT_EQ(out(), "server 127.0.0.1:8081 of pool app drains\n");
  EXPECT_EQ(remote({"enable", "datacenter", "us-east"}), 0);
  EXPECT_EQ(out(), "datacenter us-east is enabled\n");
  EXPECT_EQ(remote({"drain", "node"}), 0);
  EXPECT_EQ(out(), "this node is not ready any more and ends its connections\n");
  EXPECT_EQ(remote({"enable", "node"}), 0);
  EXPECT_EQ(out(), "this node is ready again\n");
  EXPECT_EQ(remote({"purge", "http://a/b"}), 0);
  EXPECT_EQ(out(), "3 objects purged\n");
  EXPECT_EQ(remote({"drain", "server", "ap", "x"}), 1);
  EXPECT_EQ(err(), "portolan: no pool ap; there are: app\n");
  std::vector<std::string> calls;
  in_daemon([&] { calls = backend_.calls; });
  EXPECT_EQ(calls, (std::vector<std::string>{"drain app 127.0.0.1:8081", "enable us-east", "drain node", "enable node",
                                             R"(purge {"urls":["http://a/b"]})", "drain ap x"}));
}

TEST_F(CliWithDaemon, PurgesByAllThatCanBeNamed) {
  EXPECT_EQ(remote({"purge", "http://a/b", "http://a/c", "--prefix", "a/x", "--host", "b", "--tag", "t", "--tag", "u v",
                    "--soft", "--cache", "edge"}),
            0)
      << err();
  EXPECT_EQ(out(),
            "url http://a/b is stale now\nurl http://a/c is stale now\nprefix a/x is stale now\nhost b is stale now\n"
            "tag t is stale now\ntag u v is stale now\n");
  EXPECT_EQ(remote({"purge", "--all"}), 0) << err();
  EXPECT_EQ(out(), "all is purged\n");
  EXPECT_EQ(remote({"purge", "--tag", "t", "--cache", "other"}), 1);
  EXPECT_EQ(err(), "portolan: no cache other\n");
  EXPECT_EQ(remote({"purge", "nonsense"}), 1);
  EXPECT_EQ(remote({"purge"}), 2);
  EXPECT_EQ(err(), "portolan: name what to purge: URLs, --prefix, --host, --tag or --all\n");
  std::vector<std::string> calls;
  in_daemon([&] { calls = backend_.calls; });
  EXPECT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls.at(0), R"(purge {"cache":"edge","hosts":["b"],"prefixes":["a/x"],"soft":true,"tags":["t","u v"],)"
                         R"("urls":["http://a/b","http://a/c"]})");
}

TEST_F(CliWithDaemon, WritesTheHotUrls) {
  EXPECT_EQ(remote({"cache", "dump"}), 0) << err();
  EXPECT_EQ(out(), "http://a/1\nhttp://a/2\n");
  std::string path = ::testing::TempDir() + "hot-" + std::to_string(getpid());
  EXPECT_EQ(remote({"cache", "dump", path.c_str(), "--most", "50000", "--cache", "edge"}), 0) << err();
  EXPECT_EQ(out(), path + ": 2 URLs\n");
  std::string line;
  std::ifstream list(path);
  std::getline(list, line);
  EXPECT_EQ(line, "http://a/1");
  std::remove(path.c_str());
  EXPECT_EQ(remote({"cache", "dump", "--cache", "none"}), 1);
  EXPECT_EQ(remote({"cache", "dump", "/nowhere/x"}), 1);
  EXPECT_EQ(err(), "portolan: cannot write /nowhere/x: No such file or directory\n");
  std::vector<std::string> calls;
  in_daemon([&] { calls = backend_.calls; });
  EXPECT_EQ(calls, (std::vector<std::string>{"urls 1000", "urls 50000edge", "urls 1000none", "urls 1000"}));
}

TEST_F(Cli, MakesATokenAndItsLine) {
  EXPECT_EQ(portolan({"purge-token", "ci"}), 0);
  std::string line = out(), told = err();
  std::string token = told.substr(told.rfind(' ') + 1);
  token.pop_back();
  std::vector<std::string> errors;
  auto tokens = PurgeTokens::parse(line, "f", errors);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(tokens->find(token), "ci");
  EXPECT_EQ(line.find(token), std::string::npos);
  EXPECT_EQ(portolan({"purge-token", "a b"}), 2);
}

TEST_F(CliWithDaemon, LooksInsideTheCaches) {
  backend_.counts.caches = {{"edge", {}}};
  backend_.tops.caches = {{"edge", {{"http://a/b", 3, 2, 1, 100}}}};
  backend_.inspections.caches = {{"edge", {"http://a/b", edge::Outcome::miss, edge::Forward::uri_miss, "why", {}}}};
  EXPECT_EQ(remote({"cache", "stats"}), 0) << err();
  EXPECT_EQ(out(), to_text(backend_.counts));
  EXPECT_EQ(remote({"cache", "stats", "--json"}), 0);
  EXPECT_EQ(out(), to_json(backend_.counts) + "\n");
  backend_.segments.caches = {{"edge", {{edge::disk::SegmentReport::Kind::main, true, 0, 1, 2}}}};
  EXPECT_EQ(remote({"cache", "stats", "--segments"}), 0);
  EXPECT_EQ(out(), to_text(backend_.segments));
  EXPECT_EQ(remote({"cache", "stats", "--segments", "--json"}), 0);
  EXPECT_EQ(out(), to_json(backend_.segments) + "\n");
  EXPECT_EQ(remote({"cache", "top"}), 0);
  EXPECT_EQ(out(), to_text(backend_.tops));
  EXPECT_EQ(remote({"cache", "top", "3", "--json"}), 0);
  EXPECT_EQ(out(), to_json(backend_.tops) + "\n");
  EXPECT_EQ(remote({"cache", "top", "1001"}), 2);
  EXPECT_EQ(remote({"cache", "inspect", "http://a/b", "--header", "X: 1"}), 0);
  EXPECT_EQ(out(), to_text(backend_.inspections));
  EXPECT_EQ(remote({"cache", "inspect", "http://a/b", "--method", "HEAD", "--json"}), 0);
  EXPECT_EQ(out(), to_json(backend_.inspections) + "\n");
  EXPECT_EQ(remote({"cache", "inspect", "nonsense"}), 1);
  EXPECT_EQ(err(), "portolan: not a URL: nonsense\n");
  EXPECT_EQ(remote({"cache"}), 2);
  std::vector<std::string> calls;
  in_daemon([&] { calls = backend_.calls; });
  ASSERT_EQ(calls.size(), 5u);
  EXPECT_EQ(calls[0], "top 10");
  EXPECT_EQ(calls[1], "top 3");
  EXPECT_EQ(calls[2], "inspect " + to_json({"GET", "http://a/b", {"X: 1"}, "127.0.0.1", ""}));
  EXPECT_EQ(calls[3], "inspect " + to_json({"HEAD", "http://a/b", {}, "127.0.0.1", ""}));
}

TEST_F(CliWithDaemon, WaitsForAVerificationAndTellsWhatItFound) {
  auto report = [](uint64_t damaged) {
    return std::make_shared<const edge::disk::VerifyReport>(edge::disk::VerifyReport{5, 2048, damaged, {}, {}});
  };
  auto checks = [&](std::vector<VerifyState> states) { in_daemon([&] { backend_.checks = std::move(states); }); };
  EXPECT_EQ(remote({"cache", "verify"}), 2);
  EXPECT_EQ(err(), "portolan: the stores are being checked already\n");
  checks({{1, true, {{"edge", 0, 9, "", nullptr}}},
          {1, true, {{"edge", 4, 9, "", nullptr}}},
          {1, false, {{"edge", 9, 9, "", report(0)}}}});
  EXPECT_EQ(remote({"cache", "verify", "--cache", "edge"}), 0) << err();
  EXPECT_EQ(out() + err(), "edge: 5 records, 2.0 KiB, none damaged\n");
  checks({{1, true, {{"edge", 0, 9, "", nullptr}}}, {1, false, {{"edge", 9, 9, "", report(2)}}}});
  EXPECT_EQ(remote({"cache", "verify"}), 1);
  EXPECT_EQ(out() + err(), "edge: 5 records, 2.0 KiB, 2 damaged\n");
  EXPECT_EQ(remote({"cache", "verify", "--json"}), 1);
  std::string told;
  in_daemon([&] { told = to_json(backend_.checks[0], true); });
  EXPECT_EQ(out(), told + "\n");
  checks({{1, false, {{"edge", 9, 9, "", report(0)}, {"pages", 0, 0, "the disk doesn't answer", nullptr}}}});
  EXPECT_EQ(remote({"cache", "verify"}), 2);
  EXPECT_EQ(err(), "portolan: pages: not checked: the disk doesn't answer\n");
  checks({{1, true, {}}, {0, false, {}}});
  EXPECT_EQ(remote({"cache", "verify"}), 2);
  EXPECT_EQ(remote({"cache", "verify", "--cache", "none"}), 2);
  EXPECT_EQ(remote({"cache", "verify", "--store", "/"}), 2);  // it's one or the other
  EXPECT_EQ(portolan({"cache", "verify", "--store", "/nowhere"}), 2);
  EXPECT_EQ(err().rfind("portolan: /nowhere: not checked: ", 0), 0u) << err();
}

TEST_F(CliWithDaemon, TurnsMaintenanceOnAndOff) {
  EXPECT_EQ(remote({"maintenance", "on", "shop"}), 0) << err();
  EXPECT_EQ(out(), "route shop is in maintenance\n");
  EXPECT_EQ(remote({"maintenance", "off"}), 0);
  EXPECT_EQ(out(), "route shop serves again\n");
  EXPECT_EQ(remote({"maintenance", "on", "nowhere"}), 1);
  EXPECT_EQ(err(), "portolan: no route nowhere has maintenance; there are: shop\n");
  EXPECT_EQ(remote({"maintenance"}), 2);
}

TEST_F(CliWithDaemon, Explains) {
  EXPECT_EQ(remote({"explain", "GET", "http://a/b", "--header", "X: 1", "--header", "Y: 2", "--from", "::1"}), 0)
      << err();
  EXPECT_EQ(out(), "route      any\n");
  EXPECT_EQ(remote({"explain", "GET", "nonsense"}), 1);
  EXPECT_EQ(err(), "portolan: not a URL: nonsense\n");
  std::vector<std::string> calls;
  in_daemon([&] { calls = backend_.calls; });
  ASSERT_EQ(calls.size(), 2u);
  ExplainRequest expected{"GET", "http://a/b", {"X: 1", "Y: 2"}, "::1", ""};
  EXPECT_EQ(calls[0], "explain " + to_json(expected));
}

TEST_F(Cli, ExplainsFromTheFileAlone) {
  const std::string file = std::string(PORTOLAN_SOURCE_DIR) + "/tests/golden/explain/portolan.toml";
  EXPECT_EQ(portolan({"explain", "GET", "http://www.example.com/v1/x", "--offline", "--config", file.c_str()}), 0)
      << err();
  EXPECT_NE(out().find("\"versions\""), std::string::npos) << out();
  EXPECT_EQ(portolan({"explain", "GET", "nonsense", "--offline", "--config", file.c_str()}), 2);
  EXPECT_EQ(portolan({"explain", "GET", "http://a/", "--offline", "--config", "/nonexistent.toml"}), 2);
  EXPECT_EQ(portolan({"explain", "GET"}), 2);
}

TEST_F(CliWithDaemon, ReloadPrintsWhatIsWrong) {
  EXPECT_EQ(remote({"reload"}), 0);
  EXPECT_EQ(out(), "reloaded\n");
  in_daemon([&] { backend_.errors = {"a.toml:1:2: unknown key 'x'"}; });
  EXPECT_EQ(remote({"reload"}), 1);
  EXPECT_EQ(err(),
            "portolan: the configuration is refused; the old one keeps running\na.toml:1:2: "
            "unknown key 'x'\n");
}

TEST_F(CliWithDaemon, TheSocketIsTakenFromTheConfiguration) {
  std::string path = ::testing::TempDir() + "admin-" + std::to_string(getpid()) + ".toml";
  std::ofstream(path) << "[server]\nadmin = \"unix:" << path_ << "\"\n[listener.http]\nlisten = [\"127.0.0.1:8080\"]\n"
                      << "[[route]]\nrespond = { status = 200 }\n";
  EXPECT_EQ(portolan({"reload", "--config", path.c_str()}), 0) << err();
  ::unlink(path.c_str());
}

TEST_F(CliWithDaemon, AMistakeInTheFileDoesNotHideTheSocket) {
  std::string path = ::testing::TempDir() + "mistaken-" + std::to_string(getpid()) + ".toml";
  const std::string server = "[server]\nadmin = \"unix:" + path_ + "\"\n";
  for (const std::string& mistake :
       {std::string("[listener.http]\nlisen = 5\n"), std::string("[pool.app\nservers = []\n"),
        std::string("include = \"nothing\"\n"), std::string("[server]\n")}) {
    std::ofstream(path) << server << mistake;
    EXPECT_EQ(portolan({"status", "--config", path.c_str()}), 0) << mistake << err();
    EXPECT_EQ(err(), "");
  }
  std::ofstream(path) << "[pool.app\n" << server;
  EXPECT_EQ(portolan({"status", "--config", path.c_str()}), 2);
  EXPECT_NE(err().find(path + ":1:"), std::string::npos) << err();
  EXPECT_NE(err().find("`--admin unix:/path` names it"), std::string::npos) << err();
  ::unlink(path.c_str());
}

TEST_F(CliWithDaemon, ReloadTellsWhatWaitsForTheNextStart) {
  in_daemon([&] { backend_.notes = {"server.user takes effect at the next start: a until then, b in the file"}; });
  EXPECT_EQ(remote({"reload"}), 0);
  EXPECT_EQ(out(), "reloaded\nserver.user takes effect at the next start: a until then, b in the file\n");
}

TEST_F(CliWithDaemon, ReloadTakesTheSocketFromAFile) {
  std::string path = ::testing::TempDir() + "reload-" + std::to_string(getpid()) + ".toml";
  std::ofstream(path) << "[server]\nadmin = \"unix:" << path_ << "\"\n";
  EXPECT_EQ(portolan({"reload", path.c_str()}), 0) << err();
  EXPECT_EQ(out(), "reloaded\n");
  ::unlink(path.c_str());
}

TEST(Status, ShowsRoutesInMaintenance) {
  StatusReport r;
  r.maintenance = {"shop", "api"};
  EXPECT_NE(status_tables(r).find("\nroute shop is in maintenance\nroute api is in maintenance\n"), std::string::npos)
      << status_tables(r);
  auto read = parse_status(to_json(r));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->maintenance, r.maintenance);
}

StatusReport sample() {
  StatusReport r;
  r.server = "edge-1";
  r.datacenter = "us-east";
  r.version = "0.1.0";
  r.now_ms = 1'700'000'000'000;
  r.uptime_s = 11'520;
  r.workers = 4;
  r.listeners = {{"http", "0.0.0.0:80", 12, 3456}};
  r.pools = {{"app",
              "round-robin",
              {{"10.0.0.11:8080", "10.0.0.11:8080", "up", "HTTP 200", r.now_ms - 192'000, 1, false, 3, 1234, 0},
               {"10.0.0.12:8080", "app.internal:8080", "down", "connection refused", r.now_ms - 5'000, 2, true, 0, 99,
                7, "west", 50}},
              true},
             {"empty", "", {}, false, {{"srv:_http._tcp.app", "failing", "Timeout", r.now_ms - 61'000, 0}}}};
  r.services = {{"web",
                 {{"us-east", "up", "1 of 2 servers of pool app serve", r.now_ms - 400'000'000},
                  {"us-west", "unknown", "not checked", r.now_ms}}}};
  r.services[0].sites.push_back({"ap-north", "up", "HTTP 200", r.now_ms - 1000, 63});
  r.dns = {{"0.0.0.0:53", "udp"}, {"0.0.0.0:53", "tcp"}, {"0.0.0.0:853", "tls"}};
  r.zones = {{"example.com", 12, 1'700'000'000}};
  r.aliases = {{"origin.example.net", "example.com", "found", {"192.0.2.1", "2001:db8::1"}, r.now_ms - 20'000, 0, ""},
               {"gone.example.net", "a.example.com, b.example.com", "failing", {}, 0, r.now_ms - 5'000, "not found"}};
  r.databases = {{"/x/city.mmdb", "auto", r.now_ms - 86'400'000, r.now_ms - 7'000},
                 {"/x/nets.txt", "networks", 0, r.now_ms}};
  r.database_failure = "/x/city.mmdb: too short";
  r.caches = {{"edge", 120, 3'500'000, 512u << 20, 75, 25}};
  return r;
}

TEST(Status, ReadsAsTables) {
  EXPECT_EQ(status_tables(sample()),
            R"(edge-1 in us-east: Portolan 0.1.0, up 3h12m, 4 workers

LISTENER  ADDRESS     CONNECTIONS  REQUESTS
http      0.0.0.0:80           12      3456

POOL                      SERVER                                             STATE  SINCE   WEIGHT  IN FLIGHT  REQUESTS  FAILURES  REASON
app (round-robin, panic)  10.0.0.11:8080                                     up     3m12s        1          3      1234         0  HTTP 200
                          10.0.0.12:8080 (app.internal:8080) in west backup  down   5s     2 (50%)          0        99         7  connection refused
empty                     none

POOL   SOURCE              STATE    SINCE  SERVERS  REASON
empty  srv:_http._tcp.app  failing  1m01s        0  Timeout

SERVICE  DATACENTER  STATE           SINCE  REASON
web      us-east     up              4d15h  1 of 2 servers of pool app serve
         us-west     unknown         0s     not checked
         ap-north    up (takes 63%)  1s     HTTP 200

DNS          PROTOCOLS
0.0.0.0:53   udp, tcp
0.0.0.0:853  tls

ZONE         RECORDS      SERIAL
example.com       12  1700000000

ALIAS OF            RECORDS                       STATE    SINCE  RESOLVED  ADDRESSES               REASON
origin.example.net  example.com                   found    -      20s ago   192.0.2.1, 2001:db8::1
gone.example.net    a.example.com, b.example.com  failing  5s     never     none                    not found

DATABASE      KIND      BUILT     READ
/x/city.mmdb  auto      1d0h ago  7s ago
/x/nets.txt   networks  -         0s ago
a changed database is not used: /x/city.mmdb: too short

CACHE  OBJECTS   STORED      LIMIT  HITS  MISSES  HIT RATE
edge       120  3.3 MiB  512.0 MiB    75      25     75.0%
)");
}

TEST(Status, SurvivesItsJson) {
  auto read = parse_status(to_json(sample()));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(status_tables(*read), status_tables(sample()));
  EXPECT_FALSE(parse_status("{"));
  EXPECT_FALSE(parse_status("{\"pools\":7}"));
  EXPECT_TRUE(parse_status("{}"));
}

TEST(Status, TakesServersFromTheBoard) {
  health::Board board;
  auto pool = std::make_shared<health::Pool>();
  pool->name = "app";
  pool->state = std::make_shared<health::PoolState>();
  pool->state->queue.enter(nullptr, 1);
  auto counts = std::make_shared<health::ServerState>();
  counts->requests = 5;
  counts->ejections = 2;
  pool->members.push_back({*SocketAddress::parse("10.0.0.1:80"),
                           "10.0.0.1:80",
                           "app:80",
                           "app",
                           3,
                           0,
                           true,
                           {health::State::draining, "drained by an operator", 42},
                           counts});
  board.pools["app"] = pool;
  board.services["web"] = {{"us-east", {health::State::up, "fine", 43}}};
  board.datacenters["us-east"] = {};
  StatusReport r;
  r.datacenter = "us-east";
  add_board(r, board);
  EXPECT_TRUE(r.draining);
  ASSERT_EQ(r.pools.size(), 1u);
  const auto& s = r.pools[0].servers.at(0);
  EXPECT_EQ(s.address, "10.0.0.1:80");
  EXPECT_EQ(s.state, "draining");
  EXPECT_EQ(s.requests, 5u);
  EXPECT_EQ(s.ejections, 2u);
  EXPECT_EQ(r.pools[0].waiting, 1u);
  EXPECT_NE(status_tables(r).find("app, 1 waiting"), std::string::npos) << status_tables(r);
  EXPECT_TRUE(s.backup);
  EXPECT_EQ(r.services.at(0).sites.at(0).since_ms, 43);
}

TEST(Tables, WordsForTimesAndSizes) {
  EXPECT_EQ(age(-5), "0s");
  EXPECT_EQ(age(59'999), "59s");
  EXPECT_EQ(age(60'000), "1m00s");
  EXPECT_EQ(age(3'600'000 * 5 + 180'000), "5h03m");
  EXPECT_EQ(size(512), "512 B");
  EXPECT_EQ(size(1536), "1.5 KiB");
  EXPECT_EQ(size(1ull << 50), "1024.0 TiB");
}

}  // namespace
}  // namespace portolan::daemon
