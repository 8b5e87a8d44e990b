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

TEST(Vary, NegotiationHasNoOrder) {
  for (const char* name : {"accept", "accept-language", "accept-charset"}) {
    std::string names = std::string(name) + "\n";
    EXPECT_EQ(values(names, {{name, "a;q=0.5, B"}}), values(names, {{name, " b ,A ; q=0.5"}})) << name;
    EXPECT_NE(values(names, {{name, "a;q=0.5, b"}}), values(names, {{name, "a, b;q=0.5"}})) << name;
  }
  EXPECT_NE(values("x-t\n", {{"X-T", "a, b"}}), values("x-t\n", {{"X-T", "b, a"}}));
  EXPECT_NE(values("x-t\n", {{"X-T", "a b"}}), values("x-t\n", {{"X-T", "ab"}}));
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
