// Structured Fields: RFC 9651 §4.2, and what RFC 9213 §2.1 makes of them.
#include "core/http/structured.hh"

#include <gtest/gtest.h>

#include "core/http/semantics.hh"

namespace portolan::http {
namespace {

std::string show(const SfItem& item) {
  switch (item.type) {
    case SfItem::Type::integer:
      return "i" + std::to_string(item.integer);
    case SfItem::Type::decimal:
      return "d" + std::to_string(item.integer);
    case SfItem::Type::date:
      return "@" + std::to_string(item.integer);
    case SfItem::Type::boolean:
      return item.boolean ? "?1" : "?0";
    case SfItem::Type::string:
      return "s" + item.text;
    case SfItem::Type::token:
      return "t" + item.text;
    case SfItem::Type::bytes:
      return "b" + item.text;
    case SfItem::Type::display:
      return "p" + item.text;
    case SfItem::Type::list:
      break;
  }
  std::string out = "(";
  for (const SfItem& inner : item.items) out += show(inner) + " ";
  return out + ")";
}

std::string list(std::string_view text) {
  auto items = parse_sf_list(text);
  if (!items) return "fault";
  std::string out;
  for (const SfItem& item : *items) out += show(item) + "|";
  return out;
}

std::string dictionary(std::string_view text) {
  auto members = parse_sf_dictionary(text);
  if (!members) return "fault";
  std::string out;
  for (const SfMember& m : *members) out += m.key + "=" + show(m.value) + "|";
  return out;
}

struct Row {
  const char* text;
  const char* read;
};

TEST(StructuredFields, ListsFollowTheTable) {
  const Row rows[] = {
      {"", ""},
      {"  ", ""},
      {"1", "i1|"},
      {" 1 ,\t-2 , 3  ", "i1|i-2|i3|"},
      {"1,", "fault"},
      {",1", "fault"},
      {"1 2", "fault"},
      {"1,,2", "fault"},
      {"\t1", "fault"},
      {"999999999999999", "i999999999999999|"},
      {"1000000000000000", "fault"},
      {"0042", "i42|"},
      {"-0", "i0|"},
      {"-", "fault"},
      {"--1", "fault"},
      {"1.5, -0.125", "d1500|d-125|"},
      {"1.", "fault"},
      {"1.2345", "fault"},
      {"999999999999.999", "d999999999999999|"},
      {"1000000000000.0", "fault"},
      {"\"a b\", \"\\\"\\\\\"", "sa b|s\"\\|"},
      {"\"a", "fault"},
      {"\"a\\n\"", "fault"},
      {"\"\xc3\xa4\"", "fault"},
      {"\"a\tb\"", "fault"},
      {"foo, *bar/1:2, A!", "tfoo|t*bar/1:2|tA!|"},
      {"&&&&&", "fault"},
      {":aGVsbG8=:, :aGVsbG8:", "bhello|bhello|"},
      {":aG%:", "fault"},
      {":aGVsbG8=", "fault"},
      {"?1, ?0", "?1|?0|"},
      {"?2", "fault"},
      {"?", "fault"},
      {"@1659578233, @-1", "@1659578233|@-1|"},
      {"@1.5", "fault"},
      {"%\"f%c3%bc\"", "pf\xc3\xbc|"},
      {"%\"%C3%BC\"", "fault"},
      {"%\"%c3\"", "fault"},
      {"%\"%ed%a0%80\"", "fault"},
      {"%\"%c0%80\"", "fault"},
      {"%f", "fault"},
      {"(1 \"a\"  b), ()", "(i1 sa tb )|()|"},
      {"( 1 )", "(i1 )|"},
      {"(1", "fault"},
      {"(1\"a\")", "fault"},
      {"((1))", "fault"},
      {"1;a;b=2; c=\"x\", (1;q);z=?0", "i1|(i1 )|"},
      {"1 ;a", "fault"},
      {"1;A", "fault"},
      {"1;a=", "fault"},
      {"1;a=(1)", "fault"},
  };
  for (const Row& row : rows) EXPECT_EQ(list(row.text), row.read) << row.text;
}

TEST(StructuredFields, DictionariesFollowTheTable) {
  const Row rows[] = {
      {"", ""},
      {"a", "a=?1|"},
      {"a=1, b=\"x\",c;d, *_-.0=?0", "a=i1|b=sx|c=?1|*_-.0=?0|"},
      {"a=1, b=2, a=3", "a=i3|b=i2|"},
      {"a=(1 2)", "a=(i1 i2 )|"},
      {"a =1", "fault"},
      {"a= 1", "fault"},
      {"A=1", "fault"},
      {"1=a", "fault"},
      {"a=1,", "fault"},
      {"a=1;", "fault"},
      {"a, &", "fault"},
  };
  for (const Row& row : rows) EXPECT_EQ(dictionary(row.text), row.read) << row.text;
}

TEST(StructuredFields, HaveALimit) {
  std::string text = "a";
  for (int i = 1; i < 1024; ++i) text += ",a";
  ASSERT_TRUE(parse_sf_list(text));
  EXPECT_FALSE(parse_sf_list(text + ",a"));
  EXPECT_TRUE(parse_sf_dictionary(text));  // one key
}

// No prefix of a value is read as more than it says, wherever it is cut.
TEST(StructuredFields, AnyPrefixIsReadOrRefused) {
  std::string_view text = "a=1;x=\"\\\"\", b=(1 2.5 :YQ==:);y, c=%\"%c3%bc\", d=@12, e=?1";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    auto members = parse_sf_dictionary(text.substr(0, cut));
    if (members) EXPECT_LE(members->size(), 5u);
    parse_sf_list(text.substr(cut));
  }
}

std::string targeted(std::string_view text) {
  auto d = parse_targeted_cache_control(text);
  if (!d) return "absent";
  std::string out;
  if (d->max_age) out += "max-age=" + std::to_string(*d->max_age) + " ";
  if (d->s_maxage) out += "s-maxage=" + std::to_string(*d->s_maxage) + " ";
  if (d->no_store) out += "no-store ";
  if (d->no_cache) out += "no-cache ";
  for (const std::string& f : d->no_cache_fields) out += "no-cache:" + f + " ";
  if (d->private_) out += "private ";
  if (d->must_revalidate) out += "must-revalidate ";
  return out;
}

TEST(TargetedCacheControl, FollowsTheTable) {
  const Row rows[] = {
      {"max-age=60, must-revalidate", "max-age=60 must-revalidate "},
      {"max-age=99999999999", "max-age=2147483648 "},
      {"max-age=60;x=1, foo=bar, baz", "max-age=60 "},
      {"max-age=60, max-age=5", "max-age=5 "},
      {"no-store, private, no-cache", "no-store no-cache private "},
      {"no-cache=\"a, b\"", "no-cache:a no-cache:b "},
      {"no-store=?0", ""},
      {"", "absent"},
      {"max-age=60, &&&&&", "absent"},
      {"max-age=\"60\"", "absent"},
      {"max-age=60.5", "absent"},
      {"max-age=-1", "absent"},
      {"max-age", "absent"},
      {"max-age =60", "absent"},
      {"Max-Age=60", "absent"},
      {"max-age=60, no-store=1", "absent"},
      {"no-cache=a", "absent"},
      {"max-age=60,", "absent"},
  };
  for (const Row& row : rows) EXPECT_EQ(targeted(row.text), row.read) << row.text;
}

}  // namespace
}  // namespace portolan::http
