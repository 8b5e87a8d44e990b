// toml++ 3.3 asserts that a key follows "[", and with NDEBUG tells the compiler so, which makes
// "[=" undefined. Its error branches handle what it asserts: here assertions are nothing in every
// build.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#include "core/conf/value.hh"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

namespace portolan::conf {
namespace {

using File = std::shared_ptr<const std::string>;
constexpr int deepest = 100;

Place place(const File& file, const toml::source_region& region) {
  Place p{file, region.begin.line, region.begin.column};
  p.line = std::max(p.line, uint32_t{1});
  p.column = std::max(p.column, uint32_t{1});
  return p;
}

bool convert(const toml::node& node, const File& file, int depth, Value& out);

bool convert_table(const toml::table& table, const File& file, int depth, Value& out) {
  out.kind = Value::Kind::table;
  bool good = true;
  for (auto&& [key, node] : table) {
    Member member{std::string(key.str()), place(file, key.source()), {}};
    good = convert(node, file, depth + 1, member.value) && good;
    out.members.push_back(std::move(member));
  }
  std::stable_sort(out.members.begin(), out.members.end(), [](const Member& a, const Member& b) {
    return std::pair(a.where.line, a.where.column) < std::pair(b.where.line, b.where.column);
  });
  return good;
}

bool convert_array(const toml::array& array, const File& file, int depth, Value& out) {
  out.kind = Value::Kind::array;
  out.sections = !array.empty();
  bool good = true;
  for (const toml::node& node : array) {
    const toml::table* table = node.as_table();
    if (!table || table->is_inline()) out.sections = false;
    good = convert(node, file, depth + 1, out.items.emplace_back()) && good;
  }
  return good;
}

bool convert(const toml::node& node, const File& file, int depth, Value& out) {
  out.where = place(file, node.source());
  if (depth > deepest) return false;
  switch (node.type()) {
    case toml::node_type::table:
      return convert_table(*node.as_table(), file, depth, out);
    case toml::node_type::array:
      return convert_array(*node.as_array(), file, depth, out);
    case toml::node_type::string:
      out.kind = Value::Kind::string;
      out.string = node.as_string()->get();
      return true;
    case toml::node_type::integer:
      out.kind = Value::Kind::integer;
      out.integer = node.as_integer()->get();
      return true;
    case toml::node_type::floating_point:
      out.kind = Value::Kind::real;
      out.real = node.as_floating_point()->get();
      return true;
    case toml::node_type::boolean:
      out.kind = Value::Kind::boolean;
      out.boolean = node.as_boolean()->get();
      return true;
    default:
      out.kind = Value::Kind::date;
      return true;
  }
}

// The parser nests one table a dot and frees them by recursion: a line of a million dots must not
// reach it.
uint32_t line_with_too_many_dots(std::string_view text) {
  uint32_t line = 1;
  int dots = 0;
  char quote = 0;
  for (char c : text) {
    if (c == '\n') {
      ++line;
      dots = 0;
      quote = 0;
    } else if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '.' && ++dots > 500) {
      return line;
    }
  }
  return 0;
}

}  // namespace

std::string Place::text() const {
  return fmt::format("{}:{}:{}", file ? *file : std::string(), line, column);
}

const Member* Value::find(std::string_view key) const {
  for (const Member& member : members)
    if (member.key == key) return &member;
  return nullptr;
}

std::string_view Value::kind_name() const {
  switch (kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "a whole number";
    case Kind::real:
      return "a number";
    case Kind::string:
      return "a string";
    case Kind::date:
      return "a date or time";
    case Kind::array:
      return "a list";
    case Kind::table:
      return "a table";
  }
  return "";
}

Result<Value> parse(std::string_view text, const std::string& name) {
  auto file = std::make_shared<const std::string>(name);
  if (uint32_t line = line_with_too_many_dots(text))
    return Error{fmt::format("{}:{}:1: a line with more than 500 dots", name, line)};
  toml::table table;
  try {
    table = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    std::string what(error.description());
    for (char& c : what)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return Error{place(file, error.source()).text() + ": " + what};
  }
  Value root;
  if (!convert(table, file, 0, root))
    return Error{fmt::format("{}:1:1: tables or lists nested more than {} deep", name, deepest)};
  root.where = Place{file, 1, 1};
  return root;
}

}  // namespace portolan::conf
