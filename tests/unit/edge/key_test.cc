// What is in a key, and what must not reach an origin because it isn't.
#include <array>
#include <map>
#include <random>

#include "edge/device.hh"
#include "edge/rules.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

std::string key_of(const CacheConfig& c, const RequestView& view) {
  std::string key;
  compose_key(Rules(c), view, key);
  return key;
}
std::string key_of(const CacheConfig& c, const Request& request) {
  return key_of(c, request.at(start_ms));
}
std::string text_of(const CacheConfig& c, const Request& request) {
  return key_text(key_of(c, request));
}

TEST(Key, QueryRules) {
  Request request("/p?b=2&utm_x=1&a=1");
  CacheConfig c = config();
  EXPECT_EQ(key_of(c, request), "4:http11:example.com2:/p15:b=2&utm_x=1&a=1");
  EXPECT_EQ(text_of(c, request), "http example.com /p?b=2&utm_x=1&a=1");
  c.query = {QueryKey::Mode::none, {}};
  EXPECT_EQ(key_of(c, request), "4:http11:example.com2:/p-");
  c.query = {QueryKey::Mode::allow, {"a"}};
  EXPECT_EQ(text_of(c, request), "http example.com /p?a=1");
  c.query = {QueryKey::Mode::drop, {"utm_*"}};
  EXPECT_EQ(text_of(c, request), "http example.com /p?b=2&a=1");
  EXPECT_EQ(Cache(c, 1).forward_target(request.head), "/p?b=2&a=1");
}

TEST(Key, SortedQueriesKeepTheOrderOfOneName) {
  CacheConfig c = config();
  c.sort_query = true;
  Request one("/p?b=2&a=9&c&a=1&&b=1"), two("/p?a=9&b=2&a=1&b=1&c"), other("/p?a=1&b=2&a=9&b=1&c");
  EXPECT_EQ(text_of(c, one), "http example.com /p?a=9&a=1&b=2&b=1&c");
  EXPECT_EQ(Cache(c, 1).forward_target(one.head), "/p?a=9&a=1&b=2&b=1&c") << "sent as it is keyed";
  EXPECT_EQ(key_of(c, one), key_of(c, two));
  EXPECT_NE(key_of(c, one), key_of(c, other));
  c.query = {QueryKey::Mode::drop, {"a"}};
  EXPECT_EQ(text_of(c, one), "http example.com /p?b=2&b=1&c");
  EXPECT_EQ(key_of(c, Request("/p?a=1")), key_of(c, Request("/p")));
  c.query = {};
  EXPECT_EQ(key_of(c, Request("/p?")), key_of(c, Request("/p?&")));
}

// However a parameter is dressed up, what is keyed is what is sent.
TEST(Key, CloakedParametersAreKeyedOrDroppedWhole) {
  CacheConfig c = config();
  struct Row {
    QueryKey rule;
    const char *asked, *kept;
  };
  const QueryKey drop{QueryKey::Mode::drop, {"utm_*"}}, allow{QueryKey::Mode::allow, {"page"}};
  const Row rows[] = {
      {drop, "utm_a=1;page=evil", ""},
      {drop, "page=1;utm_a=1&utm_b=2", "page=1;utm_a=1"},
      {drop, "utm%5Fa=1", "utm%5Fa=1"},
      {drop, "UTM_a=1", "UTM_a=1"},
      {drop, "page=1&page=2&utm_x", "page=1&page=2"},
      {drop, "a=1&&=2&b", "a=1&=2&b"},
      {allow, "page=1;callback=evil&callback=evil", "page=1;callback=evil"},
      {allow, "p%61ge=2&page=1", "page=1"},
      {allow, "page[]=1&page=1", "page=1"},
      {allow, "callback=x", ""},
  };
  for (const Row& row : rows) {
    c.query = row.rule;
    Request request(std::string("/?") + row.asked);
    std::string sent = std::string("/") + (*row.kept ? "?" : "") + row.kept;
    EXPECT_EQ(Cache(c, 1).forward_target(request.head), sent) << row.asked;
    EXPECT_EQ(text_of(c, request), "http example.com " + sent) << row.asked;
    EXPECT_EQ(key_of(c, request), key_of(c, Request(sent))) << "kept as it is by the same rule";
  }
}

