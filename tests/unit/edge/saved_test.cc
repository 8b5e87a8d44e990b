#include "edge/saved.hh"

#include "edge/parts.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

Saved example() {
  Saved s;
  s.key = "4:http11:example.com2:/a";
  s.names = "accept-language\n";
  s.values = "2:de";
  s.origin = 0x123456789abcdef0;
  s.freshness.response_ms = start_ms;
  s.freshness.initial_age_ms = 1500;
  s.freshness.lifetime_ms = -3;
  s.freshness.stale_if_error_ms = INT64_MAX;
  s.freshness.must_revalidate = s.freshness.heuristic = true;
  s.status = 200;
  s.reason = "OK";
  s.lines = "Date: today\r\nETag: \"x\"\r\nX-Empty: \r\n";
  s.coded = true;
  return s;
}

TEST(Saved, ComesBackAsItWas) {
  std::string text = save(example());
  std::optional<Saved> read = read_saved(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->key, example().key);
  EXPECT_EQ(read->names, example().names);
  EXPECT_EQ(read->values, example().values);
  EXPECT_EQ(read->origin, example().origin);
  EXPECT_EQ(read->lines, example().lines);
  EXPECT_EQ(read->freshness.initial_age_ms, 1500);
  EXPECT_EQ(read->freshness.lifetime_ms, -3);
  EXPECT_EQ(read->freshness.stale_if_error_ms, INT64_MAX);
  EXPECT_TRUE(read->freshness.must_revalidate && read->freshness.heuristic && read->coded);
  EXPECT_FALSE(read->freshness.no_cache || read->freshness.immutable);
  EXPECT_EQ(save(*read), text);
  http::Fields fields;
  ASSERT_TRUE(read_lines(read->lines, fields));
  EXPECT_EQ(fields.size(), 3u);
  EXPECT_EQ(*fields.find(http::FieldId::etag), "\"x\"");
  EXPECT_EQ(*fields.find("X-Empty"), "");
}

TEST(Saved, NoCutOrLongerTextIsOne) {
  std::string text = save(example());
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(read_saved(std::string_view(text).substr(0, size)));
  EXPECT_FALSE(read_saved(text + "x"));
}

TEST(Saved, OtherFormsAndSenselessOnesAreNone) {
  std::string text = save(example());
  text[0] = 2;
  EXPECT_FALSE(read_saved(text)) << "of another version";
  Saved s = example();
  s.status = 99;
  EXPECT_FALSE(read_saved(save(s)));
  s = example();
  s.kind = Saved::Kind::parts;
  EXPECT_FALSE(read_saved(save(s))) << "parts without a size";
  s = example();
  s.kind = Saved::Kind::vary;
  EXPECT_FALSE(read_saved(save(s))) << "a head where there is none";
  http::Fields fields;
  for (const char* lines : {"A: b", "A b\r\n", ": b\r\n", "A\r\n: b\r\n"})
    EXPECT_FALSE(read_lines(lines, fields)) << lines;
}

TEST(Saved, KeysDifferWhereAnythingDoes) {
  disk::Key keys[] = {disk_key("a"),
                      disk_key("b"),
                      disk_key("a", "n\n", "1:x"),
                      disk_key("a", "n\n", "1:y"),
                      disk_key("a", "m\n", "1:x"),
                      disk_key("an\n", "", ""),
                      disk_key(FragmentKey{1, 2}),
                      disk_key(FragmentKey{2, 1})};
  for (const disk::Key& a : keys)
    for (const disk::Key& b : keys) EXPECT_EQ(a == b, &a == &b);
  EXPECT_EQ(disk_key("a", "", ""), disk_key("a"));
}

}  // namespace
}  // namespace portolan::edge::test
