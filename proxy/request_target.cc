#include "proxy/request_target.hh"

#include <algorithm>

namespace portolan::proxy {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 32);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Of application/x-www-form-urlencoded. A % that begins no escape stays what it is.
std::string_view decode(std::string_view text, Text& out) {
  if (text.find_first_of("%+") == std::string_view::npos) return text;
  out.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    bool escape = text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i] == '+' ? ' ' : text[i];
    if (escape) i += 2;
  }
  return out;
}

}  // namespace

std::string_view lower_case(std::string_view text, Text& lowered) {
  auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::none_of(text.begin(), text.end(), capital)) return text;
  lowered.assign(text);
  for (char& c : lowered)
    if (capital(c)) c = static_cast<char>(c + 32);
  return lowered;
}

std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool climbs(std::string_view path) {
  for (size_t at = 0; at < path.size();) {
    size_t end = std::min(path.find('/', at), path.size());
    std::string_view s = path.substr(at, end - at);
    if (s.empty() || (s[0] != '.' && s[0] != '%')) {
      at = end + 1;
      continue;
    }
    int dots = 0;
    while (!s.empty()) {
      if (s.front() == '.') {
        s.remove_prefix(1);
      } else if (s.size() >= 3 && s[0] == '%' && s[1] == '2' && (s[2] == 'e' || s[2] == 'E')) {
        s.remove_prefix(3);
      } else {
        break;
      }
      ++dots;
    }
    if (s.empty() && dots == 2) return true;
    at = end + 1;
  }
  return false;
}

std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name, Text& decoded) {
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    size_t equals = std::min(pair.find('='), pair.size());
    if (decode(pair.substr(0, equals), decoded) != name) continue;
    return decode(pair.substr(std::min(equals + 1, pair.size())), decoded);
  }
  return std::nullopt;
}

std::string https_target(std::string_view host, const http::RequestHead& head) {
  std::string target = "https://" + std::string(host).append(head.path);
  if (head.has_query) target.append("?").append(head.query);
  return target;
}

}  // namespace portolan::proxy