TEST(Key, FieldsAndCookiesKeepApart) {
  CacheConfig c = config();
  c.key_headers = {"x-a", "x-b"};
  c.key_cookies = {"k"};
  Request one("/", {{"X-A", "1"}, {"X-B", "2"}});
  Request two("/", {{"X-A", "12"}, {"X-B", ""}});
  Request three("/", {{"X-A", "1"}, {"X-B", "2"}, {"Cookie", "k=1"}});
  EXPECT_NE(key_of(c, one), key_of(c, two));
  EXPECT_NE(key_of(c, one), key_of(c, three));
  EXPECT_TRUE(key_of(c, three).starts_with(key_of(config(), three))) << "what a purge of the URL finds";
}

// What was stored under other rules is another's, whatever values its key holds.
TEST(Key, OtherRulesMakeOtherKeys) {
  CacheConfig a = config(), b = config(), ab = config(), ba = config(), device = config(), agent = config();
  a.key_headers = {"x-a"};
  b.key_headers = {"x-b"};
  ab.key_headers = {"x-a", "x-b"};
  ba.key_headers = {"x-b", "x-a"};
  device.key_device = true;
  agent.key_headers = {"user-agent"};
  EXPECT_NE(key_of(a, Request("/", {{"X-A", "v"}})), key_of(b, Request("/", {{"X-B", "v"}})));
  EXPECT_NE(key_of(ab, Request("/", {{"X-A", "1"}, {"X-B", "2"}})),
            key_of(ba, Request("/", {{"X-A", "2"}, {"X-B", "1"}})));
  EXPECT_NE(key_of(device, Request("/")), key_of(agent, Request("/", {{"User-Agent", "desktop"}})));
  CacheConfig one = config(), two = config(), turned = config();
  one.key_cookies = {"a"};
  two.key_cookies = {"a", "b"};
  turned.key_cookies = {"b", "a"};
  const Request request("/", {{"Cookie", "a=1"}});
  EXPECT_NE(key_of(one, request), key_of(two, request)) << "with `a` alone, answers may depend on b";
  EXPECT_EQ(key_of(two, request), key_of(turned, request)) << "cookies come in the client's order";
  CacheConfig country = config();
  country.key_country = true;
  EXPECT_NE(key_of(country, Request("/")), key_of(device, Request("/")));
  EXPECT_EQ(key_mark(config()), "");
  EXPECT_NE(key_for_people(Rules(b), key_of(a, Request("/", {{"X-A", "v"}}))).find("other rules"), std::string::npos);
}

TEST(Key, DeviceCountryRouteAndPoolKeepApart) {
  CacheConfig c = config();
  Request desktop("/"), phone("/", {{"User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile/15E148"}});
  EXPECT_EQ(key_of(c, desktop), key_of(c, phone));
  c.key_device = true;
  EXPECT_NE(key_of(c, desktop), key_of(c, phone));
  RequestView here = desktop.at(start_ms), there = here;
  there.country = "DE";
  EXPECT_EQ(key_of(c, here), key_of(c, there));
  c.key_country = true;
  EXPECT_NE(key_of(c, here), key_of(c, there));
  RequestView beta = here, other = here;
  beta.route = "beta";
  EXPECT_NE(key_of(config(), here), key_of(config(), beta));
  other.pool = "beta";
  EXPECT_NE(key_of(config(), here), key_of(config(), other));
  EXPECT_NE(key_of(config(), beta), key_of(config(), other));
}

