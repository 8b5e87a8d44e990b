#include "proxy/replacement.hh"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/conf/words.hh"

namespace portolan::proxy {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool names_a_group(std::string_view text) {
  if (text.empty()) return false;
  if (std::all_of(text.begin(), text.end(), is_digit)) return true;
  auto in_name = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !is_digit(text.front()) && std::all_of(text.begin(), text.end(), in_name);
}

// As other programs write groups: nobody means these as text.
std::string_view group_elsewhere(std::string_view to) {
  for (size_t i = 0; i + 1 < to.size(); ++i)
    if ((to[i] == '$' || to[i] == '\\') && is_digit(to[i + 1])) return to.substr(i, 2);
  return {};
}

}  // namespace

Result<int> Replacement::group_of(std::string_view name) const {
  if (is_digit(name.front())) {
    int group = -1;
    auto read = std::from_chars(name.data(), name.data() + name.size(), group);
    if (read.ec == std::errc() && group <= regex_.groups()) return group;
    return Error{fmt::format("{{{}}} is no group of the expression, which has {}", name, regex_.groups())};
  }
  std::vector<std::string> known;
  for (const auto& [known_name, group] : regex_.named_groups()) {
    if (known_name == name) return group;
    known.push_back(known_name);
  }
  return Error{fmt::format("{{{}}} is no group of the expression{}", name, conf::remedy(name, known, "named groups"))};
}

Result<Replacement> Replacement::make(const std::string& regex, std::string_view to) {
  auto compiled = http::Regex::compile(regex);
  if (!compiled) return compiled.error();
  if (compiled->groups() > static_cast<int>(http::Regex::most_groups))
    return Error{fmt::format("the expression has more than {} groups; write (?:…) for those that are not used",
                             http::Regex::most_groups)};
  Replacement made;
  made.regex_ = std::move(*compiled);
  if (std::string_view other = group_elsewhere(to); !other.empty())
    return Error{fmt::format("{} is text here; write {{{}}} for what the group caught", other, other[1])};
  Piece piece;
  while (!to.empty()) {
    size_t open = std::min(to.find('{'), to.size());
    piece.text += to.substr(0, open);
    to.remove_prefix(open);
    if (to.empty()) break;
    size_t close = to.find('}');
    std::string_view name = close == std::string_view::npos ? "" : to.substr(1, close - 1);
    if (!names_a_group(name)) {
      piece.text += to.front();
      to.remove_prefix(1);
      continue;
    }
    auto group = made.group_of(name);
    if (!group) return group.error();
    piece.then = *group;
    made.pieces_.push_back(std::exchange(piece, {}));
    to.remove_prefix(name.size() + 2);
  }
  if (!piece.text.empty()) made.pieces_.push_back(std::move(piece));
  return made;
}

bool Replacement::apply(std::string_view path, Text& out) const {
  std::string_view groups[http::Regex::most_groups + 1];
  if (!regex_.find_in(path, groups)) return false;
  const size_t begin = out.size();
  for (const Piece& piece : pieces_) {
    out.append(piece.text);
    if (piece.then >= 0) out.append(groups[piece.then]);
  }
  size_t end = out.find_first_not_of("/\\", begin);
  if (end == Text::npos) end = out.size();
  if (out.size() > begin && out[begin] == '/' && end > begin + 1) out.erase(begin + 1, end - begin - 1);
  return true;
}

}  // namespace portolan::proxy
