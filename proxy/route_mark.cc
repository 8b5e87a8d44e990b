#include "proxy/route_mark.hh"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <vector>

namespace portolan::proxy {
namespace {

// Texts with their lengths, so that none can be read as another's end.
class Marked {
 public:
  Marked& operator<<(std::string_view text) {
    text_ += fmt::format("{}:", text.size());
    text_ += text;
    return *this;
  }
  // In any order, and each once.
  Marked& operator<<(std::vector<std::string> list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    *this << std::to_string(list.size());
    for (const std::string& item : list) *this << std::string_view(item);
    return *this;
  }
  std::string digest() const { return fmt::format("{:016x}", XXH3_64bits(text_.data(), text_.size())); }
  std::string text_;
};

std::vector<std::string> texts_of(const std::vector<NamedMatch>& matches) {
  std::vector<std::string> out;
  for (const NamedMatch& m : matches) {
    Marked one;
    one << m.name << std::to_string(static_cast<int>(m.value.form)) << m.value.values;
    out.push_back(std::move(one.text_));
  }
  return out;
}

std::vector<std::string> texts_of(const std::vector<IpNetwork>& networks) {
  std::vector<std::string> out;
  for (const IpNetwork& n : networks) out.push_back(n.to_string());
  return out;
}

void add_lines(Marked& out, const std::vector<HeaderEdits::Line>& lines) {
  out << std::to_string(lines.size());
  for (const HeaderEdits::Line& line : lines) {
    out << line.name << std::to_string(line.value.pieces().size());
    for (const Template::Piece& piece : line.value.pieces()) out << piece.text << name_of(piece.then);
  }
}

// What servers are asked for instead: it may be made from the route's own path.
void add_rewriting(Marked& out, const RouteConfig& r) {
  if (!r.rewrite && r.request_headers.empty()) return;
  out << r.path << r.path_regex;
  if (r.rewrite) out << r.rewrite->prefix << r.rewrite->regex << r.rewrite->to;
  out << (r.rewrite ? "rewrite" : "");
  add_lines(out, r.request_headers.set);
  add_lines(out, r.request_headers.add);
  out << r.request_headers.remove;
}

}  // namespace

std::string route_mark(const RouteConfig& r) {
  if (!r.has_conditions() || !r.to_servers()) return {};
  Marked out;
  out << r.listener << r.methods << texts_of(r.headers) << texts_of(r.query) << texts_of(r.clients) << r.countries
      << r.pool;
  add_rewriting(out, r);
  return out.digest();
}

}  // namespace portolan::proxy