// Parts out of what lengths, marks and separators are written with: no two requests share a key.
TEST(Key, NothingCanBeCraftedIntoAnothersKey) {
  CacheConfig c = config();
  c.key_headers = {"x-a"};
  c.key_country = true;
  std::mt19937 random(7);
  auto part = [&random] {
    std::string text;
    for (size_t n = random() % 4; n > 0; --n) text += "0123:-|?"[random() % 8];
    return text;
  };
  std::map<std::string, std::array<std::string, 7>> seen;
  for (int i = 0; i < 200'000; ++i) {
    std::array<std::string, 7> parts;
    for (std::string& p : parts) p = part();
    std::erase(parts[1], '?');
    Request request("/" + parts[1] + (random() % 2 ? "?" + parts[2] : ""), {{"X-A", parts[3]}});
    parts[2] = request.path;
    RequestView view{request.head, "http", parts[0], start_ms};
    view.country = parts[4];
    view.route = parts[5];
    view.pool = parts[6];
    auto [at, fresh] = seen.emplace(key_of(c, view), parts);
    ASSERT_TRUE(fresh || at->second == parts) << at->first;
  }
}

TEST(Key, EveryByteOfATargetCounts) {
  const std::string target = "/a%2Fb/./c//d;x=1\\e?q=%41&&r+s";
  const std::string key = key_of(config(), Request(target));
  for (size_t i = 1; i < target.size(); ++i) {
    std::string other = target;
    other[i] = target[i] == 'z' ? 'y' : 'z';
    EXPECT_NE(key_of(config(), Request(other)), key) << other;
    other = target;
    other.erase(i, 1);
    EXPECT_NE(key_of(config(), Request(other)), key) << other;
  }
}

TEST(Key, Urls) {
  auto url = parse_url("HTTPS://Example.COM:443/a?b#c");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->authority, "example.com");
  EXPECT_EQ(url->path, "/a");
  EXPECT_EQ(*url->query, "b");
  EXPECT_EQ(parse_url("http://h:8080")->path, "/");
  EXPECT_EQ(parse_url("http://h.:80/")->authority, "h");
  EXPECT_EQ(parse_url("http://h.:81/")->authority, "h:81");
  EXPECT_EQ(parse_url("http://[::1]:81/")->authority, "[::1]:81");
  EXPECT_FALSE(parse_url("ftp://h/"));
  EXPECT_FALSE(parse_url("/only/a/path"));
  EXPECT_FALSE(parse_url("http:///x"));
}

TEST(Key, ReferencesAreResolved) {  // RFC 3986 §5.2
  struct Row {
    const char *reference, *path;
    std::optional<std::string> query;
  };
  const Row rows[] = {
      {"../list", "/a/list", {}},
      {"./x", "/a/b/x", {}},
      {"x/../y?z=../1", "/a/b/y", "z=../1"},
      {"..", "/a/", {}},
      {".", "/a/b/", {}},
      {"../../../../x", "/x", {}},
      {"/x/./y/../z", "/x/z", {}},
      {"/..x/.y/z.", "/..x/.y/z.", {}},
      {"//example.com/x/..", "/", {}},
      {"http://example.com/x/../y", "/y", {}},
      {"http://example.com", "/", {}},
      {"x//../y", "/a/b/x/y", {}},
      {"?z", "/a/b/c", "z"},
      {"", "/a/b/c", "q"},
      {"#top", "/a/b/c", "q"},
      {"x#/../y", "/a/b/x", {}},
  };
  Request request("/a/b/c?q");
  for (const Row& row : rows) {
    auto url = resolve(request.at(start_ms), row.reference);
    ASSERT_TRUE(url) << row.reference;
    EXPECT_EQ(url->authority, "example.com") << row.reference;
    EXPECT_EQ(url->path, row.path) << row.reference;
    EXPECT_EQ(url->query, row.query) << row.reference;
  }
}

TEST(Cache, APurgeFindsWhatMoreThanTheUrlKeepsApart) {
  Cache cache(config(), 1);
  Request request("/a");
  for (const char* route : {"", "beta", "gamma"}) {
    RequestView view = request.at(start_ms);
    view.route = route;
    Lookup lookup = cache.find(view);
    ASSERT_TRUE(lookup.writer) << route;
    fill(lookup, Response(Pairs{{"Cache-Control", "max-age=60"}}), route);
  }
  EXPECT_EQ(cache.purge("http://example.com/a"), 3u);
}

