#include "daemon/config.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "core/conf/value.hh"

namespace portolan::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const std::string source = PORTOLAN_SOURCE_DIR;
const std::string golden = source + "/tests/golden/config/";

bool blessing() {
  return std::getenv("PORTOLAN_BLESS") != nullptr;
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void spill(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string without(std::string text, const std::string& what) {
  for (size_t at; (at = text.find(what)) != std::string::npos;) text.erase(at, what.size());
  return text;
}

// One line an error, paths relative to the file's directory.
std::string told(const std::string& path) {
  std::string out;
  for (const std::string& error : load(path).errors) out += error + "\n";
  return without(out, path.substr(0, path.rfind('/') + 1));
}

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/config_test_XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Directory() { fs::remove_all(path_); }
  std::string write(const std::string& text, const std::string& name = "portolan.toml") const {
    spill(path_ + "/" + name, text);
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(golden))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

class Golden : public ::testing::TestWithParam<std::string> {};

// PORTOLAN_BLESS=1 writes what is told now; look at the difference before you keep it.
TEST_P(Golden, TellsTheMistakesOf) {
  const std::string expected = golden + GetParam() + ".errors";
  const std::string got = told(golden + GetParam() + ".toml");
  if (blessing()) spill(expected, got);
  ASSERT_TRUE(fs::exists(expected));
  EXPECT_EQ(got, slurp(expected));
}
INSTANTIATE_TEST_SUITE_P(Config, Golden, ::testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Config, KeysOfCacheSafetyReachTheirFields) {
  Config c = load(golden + "cache-safety-valid.toml").config;
  ASSERT_EQ(c.routes.size(), 2u);
  proxy::CacheBypassConfig bypass{{"preview", "wp_*"}, {"x-preview"}, {"nocache"}, true};
  EXPECT_EQ(c.routes[0].cache_bypass, bypass);
  EXPECT_EQ(c.routes[1].admit.signed_urls->keys_file, "/etc/portolan/url-keys");
  ASSERT_EQ(c.caches.size(), 1u);
  EXPECT_THAT(c.caches[0].drop_headers, ElementsAre("x-my-override", "x-tenant-*"));
  EXPECT_EQ(c.caches[0].extension_check, false);
  EXPECT_TRUE(c.caches[0].sort_query && c.caches[0].key_device);
}

TEST(Config, EveryKeyReachesItsField) {
  Config c = load(golden + "valid-full.toml").config;
  EXPECT_EQ(c.server.name, "edge-1");
  EXPECT_EQ(c.server.workers, 4);
  EXPECT_EQ(c.server.admin, "off");
  EXPECT_EQ(c.server.peers.allow.size(), 3u);
  EXPECT_EQ(c.server.drain_ms, 10'000);
  EXPECT_EQ(c.server.max_connections, 1000);
  EXPECT_EQ(c.server.buffers, 64u << 20);
  EXPECT_EQ(c.server.shutdown_delay_ms, 3'000);
  EXPECT_EQ(c.resolver.nameservers.size(), 2u);
  EXPECT_EQ(c.resolver.timeout_ms, 1'000);
  EXPECT_EQ(c.resolver.attempts, 2);
  EXPECT_EQ(c.resolver.min_ttl_ms, 2'000);
  EXPECT_EQ(c.resolver.max_ttl_ms, 60'000);
  EXPECT_EQ(c.log.access_format, "combined");
  EXPECT_EQ(c.timeouts.header, 250);
  EXPECT_EQ(c.timeouts.keepalive, 86'400'000);
  ASSERT_EQ(c.listeners.size(), 1u);
  EXPECT_TRUE(c.listeners[0].proxy_protocol);
  EXPECT_TRUE(c.listeners[0].freebind);
  EXPECT_EQ(c.listeners[0].timeouts.header, 5000);
  http::Limits limits{.head_bytes = 16 << 10, .target_bytes = 4 << 10, .field_count = 50};
  limits.trailer_bytes = 1 << 10;
  limits.refuse_underscores = true;
  EXPECT_EQ(c.listeners[0].limits, limits);
  ASSERT_EQ(c.pools.size(), 2u);
  const proxy::PoolConfig& app = c.pools[0];
  ASSERT_EQ(app.servers.size(), 5u);
  EXPECT_EQ(app.servers[1].weight, 2);
  EXPECT_EQ(app.servers[1].max_connections, 200);
  EXPECT_TRUE(app.servers[2].backup);
  EXPECT_FALSE(app.servers[2].address.is_literal);
  EXPECT_EQ(app.health.protocol, "http");
  EXPECT_EQ(app.health.http_path, "/healthz");
  EXPECT_EQ(app.health.http_host, "app");
  EXPECT_EQ(app.health.http_method, "OPTIONS");
  EXPECT_THAT(app.health.expect_status, ElementsAre(health::StatusRange{204, 204}, health::StatusRange{300, 399}));
  EXPECT_EQ(app.health.expect_header, "X-State: ready");
  EXPECT_EQ(app.health.expect_body, "ok");
  EXPECT_EQ(app.health.port, 9000);
  EXPECT_EQ(app.health.speaks_tls, true);
  EXPECT_FALSE(app.health.own_tls->verify);
  EXPECT_DOUBLE_EQ(app.retry.budget, 0.125);
  EXPECT_THAT(app.retry.statuses, ElementsAre(502, 503, 504));
  health::EjectConfig eject{3, 0.25, 50, 30'000, 5'000, 60'000, 0.34, {500}};
  EXPECT_EQ(app.eject, eject);
  EXPECT_EQ(app.queue, (proxy::QueueConfig{1000, 3'000}));
  EXPECT_EQ(c.routes[1].hedge, (proxy::HedgeConfig{0.99, 0}));
  EXPECT_EQ(c.timeouts.min_rate, 1024u);
  EXPECT_EQ(c.timeouts.min_rate_after, 30'000);
  EXPECT_EQ(app.timeouts.response, 5000);
  EXPECT_EQ(app.servers[2].datacenter, "us-west");
  EXPECT_EQ(app.slow_start_ms, 30'000);
  EXPECT_DOUBLE_EQ(app.panic, 0.4);
  ASSERT_TRUE(app.sticky);
  EXPECT_EQ(app.sticky->cookie, "seat");
  EXPECT_EQ(app.sticky->ttl_s, 3600);
  EXPECT_EQ(app.sticky->path, "/app");
  EXPECT_EQ(app.sticky->secure, "always");
  EXPECT_FALSE(app.sticky->http_only);
  EXPECT_EQ(app.sticky->same_site, "strict");
  EXPECT_EQ(app.sticky->drain_ms, 1'800'000);
  EXPECT_EQ(app.sticky->key_file, "/etc/portolan/sticky.key");
  EXPECT_EQ(c.pools[1].balance, "hash");
  EXPECT_EQ(c.pools[1].hash.key, (proxy::KeyConfig{proxy::KeyConfig::By::header, "X-User"}));
  EXPECT_EQ(c.pools[1].hash.seed, "any words");
  ASSERT_TRUE(c.pools[1].shards);
  EXPECT_EQ(c.pools[1].shards->key, (proxy::KeyConfig{proxy::KeyConfig::By::cookie, "user"}));
  ASSERT_EQ(c.pools[1].shards->map.size(), 2u);
  EXPECT_EQ(c.pools[1].shards->map[0].slots.back(), (proxy::SlotRange{200, 200}));
  EXPECT_THAT(c.pools[1].shards->map[1].servers, ElementsAre("10.0.0.11:8080", "file:/etc/portolan/app.servers"));
  EXPECT_EQ(c.pools[1].health.protocol, "tcp");
  ASSERT_EQ(c.routes.size(), 9u);
  EXPECT_TRUE(c.pools[1].required);
  ASSERT_EQ(c.pools[1].servers.size(), 3u);
  EXPECT_EQ(c.pools[1].servers[1].address.kind, ServerAddress::Kind::srv);
  EXPECT_EQ(c.pools[1].servers[1].address.to_string(), "srv:_http._tcp.app.internal");
  EXPECT_EQ(c.pools[1].servers[2].address.kind, ServerAddress::Kind::file);
  EXPECT_EQ(c.pools[1].servers[2].address.host, "/etc/portolan/app.servers");

  EXPECT_EQ(c.routes[0].name, "assets");
  EXPECT_THAT(c.routes[0].hosts, ElementsAre("www.example.com"));
  EXPECT_THAT(c.routes[0].methods, ElementsAre("GET", "HEAD"));
  EXPECT_EQ(c.routes[0].files->strip_prefix, "/assets/");
  EXPECT_EQ(c.routes[1].name, "www.example.com");
  EXPECT_EQ(c.routes[2].name, "any");
  EXPECT_EQ(c.routes[2].redirect_status, 308);
  EXPECT_EQ(c.routes[3].name, "any/teapot");
  EXPECT_EQ(c.routes[3].respond->status, 418);
  const proxy::RouteConfig& narrow = c.routes[4];
  EXPECT_EQ(narrow.path_regex, "^/v[0-9]+/");
  using Match = proxy::ValueMatch;
  EXPECT_THAT(narrow.headers, ElementsAre(proxy::NamedMatch{"x-beta", {Match::Form::exact, {"1"}}},
                                          proxy::NamedMatch{"accept", {Match::Form::prefix, {"text/", "image/"}}},
                                          proxy::NamedMatch{"x-debug", {Match::Form::absent, {}}}));
  EXPECT_THAT(narrow.query, ElementsAre(proxy::NamedMatch{"v", {Match::Form::exact, {"1", "2"}}},
                                        proxy::NamedMatch{"id", {Match::Form::regex, {"^[0-9]+$"}}}));
  EXPECT_EQ(narrow.clients.size(), 2u);
  EXPECT_THAT(narrow.countries, ElementsAre("DE", "FR"));
  EXPECT_THAT(narrow.pools, ElementsAre(proxy::PoolShare{"app", 95}, proxy::PoolShare{"other", 5}));
  EXPECT_EQ(narrow.mirror->pool, "other");
  EXPECT_DOUBLE_EQ(narrow.mirror->share, 0.1);
  EXPECT_EQ(narrow.mirror->buffer, 1u << 20);
  EXPECT_EQ(narrow.mirror->at_once, 7);
  EXPECT_EQ(narrow.mirror->max_answer, 64u << 10);
  EXPECT_EQ(narrow.mirror->timeout_ms, 5'000);
  ASSERT_EQ(narrow.request_headers.set.size(), 2u);
  EXPECT_EQ(narrow.request_headers.set[0].name, "X-Country");
  EXPECT_EQ(narrow.request_headers.set[0].value.pieces().at(0).then, proxy::Variable::country);
  EXPECT_EQ(narrow.request_headers.add.at(0).value.pieces().at(0).text, "a");
  EXPECT_THAT(narrow.request_headers.remove, ElementsAre("cookie"));
  EXPECT_EQ(narrow.response_headers.set.at(0).value.pieces().at(0).text, "{\"group\":\"default\"}");
  EXPECT_EQ(narrow.response_headers.add.at(0).name, "Link");
  EXPECT_THAT(narrow.response_headers.remove, ElementsAre("x-powered-by", "via"));
  EXPECT_EQ(c.routes[5].rewrite->prefix, "/new/");
  Text path;
  EXPECT_TRUE(c.routes[6].rewrite->replacement.apply("/u/anna/a/b", path)) << "the route's expression";
  EXPECT_EQ(path, "/users/anna/a/b");
  path.clear();
  EXPECT_TRUE(c.routes[7].rewrite->replacement.apply("/legacy/a/b.php", path)) << "its own";
  EXPECT_EQ(path, "/a/b");
  EXPECT_EQ(c.routes[8].redirect_to.pieces().size(), 2u);
  ASSERT_EQ(c.caches.size(), 2u);
  EXPECT_EQ(c.caches[0].memory_bytes, 64u << 20);
  EXPECT_EQ(c.caches[0].stale_if_unreachable_ms, 600'000);
  EXPECT_EQ(c.caches[0].negative_ttl_ms, 1000);
  EXPECT_EQ(c.caches[0].query.mode, edge::QueryKey::Mode::drop);
  EXPECT_THAT(c.caches[0].key_headers, ElementsAre("accept-language"));
  EXPECT_EQ(c.caches[1].query.mode, edge::QueryKey::Mode::none);
  EXPECT_EQ(c.caches[1].max_object_bytes, 512u << 10) << "the default follows a small memory";
  EXPECT_FALSE(c.caches[1].fragments);
  ASSERT_EQ(c.geodns.services.size(), 2u);
  const auto& web = c.geodns.services[0].sites;
  using Kind = geodns::ServiceHealth::Kind;
  EXPECT_EQ(web.at("us-east").health.kind, Kind::pool);
  EXPECT_EQ(web.at("us-east").health.min_up_percent, 50u);
  EXPECT_EQ(web.at("us-west").health.kind, Kind::peer);
  EXPECT_EQ(web.at("us-west").health.min_up_count, 2u);
  EXPECT_EQ(c.geodns.services[1].sites.at("us-east").health.kind, Kind::tcp);
  EXPECT_EQ(c.geodns.services[1].sites.at("us-west").health.kind, Kind::http);
  ASSERT_EQ(c.geodns.zones.size(), 1u);
  EXPECT_EQ(c.geodns.zones[0].expire_s, 1'209'600u);
  EXPECT_EQ(c.geodns.zones[0].records.at(2).ttl_s, 30u);
  EXPECT_EQ(c.geodns.zones[0].records.at(3).weights.size(), 2u);
  EXPECT_EQ(c.geodns.tcp_idle_timeout_ms, 3000);
}

TEST(Config, NamesOfRoutesAreUnique) {
  Directory directory;
  std::string file = "[listener.a]\nlisten = \"127.0.0.1:1\"\n";
  for (const char* route :
       {"", "listener = \"a\"", "method = \"GET\"", "path = \"/x\"", "name = \"any/x 2\"\npath = \"/y\"",
        "path_exact = \"/x\"", "path_exact = \"/x\"\nmethod = \"PUT\"", "host = \"a\"\npath = \"/x/\""})
    file += std::string("[[route]]\nredirect = \"https\"\n") + route + "\n";
  LoadResult r = load(directory.write(file));
  EXPECT_THAT(r.errors, ElementsAre());
  std::vector<std::string> names;
  for (const auto& route : r.config.routes) names.push_back(route.name);
  EXPECT_THAT(names, ElementsAre("any", "any at a", "GET any", "any/x", "any/x 2", "any/x 3", "PUT any/x", "a/x/"));
}

TEST(Config, ShippedFileIsValid) {
  EXPECT_THAT(load(source + "/conf/portolan.toml").errors, ElementsAre());
}

// Each block of TOML of a page, with the listener, pools and routes it speaks of.
void expect_valid_examples(const std::string& file, int count) {
  Directory directory;
  std::stringstream page(slurp(source + "/docs/" + file));
  std::string line, block;
  int blocks = 0;
  for (bool inside = false; std::getline(page, line);) {
    if (inside && line == "```") {
      std::string more = block.find("[listener.http]") == std::string::npos ? "[listener.http]" : "[listener.other]";
      more +=
          "\nlisten = \"127.0.0.1:1\"\n[pool.app]\nservers = [\"10.0.0.1:80\"]\n"
          "[pool.canary]\nservers = [\"10.0.0.2:80\"]\n";
      if (block.find("[[route]]") == std::string::npos) more += "[[route]]\npool = \"app\"\n";
      EXPECT_THAT(load(directory.write(more + block)).errors, ElementsAre()) << block;
      ++blocks;
      block.clear();
    } else if (inside) {
      block += line + "\n";
    }
    inside = line == "```toml" || (inside && line != "```");
  }
  EXPECT_EQ(blocks, count);
}

TEST(Documentation, ExamplesOfRoutingAreValid) {
  expect_valid_examples("routing.md", 5);
}

TEST(Documentation, ExamplesOfCachingAreValid) {
  expect_valid_examples("caching.md", 8);
}

TEST(Documentation, ExamplesOfPurgingAreValid) {
  expect_valid_examples("purging.md", 4);
}

TEST(Reference, IsTheShippedFile) {
  const std::string path = source + "/conf/reference.toml";
  if (blessing()) spill(path, reference());
  EXPECT_EQ(reference(), slurp(path));
  EXPECT_TRUE(conf::parse(reference(), "reference.toml"));
}

// Every line ready to use is indeed: what is then told is only that names and files don't exist,
// and that a route or a health check can't be everything at once.
TEST(Reference, UncommentedBinds) {
  std::string text, line;
  std::stringstream in(reference());
  while (std::getline(in, line))
    text += (line.size() > 1 && line[0] == '#' && line[1] != ' ' ? line.substr(1) : line) + "\n";
  Directory directory;
  ASSERT_TRUE(conf::parse(text, "reference.toml")) << conf::parse(text, "reference.toml").error().text;
  const std::string got = without(told(directory.write(text, "reference.toml")), directory.path());
  EXPECT_THAT(got, Not(HasSubstr("unknown key")));
  EXPECT_THAT(got, Not(HasSubstr("must be")));
  EXPECT_THAT(got, Not(HasSubstr("is not a value")));
  EXPECT_THAT(got, Not(HasSubstr("missing")));
}

// The contract with operators: what it has and this version has not is told, key by key, and
// nothing else.
TEST(Contract, OnlyKeysOfLaterVersionsAreRefused) {
  const std::string contract = source + "/../shared/design/portolan.toml";
  if (!fs::exists(contract)) return;
  std::string text = slurp(contract);
  Directory directory;
  for (const std::string& there : {std::string("/srv/www"), std::string("/var/lib/portolan/GeoLite2-City.mmdb")})
    text.replace(text.find(there), there.size(), directory.path());
  std::vector<std::string> keys;
  for (const std::string& error : load(directory.write(text)).errors) {
    std::string what = error.substr(error.find(": ") + 2);
    keys.push_back(what.substr(0, what.find(';')));
  }
  EXPECT_THAT(keys, ElementsAre("\"tcp\" is not a value of protocol in [listener.postgres-read]",
                                "unknown key \"pool\" in [listener.postgres-read]",
                                "unknown key \"postgres\" in [pool.replicas].health",
                                "unknown key \"user\" in [pool.replicas].health",
                                "unknown key \"password_file\" in [pool.replicas].health",
                                "unknown key \"max_lag\" in [pool.replicas].health"));
}

// Cuts, doubles, swaps and overwrites pieces of a file.
std::string mutate(std::string text, std::mt19937_64& random) {
  static constexpr std::string_view pieces[] = {"\"",
                                                "[",
                                                "]",
                                                "{",
                                                "}",
                                                "=",
                                                ",",
                                                "\n",
                                                "#",
                                                "''",
                                                "[[",
                                                "-1",
                                                "1e999",
                                                "nan",
                                                "true",
                                                "\\u0000",
                                                "\xff",
                                                "\"\"\"",
                                                ".",
                                                "route",
                                                "[pool.app]",
                                                "\x01",
                                                "9223372036854775808"};
  auto below = [&](size_t n) { return n == 0 ? size_t{0} : static_cast<size_t>(random() % n); };
  for (size_t times = 1 + below(4); times > 0 && !text.empty(); --times) {
    size_t at = below(text.size()), length = std::min(below(40), text.size() - at);
    switch (below(5)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, pieces[below(std::size(pieces))]);
        break;
      case 2:
        text.insert(below(text.size()), text.substr(at, length));
        break;
      case 3:
        text[at] = static_cast<char>(random());
        break;
      default: {
        size_t a = text.find('\n', at), b = a == std::string::npos ? a : text.find('\n', a + 1);
        if (b != std::string::npos) text.insert(below(text.size()), text.substr(a, b - a));
      }
    }
  }
  return text;
}

TEST(Mutation, NothingThrowsAndEveryErrorHasItsPlace) {
  Directory directory;
  const std::string seeds[] = {slurp(golden + "valid-full.toml"), slurp(golden + "valid-short.toml"),
                               slurp(golden + "unknown-keys.toml"), slurp(golden + "services.toml")};
  std::mt19937_64 random(20);
  size_t valid = 0, wrong = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = mutate(seeds[static_cast<size_t>(i) % std::size(seeds)], random);
    const std::string path = directory.write(text, "m.toml");
    LoadResult r = load(path);
    (r.errors.empty() ? valid : wrong)++;
    for (const std::string& error : r.errors) {
      ASSERT_EQ(error.rfind(directory.path() + "/", 0), 0u) << error;
      ASSERT_TRUE(std::all_of(error.begin(), error.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; }))
          << error;
    }
  }
  EXPECT_GT(valid, 0u);
  EXPECT_GT(wrong, 500u);
}

}  // namespace
}  // namespace portolan::daemon
