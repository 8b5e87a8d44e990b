#include <fmt/format.h>

#include <algorithm>

#include "core/conf/types.hh"
#include "core/conf/words.hh"
#include "proxy/condition_fields.hh"
#include "proxy/header_edits.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::Value;
using Lines = std::vector<HeaderEdits::Line>;
using Names = std::vector<std::string>;

enum class Side : uint8_t { request, response };
enum class Verb : uint8_t { set, add, remove };

constexpr size_t most_edits = 50;       // of a verb
constexpr size_t longest_value = 4096;  // as written

const std::vector<Variable> variables = {Variable::client_address, Variable::country, Variable::host, Variable::path,
                                         Variable::query,          Variable::scheme,  Variable::uri};

// Why a field can't be edited; empty: it can. `name` in lower case.
std::string refusal(Side side, Verb verb, std::string_view name) {
  static const Names framing = {"content-length", "transfer-encoding", "trailer", "te", "expect", "content-range"};
  static const Names hop = {"connection", "keep-alive", "proxy-connection", "upgrade", "http2-settings"};
  static const Names conditions = {"range",         "if-range",          "if-match",
                                   "if-none-match", "if-modified-since", "if-unmodified-since"};
  auto is_in = [name](const Names& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (is_in(framing)) return "frames the message and can't be edited";
  if (is_in(hop)) return "is of one connection and can't be edited";
  if (name == "date") return "is when the answer was made and can't be edited";
  if (name == "via" && (side == Side::request || verb != Verb::remove)) return "tells loops and can't be edited";
  if (side == Side::response && verb != Verb::remove && (name == "age" || name == "cache-status"))
    return "is the cache's to say: it can be removed only";
  if (side == Side::response) return {};
  if (name == "host" && verb != Verb::set) return "can be set only";
  if (is_in(conditions)) return "is the client's to ask for and can't be edited";
  if (name.starts_with("client-cert") || name.starts_with("x-client-cert"))
    return "tells who the client is and can't be edited";
  return {};
}

bool good_name(Binder& binder, const conf::Place& where, Side side, Verb verb, const std::string& written,
               std::string& lower) {
  lower = written;
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  std::string wrong = is_field_name(lower) ? refusal(side, verb, lower) : "is not the name of a header";
  if (wrong.empty()) return true;
  binder.error(where, fmt::format("{} in {} {}", conf::quoted(written), binder.context(), wrong));
  return false;
}

bool read_value(Binder& binder, const Value& value, Template& out) {
  std::string text;
  if (!conf::text().read(binder, value, text)) return false;
  bool plain = std::all_of(text.begin(), text.end(),
                           [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f); });
  if (!plain || text.size() > longest_value)
    return binder.must_be(value, fmt::format("text without control characters of at most {} bytes", longest_value));
  if (text.find_first_of(" \t") == 0 || (!text.empty() && text.find_last_of(" \t") == text.size() - 1))
    return binder.must_be(value, "text that neither begins nor ends with a space");
  auto parsed = Template::parse(text, variables);
  if (!parsed) {
    binder.error(value.where, fmt::format("{}: {}", binder.subject(), parsed.error().text));
    return false;
  }
  out = std::move(*parsed);
  return true;
}

bool few_enough(Binder& binder, const Value& value, size_t count) {
  return count <= most_edits || binder.must_be(value, fmt::format("at most {} headers", most_edits));
}

conf::Type<Lines> lines(Side side, Verb verb) {
  conf::Type<Lines> t;
  t.name = "table, each a text by header";
  t.example = side == Side::request ? "{ X-Country = \"{country}\" }" : "{ X-Frame-Options = \"DENY\" }";
  t.read = [side, verb](Binder& binder, const Value& value, Lines& out) {
    if (value.kind != Value::Kind::table) return binder.must_be(value, "a table");
    bool good = few_enough(binder, value, value.members.size());
    Binder::Scope scope(binder, Binder::Scope::Shape::table);
    Names seen;
    for (const conf::Member& member : value.members) {
      HeaderEdits::Line line{member.key, {}};
      std::string lower;
      binder.key = member.key;
      good = good_name(binder, member.where, side, verb, member.key, lower) && good;
      good = read_value(binder, member.value, line.value) && good;
      if (std::find(seen.begin(), seen.end(), lower) != seen.end()) {
        binder.error(member.where, fmt::format("{} is in {} twice", conf::quoted(member.key), binder.context()));
        good = false;
      }
      seen.push_back(lower);
      out.push_back(std::move(line));
    }
    return good;
  };
  return t;
}

conf::Type<Names> names(Side side) {
  conf::Type<Names> t = conf::one_or_many(conf::string("\"X-Powered-By\""));
  t.name = "header, or list of them";
  t.read = [side, read = t.read](Binder& binder, const Value& value, Names& out) {
    if (!read(binder, value, out)) return false;
    bool good = few_enough(binder, value, out.size());
    for (size_t i = 0; i < out.size(); ++i) {
      const Value& item = value.kind == Value::Kind::array ? value.items[i] : value;
      std::string lower;
      good = good_name(binder, item.where, side, Verb::remove, out[i], lower) && good;
      out[i] = lower;
    }
    return good;
  };
  return t;
}

}  // namespace

const conf::Table<HeaderEdits>& request_edit_fields() {
  static const conf::Table<HeaderEdits> table{
      conf::row("set", &HeaderEdits::set, lines(Side::request, Verb::set),
                "In place of what the client sent and of what would be sent else; an empty value removes. Host too. "
                "Variables: {client_address}, {country}, {host}, {path}, {query}, {scheme}, {uri}."),
      conf::row("add", &HeaderEdits::add, lines(Side::request, Verb::add), "One more line of that name."),
      conf::row("remove", &HeaderEdits::remove, names(Side::request), "Not passed on."),
  };
  return table;
}

const conf::Table<HeaderEdits>& response_edit_fields() {
  static const conf::Table<HeaderEdits> table{
      conf::row("set", &HeaderEdits::set, lines(Side::response, Verb::set),
                "In place of what is in the answer; an empty value removes. Variables as in request_headers."),
      conf::row("add", &HeaderEdits::add, lines(Side::response, Verb::add), "One more line of that name."),
      conf::row("remove", &HeaderEdits::remove, names(Side::response), "Not passed on."),
  };
  return table;
}

}  // namespace portolan::proxy
