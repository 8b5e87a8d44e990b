#include "core/http/authority.hh"

#include <gtest/gtest.h>

namespace portolan::http {
namespace {

TEST(Authority, HasOneSpelling) {  // RFC 3986 §6.2.3, RFC 9110 §4.2.3
  struct Row {
    const char *written, *http, *https;
  };
  for (const Row& row :
       {Row{"a", "a", "a"}, Row{"A.Example", "a.example", "a.example"}, Row{"a.", "a", "a"}, Row{"a:", "a", "a"},
        Row{"a.:", "a", "a"}, Row{"a:80", "a", "a:80"}, Row{"a:080", "a", "a:80"}, Row{"a:00000443", "a:443", "a"},
        Row{"A.:0081", "a:81", "a:81"}, Row{"a:8080", "a:8080", "a:8080"}, Row{"a:0", "a:0", "a:0"},
        Row{"a:000", "a:0", "a:0"}, Row{"[::A]", "[::a]", "[::a]"}, Row{"[::a]:", "[::a]", "[::a]"},
        Row{"[::a]:080", "[::a]", "[::a]:80"}, Row{"[::80]", "[::80]", "[::80]"},
        Row{"[::1]x80", "[::1]x80", "[::1]x80"}, Row{"[80", "[80", "[80"}, Row{"", "", ""}}) {
    Text storage, more;
    EXPECT_EQ(normal_authority(row.written, "http", storage), row.http) << row.written;
    EXPECT_EQ(normal_authority(row.written, "https", more), row.https) << row.written;
  }
}

TEST(Authority, MayBeAskedForItsPort) {
  Text storage;
  EXPECT_EQ(with_port("a", "http", storage), "a:80");
  EXPECT_EQ(with_port("[::1]", "https", storage), "[::1]:443");
  EXPECT_EQ(with_port("a:81", "https", storage), "a:81");
  EXPECT_EQ(with_port("[::1]:80", "https", storage), "[::1]:80");
}

TEST(Authority, KnowsEmptyLabels) {
  for (const char* good : {"a", "a.", "a.b", "10.0.0.1", "[::1]"}) EXPECT_TRUE(has_sound_labels(good)) << good;
  for (const char* bad : {".", "..", "a..", "a..b", ".a"}) EXPECT_FALSE(has_sound_labels(bad)) << bad;
}

}  // namespace
}  // namespace portolan::http
