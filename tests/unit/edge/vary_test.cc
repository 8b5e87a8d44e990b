// Vary: what selects a variant, in one spelling (RFC 9111 §4.1; RFC 9110 §12.5).
#include "edge/rules.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

std::string values(std::string_view names, Pairs pairs) {
  std::string out;
  vary_values(names, Request("/", std::move(pairs)).head.fields, out);
  return out;
}

TEST(Vary, EncodingsAreAFew) {
  struct Row {
    const char* said;
    const char* means;
  };
  const Row rows[] = {
      {"gzip", "gzip"},
      {"gzip, deflate, br, zstd", "br, gzip, zstd"},
      {"zstd,br;q=0.1 , GZIP", "br, gzip, zstd"},
      {"x-gzip", "gzip"},
      {"gzip;q=0", "identity"},
      {"gzip; q=0.0, br", "br"},
      {"gzip;q=0.001", "gzip"},
      {"deflate", "identity"},
      {"", "identity"},
      {"identity", "identity"},
      {"*", "br, gzip, zstd"},
      {"*;q=0, gzip", "gzip, identity;q=0"},
      {"br, *;q=0", "br, identity;q=0"},
      {"identity;q=0, br", "br, identity;q=0"},
      {"*;q=0, identity", "identity"},
      {"gzip;q=0, *", "br, zstd"},
      {"gzip;q=x", "gzip"},
  };
  for (const Row& row : rows) {
    Request request("/", {{"Accept-Encoding", row.said}});
    EXPECT_EQ(accepted_encodings(request.head.fields), row.means) << row.said;
  }
  EXPECT_EQ(accepted_encodings(Request("/").head.fields), std::nullopt);
  Request lines("/", {{"Accept-Encoding", "gzip"}, {"Accept-Encoding", "br"}});
  EXPECT_EQ(accepted_encodings(lines.head.fields), "br, gzip");
}

TEST(Vary, LanguagesHaveNoOrder) {
  std::string names = "accept-language\n";
  EXPECT_EQ(values(names, {{"Accept-Language", "a;q=0.5, B"}}), values(names, {{"Accept-Language", "b ,A ; q=0.5"}}));
  EXPECT_NE(values(names, {{"Accept-Language", "a;q=0.5, b"}}), values(names, {{"Accept-Language", "a, b;q=0.5"}}));
}

// What a server may read in another way is another value, or one client chooses what others get.
TEST(Vary, ServersReadBytes) {
  struct Row {
    const char* name;
    Pairs one, other;
    bool same;
  };
  auto said = [](const char* name, std::initializer_list<const char*> lines) {
    Pairs out;
    for (const char* line : lines) out.emplace_back(name, line);
    return out;
  };
  auto row = [&said](const char* name, std::initializer_list<const char*> one, std::initializer_list<const char*> other,
                     bool same) {
    return Row{name, said(name, one), said(name, other), same};
  };
  const Row rows[] = {
      row("origin", {"https://app.example"}, {"https://app.example,"}, false),
      row("origin", {"https://app.example"}, {", https://app.example"}, false),
      row("origin", {"https://a.example", "https://b.example"}, {"https://a.example, https://b.example"}, false),
      row("origin", {"https://a.example, https://b.example"}, {"https://a.example,https://b.example"}, false),
      row("x-t", {"acme"}, {"acme,"}, false),
      row("x-t", {"acme"}, {",acme"}, false),
      row("x-t", {"acme"}, {"acme", ""}, false),
      row("x-t", {"a", "b"}, {"a, b"}, false),
      row("x-t", {"a, b", "c"}, {"a", "b, c"}, false),
      row("x-t", {""}, {"", ""}, false),
      row("x-t", {"a, b"}, {"a ,\tb"}, true),
      row("x-t", {"a, b"}, {"a,, b"}, false),
      row("x-t", {"a, b"}, {"b, a"}, false),
      row("x-t", {"a b"}, {"ab"}, false),
      row("x-t", {"a b, c"}, {"a b,c"}, false),
      row("x-t", {"a"}, {"A"}, false),
      row("user-agent", {"Mozilla (KHTML, like Gecko)"}, {"Mozilla (KHTML,like Gecko)"}, false),
      row("accept", {"text/html, a/b;q=0.5"}, {"text/html ,a/b ; q=0.5"}, true),
      row("accept", {"text/html"}, {"text/html,"}, false),
      row("accept", {"text/html"}, {"text/ html"}, false),
      row("accept", {"text/html"}, {"TEXT/html"}, false),
      row("accept", {"text/html, a/b"}, {"a/b, text/html"}, false),
      row("accept", {"text/html;q=0.5"}, {"text/html;q =0.5"}, false),
      row("accept", {"a/b;p=\"c, d\""}, {"a/b;p=\"c,d\""}, false),
      row("accept-charset", {"a, b"}, {"a,b"}, true),
      row("accept-charset", {"a"}, {"a,"}, false),
      row("accept-language", {"de"}, {"d e"}, false),
      row("accept-language", {"de"}, {"de,"}, false),
      row("accept-language", {"de"}, {"de;"}, false),
      row("accept-language", {"de, fr"}, {"de", "fr"}, false),
      row("accept-language", {"de, fr"}, {"fr ,  DE"}, true),
      row("accept-language", {"a;p=\"b, c\""}, {"a;p=\"c, b\""}, false),
  };
  for (const Row& r : rows) {
    std::string names = std::string(r.name) + "\n";
    EXPECT_EQ(values(names, r.one) == values(names, r.other), r.same)
        << r.name << ": " << r.one[0].second << " | " << r.other[0].second;
    CacheConfig c = config();
    c.key_headers = {r.name};
    Rules rules(c);
    Request first("/", r.one), second("/", r.other);
    std::string mine, theirs;
    compose_key(rules, first.at(start_ms), mine);
    compose_key(rules, second.at(start_ms), theirs);
    EXPECT_EQ(mine == theirs, r.same) << "as a key: " << r.name << ": " << r.other[0].second;
  }
  EXPECT_EQ(vary_text("x-t\nx-u\n", values("x-t\nx-u\n", {{"X-T", "a"}, {"X-T", "b"}})), "x-t: a | b; x-u: (none)");
}

