// What routes do beside answering: variables, edited headers, rewritten paths, splits.
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/clock.hh"
#include "core/http/h1.hh"
#include "proxy/filters.hh"
#include "proxy/header_edits.hh"
#include "proxy/replacement.hh"
#include "proxy/rewrite.hh"
#include "proxy/split.hh"
#include "proxy/template.hh"

namespace portolan::proxy {
namespace {

const std::vector<Variable> all = {Variable::client_address, Variable::country, Variable::host,   Variable::path,
                                   Variable::query,          Variable::rest,    Variable::scheme, Variable::uri};

struct Request {
  explicit Request(std::string raw) : text(std::move(raw)) {
    EXPECT_EQ(parser.next(text).event, http::Event::head) << parser.reason();
  }
  http::RequestHead& head() { return parser.head(); }
  VariableSource source(std::string_view prefix = "") {
    return {head(), "a.example", "https", client, prefix, country, nullptr};
  }
  std::string text;
  http::RequestParser parser;
  IpAddress client = IpAddress::v4(192, 0, 2, 7);
  ClientCountry country;
};

std::string expanded(const char* text, const std::string& target, std::string_view prefix = "") {
  Request request("GET " + target + " HTTP/1.1\r\nHost: a.example\r\n\r\n");
  auto t = Template::parse(text, all);
  EXPECT_TRUE(t) << text;
  Text out;
  t->expand(request.source(prefix), out);
  return std::string(out);
}

TEST(Templates, Expand) {
  EXPECT_EQ(expanded("https://{host}{uri}", "/a/b?x=1"), "https://a.example/a/b?x=1");
  EXPECT_EQ(expanded("{path}|{query}|{scheme}|{client_address}", "/a?x"), "/a|x|https|192.0.2.7");
  EXPECT_EQ(expanded("{uri}", "/a?"), "/a?");
  EXPECT_EQ(expanded("[{country}]", "/"), "[]");
  EXPECT_EQ(expanded("/new/{rest}", "/old/a/b", "/old/"), "/new/a/b");
  EXPECT_EQ(expanded("/new/{rest}", "/old", "/old"), "/new/");
  EXPECT_EQ(expanded("/{rest}", "/old//evil.example/", "/old"), "/evil.example/") << "never two slashes";
  EXPECT_EQ(expanded("/{rest}", "/a", ""), "/a");
  EXPECT_EQ(expanded("{\"group\":\"x\",\"n\":{\"a\":1}}", "/"), "{\"group\":\"x\",\"n\":{\"a\":1}}");
  EXPECT_EQ(expanded("{}{{host}}{Host}{", "/"), "{}{a.example}{Host}{");
}

TEST(Templates, OfAFetchTheQueryIsThatOfItsKey) {
  Request request("GET /a?page=1&utm_x=2 HTTP/1.1\r\nHost: a.example\r\n\r\n");
  auto t = Template::parse("{query}|{uri}|{path}", all);
  ASSERT_TRUE(t);
  for (auto [target, expected] :
       {std::pair{"/a?page=1", "page=1|/a?page=1|/a"}, {"/a", "|/a|/a"}, {"/a?", "|/a?|/a"}}) {
    VariableSource source = request.source();
    source.target = target;
    Text out;
    t->expand(source, out);
    EXPECT_EQ(out, expected);
  }
}

TEST(Templates, UnknownVariablesAreTold) {
  auto t = Template::parse("{hots}", all);
  ASSERT_FALSE(t);
  EXPECT_NE(t.error().text.find("\"host\""), std::string::npos) << t.error().text;
  EXPECT_FALSE(Template::parse("{host}", {Variable::path}));
}

HeaderEdits edits_of(std::vector<std::pair<const char*, const char*>> set,
                     std::vector<std::pair<const char*, const char*>> add, std::vector<std::string> remove) {
  HeaderEdits edits;
  for (auto [name, value] : set) edits.set.push_back({name, *Template::parse(value, all)});
  for (auto [name, value] : add) edits.add.push_back({name, *Template::parse(value, all)});
  edits.remove = std::move(remove);
  return edits;
}

std::string sent_to_server(Request& request, const HeaderEdits& edits, std::string_view prefix = "") {
  Client client;
  client.address = client.peer = request.client;
  AppliedEdits applied;
  applied.apply(edits, request.source());
  RequestFilter filter(client);
  filter.node = "edge";
  filter.authority = "a.example";
  filter.edits = &applied;
  filter.prefix = prefix;
  BlockWriter out;
  write_request(out, request.head(), filter);
  return std::string(out.view());
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(EditedRequests, LoseAndGetWhatTheRouteSays) {
  Request request(
      "GET / HTTP/1.1\r\nHost: a.example\r\nX-Env: theirs\r\nx-env: again\r\nCookie: c=1\r\nX-Tag: one\r\n"
      "X-Country: DE\r\nX-Forwarded-Prefix: /theirs\r\n\r\n");
  std::string sent = sent_to_server(
      request,
      edits_of(
          {{"X-Env", "prod"}, {"X-Country", "{country}"}, {"Host", "inner.example"}, {"X-Forwarded-Proto", "https"}},
          {{"X-Tag", "{client_address}"}}, {"cookie", "x-real-ip"}),
      "/old");
  EXPECT_TRUE(sent.starts_with("GET / HTTP/1.1\r\nHost: inner.example\r\n")) << sent;
  EXPECT_TRUE(holds(sent, "\r\nX-Env: prod\r\n"));
  EXPECT_FALSE(holds(sent, "theirs"));
  EXPECT_FALSE(holds(sent, "again"));
  EXPECT_FALSE(holds(sent, "Cookie"));
  EXPECT_FALSE(holds(sent, "X-Real-IP"));
  EXPECT_FALSE(holds(sent, "X-Country")) << "an unknown country is no header, and nobody's word for one";
  EXPECT_TRUE(holds(sent, "\r\nX-Tag: one\r\n"));
  EXPECT_TRUE(holds(sent, "\r\nX-Tag: 192.0.2.7\r\n"));
  EXPECT_TRUE(holds(sent, "\r\nX-Forwarded-Proto: https\r\n"));
  EXPECT_FALSE(holds(sent, "X-Forwarded-Proto: http\r\n"));
  EXPECT_TRUE(holds(sent, "\r\nX-Forwarded-Host: a.example\r\n")) << "what the client asked for";
  EXPECT_TRUE(holds(sent, "\r\nX-Forwarded-Prefix: /old\r\n"));
  EXPECT_TRUE(sent.ends_with("\r\n\r\n"));
}

TEST(EditedRequests, LoseTheCookieThatACacheForwardsToo) {
  Request request("GET / HTTP/1.1\r\nHost: a.example\r\nCookie: c=1\r\n\r\n");
  HeaderEdits edits = edits_of({{"Cookie", "fixed=1"}}, {}, {});
  Client client;
  AppliedEdits applied;
  applied.apply(edits, request.source());
  RequestFilter filter(client);
  filter.authority = "a.example";
  filter.for_cache = filter.replace_cookie = true;
  filter.cookie = "c=1";
  filter.edits = &applied;
  BlockWriter out;
  write_request(out, request.head(), filter);
  std::string sent(out.view());
  EXPECT_TRUE(holds(sent, "\r\nCookie: fixed=1\r\n")) << sent;
  EXPECT_FALSE(holds(sent, "c=1\r")) << sent;
}

std::string sent_to_client(const Answer& answer, const HeaderEdits& edits, std::string_view location = "") {
  Request request("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  AppliedEdits applied;
  applied.apply(edits, request.source());
  ResponseFilter filter;
  filter.node = "edge";
  filter.date = "now";
  filter.cache_status = "edge; hit";
  filter.hsts = "max-age=1";
  filter.edits = &applied;
  filter.location = location;
  BlockWriter out;
  write_response(out, answer, filter);
  return std::string(out.view());
}

TEST(EditedAnswers, LoseAndGetWhatTheRouteSaysHoweverTheyWereStored) {
  http::Fields fields;
  fields.add("Server", "App/1");
  fields.add("X-Powered-By", "x");
  fields.add("Set-Cookie", "a=1");
  fields.add("Date", "then");
  Answer answer;
  answer.fields = &fields;
  answer.reason = "OK";
  answer.age_s = 3;
  HeaderEdits edits =
      edits_of({{"X-Frame-Options", "DENY"}, {"server", ""}, {"Strict-Transport-Security", "max-age=9"}},
               {{"Set-Cookie", "b=2"}}, {"x-powered-by", "via", "cache-status", "age"});
  for (std::string_view wire : {"", "Server: App/1\r\nX-Powered-By: x\r\nSet-Cookie: a=1\r\nDate: then\r\n"}) {
    answer.wire = wire;
    std::string sent = sent_to_client(answer, edits);
    EXPECT_TRUE(holds(sent, "\r\nX-Frame-Options: DENY\r\n")) << sent;
    EXPECT_TRUE(holds(sent, "\r\nSet-Cookie: a=1\r\n"));
    EXPECT_TRUE(holds(sent, "\r\nSet-Cookie: b=2\r\n"));
    EXPECT_TRUE(holds(sent, "\r\nDate: then\r\n"));
    EXPECT_TRUE(holds(sent, "\r\nStrict-Transport-Security: max-age=9\r\n"));
    for (const char* gone : {"App/1", "X-Powered-By", "Via", "Cache-Status", "Age", "max-age=1\r", "Date: now"})
      EXPECT_FALSE(holds(sent, gone)) << gone << " in " << sent;
  }
}

TEST(EditedAnswers, LeadToWhereTheClientCanGo) {
  http::Fields fields;
  fields.add("Location", "/new/x");
  Answer answer;
  answer.status = 302;
  answer.fields = &fields;
  answer.wire = "Location: /new/x\r\nDate: then\r\n";
  std::string sent = sent_to_client(answer, {}, "/old/x");
  EXPECT_TRUE(holds(sent, "\r\nLocation: /old/x\r\n")) << sent;
  EXPECT_FALSE(holds(sent, "/new/x"));
}

std::string rewritten(const char* from, const char* to, const char* path) {
  RouteConfig route;
  route.path = from;
  route.rewrite = RewriteConfig{to};
  Text out;
  rewrite_path(route, path, out);
  return std::string(out);
}

TEST(Rewrites, ReplaceThePrefixByWholeSegments) {
  EXPECT_EQ(rewritten("/old/", "/new/", "/old/x/y"), "/new/x/y");
  EXPECT_EQ(rewritten("/old", "/new", "/old/x"), "/new/x");
  EXPECT_EQ(rewritten("/old/", "/new/", "/old"), "/new");
  EXPECT_EQ(rewritten("/old/", "/new/", "/old/"), "/new/");
  EXPECT_EQ(rewritten("/old", "/", "/old/x"), "/x");
  EXPECT_EQ(rewritten("/old", "/", "/old"), "/");
  EXPECT_EQ(rewritten("/old", "/", "/old//evil.example/"), "/evil.example/");
  EXPECT_EQ(rewritten("", "/app", "/x"), "/app/x");
  EXPECT_EQ(rewritten("/", "/app/", "/"), "/app/");
  EXPECT_EQ(rewritten("/old", "/new", "/old/%2F?"), "/new/%2F?");
  EXPECT_EQ(rewritten("", "/app", "*"), "*");
  RouteConfig exact;
  exact.path_exact = "/favicon.ico";
  exact.rewrite = RewriteConfig{"/static/icon/"};
  Text out;
  rewrite_path(exact, "/favicon.ico", out);
  EXPECT_EQ(out, "/static/icon/");
}

std::string replaced(const char* regex, const char* to, const char* path) {
  RouteConfig route;
  route.rewrite = RewriteConfig{"", regex, to, *Replacement::make(regex, to)};
  Text out;
  return rewrite_path(route, path, out) ? std::string(out) : "climbs";
}

TEST(Rewrites, MakeOfAPathWhatAnExpressionSays) {
  EXPECT_EQ(replaced("^/v([0-9]+)/(.*)$", "/api/{2}/v{1}", "/v12/a/b"), "/api/a/b/v12");
  EXPECT_EQ(replaced("^/v([0-9]+)/(.*)$", "/api/{2}/v{1}", "/w12/a/b"), "/w12/a/b") << "not found: as it was";
  EXPECT_EQ(replaced("^/(?P<user>[a-z]+)/(?P<rest>.*)", "/{rest}/of/{user}", "/anna/x"), "/x/of/anna");
  EXPECT_EQ(replaced("b", "/x{0}{0}", "/abc"), "/xbb") << "the whole path, wherever it is found";
  EXPECT_EQ(replaced("^/(a)|(b)", "/{1}-{2}", "/a"), "/a-") << "a group that took no part is empty";
  EXPECT_EQ(replaced("^/(.*)$", "/{}{1}{a b}{", "/x"), "/{}x{a b}{") << "text";
  EXPECT_EQ(replaced("^/old(.*)$", "/{1}", "/old//evil.example/"), "/evil.example/") << "names no host";
  EXPECT_EQ(replaced("^/old(.*)$", "/{1}", "/old/\\evil"), "/evil");
  EXPECT_EQ(replaced("^/old(.*)$", "/{1}", "/old"), "/");
  EXPECT_EQ(replaced("^/(.)/(.)/x$", "/{1}{2}/x", "/././x"), "climbs");
  EXPECT_EQ(replaced("", "/x", "*"), "*");
  std::string longest(100'000, 'a');
  EXPECT_EQ(replaced("^/(a*)*b$", "/{1}", ("/" + longest).c_str()), "/" + longest) << "in time linear in the path";
  RouteConfig route;
  route.rewrite = RewriteConfig{"", "^/(.*)", "/app/{1}", *Replacement::make("^/(.*)", "/app/{1}")};
  Text out;
  EXPECT_FALSE(restore_location(route, "a.example", "/app/x", out)) << "nobody can tell what it was";
  EXPECT_EQ(stripped_prefix(route), "");
}

TEST(Rewrites, TellWhatIsWrongWithAnExpression) {
  auto wrong = [](const char* regex, const char* to) {
    auto made = Replacement::make(regex, to);
    return made ? std::string() : made.error().text;
  };
  EXPECT_EQ(wrong("(a", "/"), "missing ): (a");
  EXPECT_EQ(wrong("(a)", "/{2}"), "{2} is no group of the expression, which has 1");
  EXPECT_EQ(wrong("(a)", "/{99999999999}"), "{99999999999} is no group of the expression, which has 1");
  EXPECT_EQ(wrong("(?P<rest>a)", "/{rst}"), "{rst} is no group of the expression; did you mean \"rest\"?");
  EXPECT_EQ(wrong("(a)", "/$1"), "$1 is text here; write {1} for what the group caught");
  EXPECT_EQ(wrong("(a)", "/\\1"), "\\1 is text here; write {1} for what the group caught");
}

TEST(Rewrites, AreTakenBackInLocations) {
  RouteConfig route;
  route.path = "/old/";
  route.rewrite = RewriteConfig{"/new/"};
  auto restored = [&](const char* location) {
    Text out;
    return restore_location(route, "A.example:8080", location, out) ? std::string(out) : "stays";
  };
  EXPECT_EQ(restored("/new/x?y"), "/old/x?y");
  EXPECT_EQ(restored("/new"), "/old");
  EXPECT_EQ(restored("/new?y"), "/old?y");
  EXPECT_EQ(restored("/newer"), "stays");
  EXPECT_EQ(restored("/other"), "stays");
  EXPECT_EQ(restored("x"), "stays");
  EXPECT_EQ(restored("//new/x"), "stays");
  EXPECT_EQ(restored("http://a.example:8080/new/x"), "http://a.example:8080/old/x");
  EXPECT_EQ(restored("https://b.example/new/x"), "stays");
  EXPECT_EQ(restored("http://a.example:8080"), "stays");
  route.rewrite = RewriteConfig{"/"};
  EXPECT_EQ(restored("/login"), "/old/login");
  EXPECT_EQ(restored("/"), "/old/");
  EXPECT_EQ(restored("//evil.example"), "stays");
  EXPECT_EQ(stripped_prefix(route), "/old");
  route.path = "";
  route.rewrite = RewriteConfig{"/app"};
  EXPECT_EQ(restored("/app/x"), "/x");
  EXPECT_EQ(restored("/app"), "/");
  EXPECT_EQ(stripped_prefix(route), "");
}

IpAddress client(uint64_t n) {
  return IpAddress::v4(10, static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n));
}

TEST(Splits, GiveEachPoolItsShare) {
  const std::vector<PoolShare> pools = {{"app", 80}, {"canary", 15}, {"off", 0}, {"old", 5}};
  constexpr int clients = 100'000;
  std::vector<int> got(pools.size());
  for (uint64_t n = 0; n < clients; ++n) ++got[choose_pool(pools, client(n))];
  for (size_t i = 0; i < pools.size(); ++i) {
    double share = pools[i].weight / 100.0;
    EXPECT_NEAR(got[i], clients * share, 5 * std::sqrt(clients * share * (1 - share)) + 0.5) << pools[i].pool;
  }
}

TEST(Splits, KeepAClientWhereItIsAndMoveOnlyThoseWhoMust) {
  const std::vector<PoolShare> before = {{"app", 90}, {"canary", 5}, {"old", 5}};
  const std::vector<PoolShare> reordered = {{"old", 5}, {"canary", 5}, {"app", 90}};
  const std::vector<PoolShare> after = {{"app", 90}, {"canary", 20}, {"old", 5}};
  int moved = 0;
  constexpr int clients = 20'000;
  for (uint64_t n = 0; n < clients; ++n) {
    const std::string& pool = before[choose_pool(before, client(n))].pool;
    ASSERT_EQ(reordered[choose_pool(reordered, client(n))].pool, pool) << "order is nothing";
    const std::string& later = after[choose_pool(after, client(n))].pool;
    if (later == pool) continue;
    ++moved;
    ASSERT_EQ(later, "canary") << "nobody moves but to the pool that grew";
  }
  double must = 20.0 / 115 - 5.0 / 100;
  EXPECT_NEAR(moved, clients * must, 5 * std::sqrt(clients * must));
}

TEST(Splits, KeepAnIpv6NetworkTogether) {
  const std::vector<PoolShare> pools = {{"a", 1}, {"b", 1}};
  size_t first = choose_pool(pools, *IpAddress::parse("2001:db8:0:1::1"));
  for (const char* other : {"2001:db8:0:1::2", "2001:db8:0:1:ffff::"})
    EXPECT_EQ(choose_pool(pools, *IpAddress::parse(other)), first);
  int firsts = 0;
  for (int i = 0; i < 100; ++i)
    firsts += choose_pool(pools, *IpAddress::parse("2001:db8:0:" + std::to_string(i) + "::1")) == 0;
  EXPECT_GT(firsts, 20);
  EXPECT_LT(firsts, 80);
}

}  // namespace
}  // namespace portolan::proxy
