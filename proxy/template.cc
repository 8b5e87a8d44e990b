#include "proxy/template.hh"

#include <fmt/format.h>

#include <algorithm>

#include "core/conf/words.hh"

namespace portolan::proxy {
namespace {

constexpr std::string_view names[] = {"",      "client_address", "country", "host", "path",
                                      "query", "rest",           "scheme",  "uri"};

bool looks_like_a_name(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// What begins with a slash would make "/{rest}" name another host, as "//host/" does; browsers read "\" alike.
std::string_view rest_of(std::string_view path, std::string_view prefix) {
  path.remove_prefix(std::min(prefix.size(), path.size()));
  path.remove_prefix(std::min(path.find_first_not_of("/\\"), path.size()));
  return path;
}

std::optional<std::string_view> query_of(const VariableSource& s) {
  if (!s.target) return s.head.has_query ? std::optional(s.head.query) : std::nullopt;
  size_t mark = s.target->find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  return s.target->substr(mark + 1);
}

void append(const VariableSource& s, Variable variable, Text& out) {
  char text[IpAddress::text_capacity];
  std::string_view path = s.head.path == "*" ? "/" : s.head.path;
  switch (variable) {
    case Variable::none:
      return;
    case Variable::client_address:
      out.append(text, s.client.print(text));
      return;
    case Variable::country:
      out.append(s.country.of(s.client, s.geo));
      return;
    case Variable::host:
      out.append(s.host);
      return;
    case Variable::path:
      out.append(path);
      return;
    case Variable::query:
      out.append(query_of(s).value_or(""));
      return;
    case Variable::rest:
      out.append(rest_of(path, s.prefix));
      return;
    case Variable::scheme:
      out.append(s.scheme);
      return;
    case Variable::uri:
      out.append(path);
      if (auto query = query_of(s)) out.append("?").append(*query);
      return;
  }
}

}  // namespace

std::string_view name_of(Variable variable) {
  return names[static_cast<size_t>(variable)];
}

Result<Template> Template::parse(std::string_view text, const std::vector<Variable>& allowed) {
  Template t;
  Piece piece;
  while (!text.empty()) {
    size_t open = std::min(text.find('{'), text.size());
    size_t close = text.find('}', open);
    std::string_view name = close == std::string_view::npos ? "" : text.substr(open + 1, close - open - 1);
    piece.text += text.substr(0, open);
    text.remove_prefix(open);
    if (text.empty()) break;
    if (!looks_like_a_name(name)) {
      piece.text += text.front();
      text.remove_prefix(1);
      continue;
    }
    auto is_it = [&](Variable v) { return name_of(v) == name; };
    auto found = std::find_if(allowed.begin(), allowed.end(), is_it);
    if (found == allowed.end()) {
      std::vector<std::string> known;
      known.reserve(allowed.size());
      for (Variable v : allowed) known.emplace_back(name_of(v));
      return Error{fmt::format("{{{}}} is no variable here{}", name, conf::remedy(name, known, "variables"))};
    }
    piece.then = *found;
    t.pieces_.push_back(std::exchange(piece, {}));
    text.remove_prefix(name.size() + 2);
  }
  if (!piece.text.empty()) t.pieces_.push_back(std::move(piece));
  return t;
}

void Template::expand(const VariableSource& source, Text& out) const {
  for (const Piece& piece : pieces_) {
    out.append(piece.text);
    append(source, piece.then, out);
  }
}

}  // namespace portolan::proxy