TEST(Vary, ByWhatOnlyServersAreToldIsByEverything) {
  Rules rules(config());
  Request request("/");
  RequestView view = request.at(start_ms);
  view.told = "client-cert*\nx-forwarded-for\nx-user\n";
  auto stored = [&](const char* vary) {
    Response response(Pairs{{"Cache-Control", "max-age=60"}, {"Vary", vary}});
    RequestFacts facts = examine(rules, view);
    return storable(rules, facts, response.head, freshness(rules, response.head, start_ms, start_ms)).store;
  };
  for (const char* vary : {"X-Forwarded-For", "accept, x-forwarded-for", "X-User", "Client-Cert", "Client-Cert-Chain"})
    EXPECT_FALSE(stored(vary)) << vary;
  for (const char* vary : {"Accept", "X-Forwarded", "X-Forwarded-Host", "X-Users", "X-Client-Cert", "Client"})
    EXPECT_TRUE(stored(vary)) << vary;
}

TEST(Vary, WhatServersWereToldHoldsForTheWholeFetch) {
  Cache cache(config(), 1);
  Request request("/");
  std::string told = "x-forwarded-for\n";
  RequestView view = request.at(start_ms);
  view.told = told;
  Lookup l = cache.find(view);
  told.assign(told.size(), '-');
  EXPECT_EQ(fill(l, Response(Pairs{{"Cache-Control", "max-age=60"}, {"Vary", "X-Forwarded-For"}}), "mine"),
            Writer::Verdict::uncacheable);
  store(cache, "/b", {{"Cache-Control", "max-age=1"}, {"ETag", "\"b\""}}, "b");
  Request again("/b");
  RequestView later = again.at(start_ms + 5000);
  later.told = "x-forwarded-for\n";
  l = cache.find(later);
  ASSERT_EQ(l.outcome, Outcome::stale);
  Response fresh(Pairs{{"Cache-Control", "max-age=60"}, {"Vary", "X-Forwarded-For"}}, 304);
  EXPECT_EQ(l.writer->head(fresh.head, start_ms + 5000, start_ms + 5000), Writer::Verdict::not_modified);
  EXPECT_NE(cache.find(again.at(start_ms + 5000)).outcome, Outcome::hit) << "from now on it varies by it";
}

TEST(Vary, TheLanguageWantedMost) {
  struct Row {
    const char* accept;
    const char* content;
    bool fits;
  };
  const Row rows[] = {
      {"de", "de", true},
      {"DE", "de", true},
      {"fr;q=0.5, de", "de", true},
      {"fr, de", "de", false},
      {"fr, de;q=0.9", "de", false},
      {"de-AT", "de", false},
      {"*", "de", false},
      {"de;q=0", "de", false},
      {"de", "de, en", false},
      {"de;q=0.8, en;q=0.7", "de", true},
  };
  for (const Row& row : rows) {
    Response response(Pairs{{"Content-Language", row.content}});
    Request request("/", {{"Accept-Language", row.accept}});
    EXPECT_EQ(speaks_the_language("accept-language\n", response.head.fields, request.head.fields), row.fits)
        << row.accept << " for " << row.content;
  }
  Response response(Pairs{{"Content-Language", "de"}});
  Request request("/", {{"Accept-Language", "de"}});
  EXPECT_FALSE(speaks_the_language("accept-language\ncookie\n", response.head.fields, request.head.fields));
}

TEST(Vary, KeepsSixtyFourVariants) {
  Cache cache(config(), 1);
  auto ask = [&](int i) {
    Request request("/", {{"X-T", std::to_string(i)}});
    return cache.find(request.at(start_ms));
  };
  for (int i = 0; i < 70; ++i) {
    Lookup l = ask(i);
    ASSERT_TRUE(l.writer);
    fill(l, Response(Pairs{{"Cache-Control", "max-age=60"}, {"Vary", "X-T"}}), std::to_string(i));
  }
  EXPECT_EQ(cache.stats().objects, 64u);
  EXPECT_EQ(ask(5).outcome, Outcome::miss);
  for (int i = 6; i < 70; ++i) {
    Lookup l = ask(i);
    ASSERT_EQ(l.outcome, Outcome::hit) << i;
    EXPECT_EQ(body_of(l.object), std::to_string(i));
  }
}

}  // namespace
}  // namespace portolan::edge::test
