// Expressions, what they imply, and what conditions hold for and exclude.
#include "proxy/conditions.hh"

#include <gtest/gtest.h>

#include "core/base/clock.hh"
#include "proxy/request_target.hh"

namespace portolan::proxy {
namespace {

using Form = ValueMatch::Form;

TEST(Regexes, AreFoundAnywhereUnlessAnchored) {
  auto found = [](const char* pattern, std::string_view text) { return http::Regex::compile(pattern)->found_in(text); };
  EXPECT_TRUE(found("v[0-9]+", "/api/v12/x"));
  EXPECT_TRUE(found("^/api/", "/api/x"));
  EXPECT_FALSE(found("^/api/", "/x/api/"));
  EXPECT_TRUE(found("\\.(png|jpg)$", "/a.jpg"));
  EXPECT_FALSE(found("\\.(png|jpg)$", "/a.jpg/b"));
  EXPECT_FALSE(found("^/A", "/a"));
  EXPECT_TRUE(found("(?i)^/A", "/a"));
  EXPECT_TRUE(found("^.$", "\xff")) << "bytes, not characters";
  EXPECT_FALSE(http::Regex().found_in("")) << "nothing compiled, nothing found";
}

TEST(Regexes, MistakesAreTold) {
  for (const char* bad : {"(", "[a", "a**", "\\1", "(?=a)"}) EXPECT_FALSE(http::Regex::compile(bad)) << bad;
  EXPECT_TRUE(http::Regex::compile(std::string(http::Regex::longest, 'a')));
  EXPECT_FALSE(http::Regex::compile(std::string(http::Regex::longest + 1, 'a')));
  EXPECT_FALSE(http::Regex::compile("((a{100}){100}){100}")) << "it would take too much memory";
}

TEST(Regexes, TakeNoLongerForHostileTexts) {
  auto regex = http::Regex::compile("^(a+)+$");
  std::string text(100'000, 'a');
  EXPECT_TRUE(regex->found_in(text));
  EXPECT_FALSE(regex->found_in(text + "b"));
}

TEST(LiteralEnds, AreWhatIsSure) {
  struct Case {
    const char *pattern, *prefix, *suffix;
  };
  for (const Case& c : {Case{"^/api/v[0-9]+", "/api/v", ""},
                        {"^/x$", "/x", "/x"},
                        {"\\.png$", "", ".png"},
                        {"^/a\\.b/", "/a.b/", ""},
                        {"^/ab?c", "/a", ""},
                        {"^/ab*$", "/a", ""},
                        {"^/ab{2}c$", "/a", "c"},
                        {"^/a|^/b", "", ""},
                        {"^/(a|b)/c$", "/", "/c"},
                        {"^/[ab]c$", "/", "c"},
                        {"^/a(?i)b", "", ""},
                        {"^/a\\x41$", "", ""},
                        {"^/a\\d$", "/a", ""},
                        {"/a", "", ""},
                        {"a\\$", "", ""},
                        {"^", "", ""},
                        {"", "", ""}}) {
    http::LiteralEnds ends = http::literal_ends(c.pattern);
    EXPECT_EQ(ends.prefix, c.prefix) << c.pattern;
    EXPECT_EQ(ends.suffix, c.suffix) << c.pattern;
  }
}

TEST(LiteralEnds, HoldForEveryTextInWhichTheExpressionIsFound) {
  Rng rng(3);
  const std::vector<std::string> pieces = {"^", "$", "a", "b",   "/", "\\.", "[ab]", "[^a]", "(",    ")",   "|",
                                           "?", "*", "+", "{2}", ".", "\\d", "\\$",  "(?:",  "[]a]", "\\b", "[a|b]"};
  int sure = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string pattern = rng.below(2) ? "^" : "";
    for (uint64_t n = rng.below(7); n > 0; --n) pattern += pieces[rng.below(pieces.size())];
    if (rng.below(2)) pattern += "$";
    auto regex = http::Regex::compile(pattern);
    if (!regex) continue;
    http::LiteralEnds ends = http::literal_ends(pattern);
    if (ends.prefix.empty() && ends.suffix.empty()) continue;
    for (int j = 0; j < 100; ++j) {
      std::string text;
      for (uint64_t n = rng.below(6); n > 0; --n) text += "ab/.$2|]"[rng.below(8)];
      if (!regex->found_in(text)) continue;
      ++sure;
      ASSERT_TRUE(text.starts_with(ends.prefix)) << pattern << " in " << text;
      ASSERT_TRUE(text.ends_with(ends.suffix)) << pattern << " in " << text;
    }
  }
  EXPECT_GT(sure, 1000);
}

TEST(QueryParameters, AreFoundAndDecoded) {
  Text decoded;
  auto find = [&](std::string_view query, std::string_view name) {
    auto found = query_parameter(query, name, decoded);
    return found ? std::string(*found) : "none";
  };
  EXPECT_EQ(find("a=1&b=2", "b"), "2");
  EXPECT_EQ(find("a=1&b=2", "c"), "none");
  EXPECT_EQ(find("a=1&a=2", "a"), "1") << "the first counts";
  EXPECT_EQ(find("a&b=2", "a"), "");
  EXPECT_EQ(find("a=", "a"), "");
  EXPECT_EQ(find("&&x=1=2&", "x"), "1=2");
  EXPECT_EQ(find("a=%41+b%2", "a"), "A b%2");
  EXPECT_EQ(find("%61=1", "a"), "1");
  EXPECT_EQ(find("a%=%zz", "a%"), "%zz");
  EXPECT_EQ(find("", "a"), "none");
  EXPECT_EQ(find("=1", ""), "1");
}

struct Request {
  http::Fields fields;
  std::string query;
  std::string method = "GET";
  IpAddress client = IpAddress::v4(10, 1, 2, 3);
  ClientCountry country;
  RouteQuery as_query() { return {"web", "a.test", "/", method, query, &fields, &client, &country, nullptr}; }
};

RouteConfig with_header(std::string name, Form form, std::vector<std::string> values = {}) {
  RouteConfig r;
  r.headers.push_back({std::move(name), {form, std::move(values)}});
  return r;
}

bool header_holds(Form form, std::vector<std::string> values, std::vector<std::string> lines) {
  Request request;
  for (const std::string& line : lines) request.fields.add("X-Beta", line);
  request.fields.add("X-Other", "1");
  return Conditions(with_header("x-beta", form, std::move(values))).hold(request.as_query());
}

TEST(Conditions, OnHeaders) {
  EXPECT_TRUE(header_holds(Form::exact, {"1"}, {"1"}));
  EXPECT_TRUE(header_holds(Form::exact, {"0", "1"}, {"1"}));
  EXPECT_FALSE(header_holds(Form::exact, {"1"}, {"11"}));
  EXPECT_FALSE(header_holds(Form::exact, {"1"}, {}));
  EXPECT_FALSE(header_holds(Form::exact, {""}, {})) << "an empty value is not none";
  EXPECT_TRUE(header_holds(Form::exact, {""}, {""}));
  EXPECT_TRUE(header_holds(Form::exact, {"1, 2"}, {"1", "2"})) << "lines are joined";
  EXPECT_FALSE(header_holds(Form::exact, {"1"}, {"1", "2"}));
  EXPECT_TRUE(header_holds(Form::prefix, {"ab"}, {"abc"}));
  EXPECT_FALSE(header_holds(Form::prefix, {"ab"}, {"xab"}));
  EXPECT_TRUE(header_holds(Form::regex, {"b.d"}, {"abcde"}));
  EXPECT_FALSE(header_holds(Form::regex, {"^b.d"}, {"abcde"}));
  EXPECT_TRUE(header_holds(Form::present, {}, {""}));
  EXPECT_FALSE(header_holds(Form::present, {}, {}));
  EXPECT_TRUE(header_holds(Form::absent, {}, {}));
  EXPECT_FALSE(header_holds(Form::absent, {}, {"x"}));
}

TEST(Conditions, OnKnownHeadersParametersAndClients) {
  Request request;
  request.fields.add("User-Agent", "curl/8");
  request.query = "v=2&flag";
  EXPECT_TRUE(Conditions(with_header("user-agent", Form::prefix, {"curl/"})).hold(request.as_query()));
  EXPECT_FALSE(Conditions(with_header("accept", Form::present)).hold(request.as_query()));
  RouteConfig r;
  r.query = {{"v", {Form::exact, {"2"}}}, {"flag", {Form::present, {}}}};
  EXPECT_TRUE(Conditions(r).hold(request.as_query()));
  r.query.push_back({"other", {Form::present, {}}});
  EXPECT_FALSE(Conditions(r).hold(request.as_query())) << "all must hold";
  RouteConfig c;
  c.clients = {*IpNetwork::parse("10.0.0.0/8")};
  EXPECT_TRUE(Conditions(c).hold(request.as_query()));
  request.client = IpAddress::v4(11, 0, 0, 1);
  EXPECT_FALSE(Conditions(c).hold(request.as_query()));
  EXPECT_FALSE(Conditions(c).hold({"web", "a", "/", "GET"})) << "nothing known holds for nothing";
}

TEST(Conditions, OnCountries) {
  geo::Table::Builder builder;
  geo::Location germany;
  germany.country = {'D', 'E'};
  ASSERT_TRUE(builder.insert(*IpNetwork::parse("10.0.0.0/8"), germany));
  auto table = builder.finish();
  RouteConfig r;
  r.countries = {"FR", "DE"};
  Request request;
  RouteQuery q = request.as_query();
  q.geo = table.get();
  EXPECT_TRUE(Conditions(r).hold(q));
  r.countries = {"FR"};
  EXPECT_FALSE(Conditions(r).hold(q));
  Request nobody;
  EXPECT_FALSE(Conditions(r).hold(nobody.as_query())) << "no database";
}

TEST(Conditions, ExcludeEachOtherOnlyWhereThatIsSure) {
  auto apart = [](const RouteConfig& a, const RouteConfig& b) {
    EXPECT_EQ(exclude_each_other(a, b), exclude_each_other(b, a));
    return exclude_each_other(a, b);
  };
  auto h = [](Form form, std::vector<std::string> values = {}) { return with_header("x", form, std::move(values)); };
  EXPECT_TRUE(apart(h(Form::exact, {"1"}), h(Form::exact, {"2"})));
  EXPECT_FALSE(apart(h(Form::exact, {"1", "2"}), h(Form::exact, {"2", "3"})));
  EXPECT_TRUE(apart(h(Form::exact, {"1"}), h(Form::prefix, {"2"})));
  EXPECT_FALSE(apart(h(Form::exact, {"21"}), h(Form::prefix, {"2"})));
  EXPECT_FALSE(apart(h(Form::prefix, {"21"}), h(Form::prefix, {"2"})));
  EXPECT_TRUE(apart(h(Form::prefix, {"1"}), h(Form::prefix, {"2"})));
  EXPECT_TRUE(apart(h(Form::exact, {"1"}), h(Form::regex, {"[23]"})));
  EXPECT_FALSE(apart(h(Form::exact, {"13"}), h(Form::regex, {"[23]"})));
  EXPECT_FALSE(apart(h(Form::prefix, {"1"}), h(Form::regex, {"^2"}))) << "not looked into";
  EXPECT_TRUE(apart(h(Form::present), h(Form::absent)));
  EXPECT_TRUE(apart(h(Form::exact, {"1"}), h(Form::absent)));
  EXPECT_FALSE(apart(h(Form::absent), h(Form::absent)));
  EXPECT_FALSE(apart(h(Form::exact, {"1"}), h(Form::present)));
  EXPECT_FALSE(apart(h(Form::exact, {"1"}), with_header("y", Form::exact, {"2"}))) << "other headers";
  RouteConfig a, b;
  a.clients = {*IpNetwork::parse("10.0.0.0/8")};
  b.clients = {*IpNetwork::parse("10.1.0.0/16")};
  EXPECT_FALSE(apart(a, b));
  b.clients = {*IpNetwork::parse("11.0.0.0/8")};
  EXPECT_TRUE(apart(a, b));
  a.path_regex = "^/v1/";
  b.clients = a.clients;
  EXPECT_FALSE(apart(a, b));
  b.path_regex = "^/v2/";
  EXPECT_TRUE(apart(a, b));
  a.path_regex = "\\.png$";
  b.path_regex = "\\.gif$";
  EXPECT_TRUE(apart(a, b));
}

}  // namespace
}  // namespace portolan::proxy