TEST(Cache, WhoTheOriginKnowsIsTreatedLikeAuthorization) {
  Cache cache(config(), 1);
  for (const char* control : {"max-age=60", "max-age=60, public"}) {
    Request request(control);
    RequestView view = request.at(start_ms);
    view.identified = true;
    Lookup lookup = cache.find(view);
    ASSERT_TRUE(lookup.writer);
    bool stored = fill(lookup, Response(Pairs{{"Cache-Control", control}}), "x") == Writer::Verdict::stored;
    EXPECT_EQ(stored, std::string_view(control).ends_with("public"));
  }
}

TEST(Cache, ARefreshIsNotAnsweredButStored) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=60"}}, "old");
  Request request("/a");
  RequestView view = request.at(start_ms);
  view.refresh = true;
  Lookup lookup = cache.find(view);
  ASSERT_TRUE(lookup.writer);
  EXPECT_EQ(fill(lookup, Response(Pairs{{"Cache-Control", "max-age=60"}}), "new"), Writer::Verdict::stored);
  EXPECT_EQ(body_of(cache.find(request.at(start_ms)).object), "new");
}

// ── what is known to change answers ──

bool dropped(const CacheConfig& c, std::string_view name) {
  return withheld(Rules(c), {name, "x", http::field_id(name)});
}

TEST(Unkeyed, FieldsThatChangeAnswersAreWithheldUnlessKeyed) {
  CacheConfig c = config();
  for (const char* name : {"X-Forwarded-Host",
                           "x-forwarded-anything",
                           "X-Original-URL",
                           "X-Rewrite-Url",
                           "X-HTTP-Method-Override",
                           "X-Method-Override",
                           "Forwarded",
                           "X-Host",
                           "X-Forwarded-Scheme",
                           "True-Client-IP",
                           "X-Middleware-Prefetch",
                           "X-Invoke-Status",
                           "CloudFront-Viewer-Country",
                           "X-Device-Class",
                           "X-Country-Code",
                           "Surrogate-Capability",
                           "X-Forward-For",
                           "X-Sendfile-Type",
                           "X-Accel-Mapping",
                           "X-Matched-Path",
                           "X-Vercel-IP-Country",
                           "X-Replaced-Path"})
    EXPECT_TRUE(dropped(c, name)) << name;
  for (const char* name : {"Accept", "Accept-Language", "User-Agent", "Referer", "Origin", "X-Requested-With",
                           "X-Api-Key", "X-Forward", "DNT", "Range", "Sec-Fetch-Mode", "traceparent", "X-Request-Id"})
    EXPECT_FALSE(dropped(c, name)) << name;
  c.key_headers = {"x-forwarded-host", "x-original-url"};
  EXPECT_FALSE(dropped(c, "X-Forwarded-Host"));
  EXPECT_FALSE(dropped(c, "x-original-url"));
  EXPECT_TRUE(dropped(c, "X-Original-Host"));
  c.drop_headers = {"x-api-key", "x-tenant-*"};
  EXPECT_TRUE(dropped(c, "X-API-Key"));
  EXPECT_TRUE(dropped(c, "X-Tenant-Name"));
  EXPECT_FALSE(dropped(c, "X-Tenant"));
}

