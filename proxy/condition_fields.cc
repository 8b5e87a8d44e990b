#include "proxy/condition_fields.hh"

#include <fmt/format.h>

#include <algorithm>

#include "core/conf/types.hh"
#include "core/conf/words.hh"
#include "core/http/regex_field.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::row;
using conf::Value;
using Form = ValueMatch::Form;

constexpr size_t most_matches = 20;  // a route

// As it is written: each key a form.
struct Forms {
  std::vector<std::string> exact;
  std::vector<std::string> prefix;
  std::string regex;
  bool present = true;
};

const conf::Table<Forms>& form_fields() {
  static const conf::Table<Forms> table{
      row("exact", &Forms::exact, conf::one_or_many(conf::text()), "One of these values."),
      row("prefix", &Forms::prefix, conf::one_or_many(conf::string()), "What begins with one of these."),
      row("regex", &Forms::regex, http::regex_type(), "What the expression is found in."),
      row("present", &Forms::present, conf::boolean(), "Any value; false: none at all."),
  };
  return table;
}

bool read_match(Binder& binder, const Value& value, ValueMatch& out) {
  if (value.kind == Value::Kind::string || value.kind == Value::Kind::array) {
    out.form = Form::exact;
    return conf::one_or_many(conf::text()).read(binder, value, out.values);
  }
  if (value.kind != Value::Kind::table || value.members.size() != 1)
    return binder.must_be(value, "a value, a list of them, or one of { prefix = … }, { regex = … }, { present = … }");
  Forms forms;
  Binder::Scope scope(binder, Binder::Scope::Shape::table);
  if (!form_fields().read(binder, value, forms)) return false;
  const std::string& key = value.members.front().key;
  out.form = key == "exact"    ? Form::exact
             : key == "prefix" ? Form::prefix
             : key == "regex"  ? Form::regex
             : forms.present   ? Form::present
                               : Form::absent;
  out.values = key == "exact" ? forms.exact : key == "prefix" ? forms.prefix : std::vector<std::string>{};
  if (key == "regex") out.values = {forms.regex};
  return true;
}

// `name` mends a name, or tells why it can't be one.
conf::Type<std::vector<NamedMatch>> matches(const char* what, const char* example,
                                            std::function<std::string(std::string&)> mend) {
  conf::Type<std::vector<NamedMatch>> t;
  t.name = fmt::format("table, by {}: a value, a list of them, or a table of exact, prefix, regex, present", what);
  t.example = example;
  t.read = [what, mend = std::move(mend)](Binder& binder, const Value& value, std::vector<NamedMatch>& out) {
    if (value.kind != Value::Kind::table) return binder.must_be(value, "a table");
    bool good = value.members.size() <= most_matches ||
                binder.must_be(value, fmt::format("a table of at most {} names", most_matches));
    Binder::Scope scope(binder, Binder::Scope::Shape::table);
    std::vector<NamedMatch> items;
    for (const conf::Member& member : value.members) {
      NamedMatch item{member.key, {}};
      binder.key = member.key;
      std::string wrong = mend(item.name);
      auto same = [&](const NamedMatch& other) { return other.name == item.name; };
      if (wrong.empty() && std::any_of(items.begin(), items.end(), same)) wrong = "is there twice";
      if (!wrong.empty()) {
        binder.error(member.where,
                     fmt::format("{} {} in {} {}", what, conf::quoted(member.key), binder.context(), wrong));
        good = false;
      }
      good = read_match(binder, member.value, item.value) && good;
      items.push_back(std::move(item));
    }
    if (good) out = std::move(items);
    return good;
  };
  return t;
}

}  // namespace

bool is_field_name(std::string_view name) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || others.find(c) != std::string_view::npos;
  });
}

conf::Type<std::vector<NamedMatch>> header_matches() {
  return matches("header", "{ x-beta = \"1\" }", [](std::string& name) -> std::string {
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (name == "host") return "is asked for by host";
    return is_field_name(name) ? "" : "is not the name of a header";
  });
}

conf::Type<std::vector<NamedMatch>> query_matches() {
  return matches("parameter", "{ version = [\"1\", \"2\"] }",
                 [](std::string& name) -> std::string { return name.empty() ? "has no name" : ""; });
}

}  // namespace portolan::proxy
