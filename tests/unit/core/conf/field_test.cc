#include "core/conf/field.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/conf/reference.hh"
#include "core/conf/types.hh"
#include "core/conf/words.hh"

namespace portolan::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Words, NearestIsWhatWasMeant) {
  std::vector<std::string> keys = {"address", "weight", "backup", "pool", "path", "path_exact"};
  EXPECT_EQ(nearest("adress", keys), "address");
  EXPECT_EQ(nearest("wieght", keys), "weight");
  EXPECT_EQ(nearest("Backup", keys), "backup");
  EXPECT_EQ(nearest("pools", keys), "pool");
  EXPECT_EQ(nearest("path_exakt", keys), "path_exact");
  EXPECT_EQ(nearest("disk", keys), "");
  EXPECT_EQ(nearest("Warn", {"debug", "warning"}), "warning") << "how it begins";
  EXPECT_EQ(nearest("wei", {"weight", "weights"}), "") << "both begin so";
  EXPECT_EQ(nearest("we", {"weight"}), "") << "too little to say so";
  EXPECT_EQ(nearest("", keys), "");
  EXPECT_EQ(nearest(std::string(100'000, 'a'), keys), "");
}

TEST(Words, QuotedStaysOnOneLine) {
  EXPECT_EQ(quoted("a\nb\"\x1b\xff"), "\"a\\x0ab\\\"\\x1b\\xff\"");
  EXPECT_EQ(quoted("münchen"), "\"münchen\"");
  EXPECT_LT(conf::quoted(std::string(1000, 'x')).size(), 100u);
  EXPECT_EQ(key_text("us-east"), "us-east");
  EXPECT_EQ(key_text("example.com"), "\"example.com\"");
}

TEST(Types, Durations) {
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("2s"), 2000);
  EXPECT_EQ(parse_duration_ms("5m"), 300'000);
  EXPECT_EQ(parse_duration_ms("1h"), 3'600'000);
  EXPECT_EQ(parse_duration_ms("2d"), 172'800'000);
  for (const char* bad : {"", "5", "s", "-1s", "1.5s", "1 s", "1s ", "18446744073709551615s", "99999999999999999999ms"})
    EXPECT_FALSE(parse_duration_ms(bad)) << bad;
  EXPECT_EQ(show_duration_ms(90'000), "\"90s\"");
  EXPECT_EQ(show_duration_ms(0), "\"0s\"");
}

TEST(Types, Sizes) {
  EXPECT_EQ(parse_size("64 KiB"), 65536u);
  EXPECT_EQ(parse_size("512MiB"), 512ull << 20);
  EXPECT_EQ(parse_size("50 GiB"), 50ull << 30);
  EXPECT_EQ(parse_size("1 B"), 1u);
  for (const char* bad : {"", "64", "64 KB", "-1 B", "1  KiB", "1.5 GiB", "99999999999 TiB"})
    EXPECT_FALSE(parse_size(bad)) << bad;
  EXPECT_EQ(show_size(64 << 20), "\"64 MiB\"");
}

TEST(Types, Shares) {
  EXPECT_DOUBLE_EQ(parse_share("20%").value_or(-1), 0.2);
  EXPECT_DOUBLE_EQ(parse_share("12.5%").value_or(-1), 0.125);
  for (const char* bad : {"", "20", "%", "x%", "20%%", "nan%", "inf%"}) EXPECT_FALSE(parse_share(bad)) << bad;
}

struct Inner {
  std::string name;
  std::string where;
  std::string address;
  int weight = 1;
};
struct Outer {
  int64_t wait_ms = 2000;
  std::vector<std::string> hosts;
  std::vector<Inner> servers;
  std::vector<Inner> groups;
  std::optional<Inner> one;
  std::string kind = "a";
};

const Table<Inner>& inner_fields() {
  static const Table<Inner> table{
      row("address", &Inner::address, string(), "Where.").require(),
      row("weight", &Inner::weight, integer<int>(1, 10), "How much."),
  };
  return table;
}

const Table<Outer>& outer_fields() {
  static const Table<Outer> table{
      row("wait", &Outer::wait_ms, duration<int64_t>(1, 10'000), "How long."),
      row("host", &Outer::hosts, one_or_many(string()), "Which."),
      row("server", &Outer::servers, list(table_or(inner_fields(), &Inner::address, string())), "Who."),
      row("group", &Outer::groups, named(inner_fields()), "Groups."),
      row("one", &Outer::one, optional(conf::table(inner_fields())), "One."),
      row("kind", &Outer::kind, one_of({"a", "b"}), "Kind."),
  };
  return table;
}

std::vector<std::string> bind(std::string_view text, Outer& out) {
  auto value = parse(text, "f");
  if (!value) return {value.error().text};
  Binder binder;
  outer_fields().read(binder, *value, out);
  return binder.errors;
}

TEST(Fields, BindEveryShape) {
  Outer out;
  auto errors = bind(
      "wait = \"5s\"\nhost = \"x\"\nserver = [\"a\", { address = \"b\", weight = 3 }]\n"
      "kind = \"b\"\none.address = \"o\"\n[group.first]\naddress = \"g\"\n",
      out);
  EXPECT_THAT(errors, ElementsAre());
  EXPECT_EQ(out.wait_ms, 5000);
  EXPECT_THAT(out.hosts, ElementsAre("x"));
  ASSERT_EQ(out.servers.size(), 2u);
  EXPECT_EQ(out.servers[0].address, "a");
  EXPECT_EQ(out.servers[0].where, "f:3:11");
  EXPECT_EQ(out.servers[1].weight, 3);
  ASSERT_EQ(out.groups.size(), 1u);
  EXPECT_EQ(out.groups[0].name, "first");
  EXPECT_EQ(out.groups[0].where, "f:6:1");
  ASSERT_TRUE(out.one);
  EXPECT_EQ(out.one->address, "o");
}

TEST(Fields, InlineAndSectionMeanTheSame) {
  Outer a, b;
  EXPECT_THAT(bind("server = [{ address = \"x\", weight = 2 }]\ngroup = { g = { address = \"y\" } }", a),
              ElementsAre());
  EXPECT_THAT(bind("[[server]]\naddress = \"x\"\nweight = 2\n[group.g]\naddress = \"y\"", b), ElementsAre());
  EXPECT_EQ(a.servers[0].address, b.servers[0].address);
  EXPECT_EQ(a.servers[0].weight, b.servers[0].weight);
  EXPECT_EQ(a.groups[0].address, b.groups[0].address);
}

TEST(Fields, EveryMistakeIsTold) {
  Outer out;
  EXPECT_THAT(bind("wait = \"1h\"\nkind = \"c\"\nwiat = 1\n[group.g]\nadress = \"x\"\nweight = "
                   "11\n[[server]]\nweight = 2\n",
                   out),
              ElementsAre("f:1:8: wait must be a duration from \"1ms\" to \"10s\", not \"1h\"",
                          "f:2:8: \"c\" is not a value of kind; allowed: a, b",
                          "f:3:1: unknown key \"wiat\"; did you mean \"wait\"?",
                          "f:5:1: unknown key \"adress\" in [group.g]; did you mean \"address\"?",
                          "f:6:10: weight in [group.g] must be a whole number from 1 to 10, not 11",
                          "f:7:1: address is missing in [[server]]"));
  EXPECT_EQ(out.wait_ms, 2000) << "a bad value leaves the default";
}

TEST(Fields, DescribeAndPrint) {
  std::string text = print_reference(outer_fields().describe());
  EXPECT_THAT(text, HasSubstr("# How long.\n# duration, 1ms to 10s; default: \"2s\"\n#wait = \"2s\"\n"));
  EXPECT_THAT(text, HasSubstr("# string, a | b; default: \"a\"\n#kind = \"a\"\n"));
  EXPECT_THAT(text, HasSubstr("#[group.NAME]\n\n# Where.\n# string; required\n#address = \"…\"\n"));
  EXPECT_THAT(text, HasSubstr("#[[server]]\n"));
  EXPECT_TRUE(parse(text, "f"));
}

}  // namespace
}  // namespace portolan::conf