TEST(Device, IsGuessedFromTheUserAgent) {
  struct Row {
    const char *agent, *is;
  };
  const Row rows[] = {
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", "desktop"},
      {"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "desktop"},
      {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 Safari/604.1", "mobile"},
      {"Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/130.0 Mobile Safari/537.36", "mobile"},
      {"Mozilla/5.0 (Linux; Android 14; SM-X910) Chrome/130.0 Safari/537.36", "tablet"},
      {"Mozilla/5.0 (iPad; CPU OS 12_0 like Mac OS X) Mobile/15E148", "tablet"},
      {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"},
      {"Mozilla/5.0 (iPhone) Mobile (compatible; bingbot/2.0)", "bot"},
      {"curl/8.0", "desktop"},
      {"", "desktop"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(device_class(Request("/", {{"User-Agent", row.agent}}).head.fields), row.is) << row.agent;
  EXPECT_EQ(device_class(Request("/").head.fields), "desktop");
}

// ── extensions ──

TEST(Extension, HtmlUnderAnAssetsNameDoesNotFit) {
  struct Row {
    const char *path, *type;
    bool fits;
  };
  const Row rows[] = {
      {"/account/x.css", "text/html", false},
      {"/account/x.css;a=b", "text/html; charset=utf-8", false},
      {"/account;x.css", "text/html", false},
      {"/account%2fx.JPG", "Text/HTML", false},
      {"/account%00x.js", "text/html", false},
      {"/account.css%3fx", "text/html", false},
      {"/account/x.png", "application/json", false},
      {"/account/x.pdf", "application/xhtml+xml", false},
      {"/account/x.zip", "application/json", false},
      {"/x.jpg", "image/webp", true},
      {"/x.css", "text/css; charset=utf-8", true},
      {"/x.js", "application/javascript", true},
      {"/x.map", "application/json", true},
      {"/x.woff2", "font/woff2", true},
      {"/x.m3u8", "application/vnd.apple.mpegurl", true},
      {"/x.tar.gz", "application/gzip", true},
      {"/x.css", "application/octet-stream", true},
      {"/x.css", nullptr, true},
      {"/a/x.%63ss", "text/html", false},
      {"/a/x%2ecss", "text/html", false},
      {"/a/x.%43%53S", "text/html", false},
      {"/a/x.css%2fpage", "text/html", false},
      {"/a/x.%6", "text/html", true},
      {"/x.html", "text/html", true},
      {"/x.css/", "text/html", true},
      {"/a.css/page", "text/html", true},
      {"/page", "text/html", true},
      {"/x.verylongextension", "text/html", true},
      {"/x.", "text/html", true},
  };
  for (const Row& row : rows) {
    auto type = row.type ? std::optional<std::string_view>(row.type) : std::nullopt;
    EXPECT_EQ(fits(asset_of(row.path), 200, type), row.fits) << row.path << " " << (row.type ? row.type : "");
  }
  EXPECT_TRUE(fits(asset_of("/x.css"), 301, "text/html"));
  EXPECT_TRUE(fits(asset_of("/x.css"), 404, "text/html"));
  EXPECT_FALSE(fits(asset_of("/x.css"), 500, "text/html"));
}

TEST(Extension, IsCheckedByDefaultInCdnSafe) {
  for (bool set : {false, true}) {
    for (const char* profile : {"cdn-safe", "rfc"}) {
      CacheConfig c = config();
      c.profile = profile;
      bool checked = c.profile == "cdn-safe";
      if (set) c.extension_check = checked = !checked;
      Cache cache(c, 1);
      Request request("/me/x.css");
      Lookup lookup = cache.find(request.at(start_ms));
      Response page(Pairs{{"Cache-Control", "max-age=60"}, {"Content-Type", "text/html"}});
      EXPECT_EQ(fill(lookup, page, "me"), checked ? Writer::Verdict::uncacheable : Writer::Verdict::stored) << profile;
    }
  }
}

TEST(Key, AHostThatIsMissingIsNoReasonToStumble) {
  for (const char* text :
       {"http://:1/", "https://:::/a", "http://:/", "http://.:2/", "http://[:::/", "http://@/", "http:///"})
    if (auto url = parse_url(text)) EXPECT_FALSE(url->authority.ends_with(".")) << text;
  EXPECT_EQ(parse_url("http://Example.com.:8080/")->authority, "example.com:8080");
}

}  // namespace
}  // namespace portolan::edge::test
