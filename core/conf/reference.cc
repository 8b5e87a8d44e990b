#include "core/conf/reference.hh"

#include <fmt/format.h>

#include "core/conf/words.hh"

namespace portolan::conf {
namespace {

constexpr size_t width = 100;

void comment(std::string& out, std::string_view text) {
  std::string line = "#";
  while (!text.empty()) {
    size_t space = text.find(' ');
    std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    if (line.size() > 1 && line.size() + 1 + word.size() > width) {
      out += line + "\n";
      line = "#";
    }
    line += " ";
    line += word;
  }
  out += line + "\n";
}

std::string default_words(const Described& d) {
  if (d.required) return "required";
  if (!d.value_words.empty()) return "default: " + d.value_words;
  if (d.value == "[]" || d.value.empty()) return "default: none";
  return "default: " + d.value;
}

void print_key(std::string& out, const Described& d) {
  comment(out, d.help);
  comment(out, fmt::format("{}{}{}; {}", d.type, d.bounds.empty() ? "" : ", ", d.bounds, default_words(d)));
  bool has_default = !d.value.empty() && d.value != "[]";
  out += fmt::format("#{} = {}\n\n", key_text(d.key), has_default && d.value_words.empty() ? d.value : d.example);
}

void print_tables(std::string& out, const std::vector<Described>& rows, const std::string& path);

void print_table(std::string& out, const Described& d, const std::string& parent) {
  std::string path = parent + key_text(d.key);
  if (d.shape == Described::Shape::map) path += ".NAME";
  bool many = d.shape == Described::Shape::sections;
  comment(out, d.help);
  if (d.required) comment(out, "Required.");
  if (many && !d.example.empty()) comment(out, fmt::format("In short: {} = {}", d.key, d.example));
  out += fmt::format("#{}{}{}\n\n", many ? "[[" : "[", path, many ? "]]" : "]");
  for (const Described& row : d.rows)
    if (row.shape == Described::Shape::scalar) print_key(out, row);
  print_tables(out, d.rows, path + ".");
}

void print_tables(std::string& out, const std::vector<Described>& rows, const std::string& path) {
  for (const Described& row : rows)
    if (row.shape != Described::Shape::scalar) print_table(out, row, path);
}

}  // namespace

std::string print_reference(const std::vector<Described>& rows) {
  std::string out;
  for (const Described& row : rows)
    if (row.shape == Described::Shape::scalar) print_key(out, row);
  print_tables(out, rows, "");
  out.pop_back();
  return out;
}

}  // namespace portolan::conf
