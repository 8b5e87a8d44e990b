#include "core/client/url.hh"

#include <algorithm>

#include "core/http/message.hh"

namespace portolan::client {

namespace {

bool has_port(std::string_view authority) {
  size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return false;
  if (authority.front() == '[') return authority[colon - 1] == ']';
  return true;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  constexpr std::string_view scheme = "http://";
  auto wrong = [&](const char* why) { return Error{"'" + std::string(text) + "' is no http URL: " + why}; };
  if (!http::equal_ignoring_case(text.substr(0, scheme.size()), scheme)) return wrong("it must begin with http://");
  std::string_view rest = text.substr(scheme.size());
  size_t path = rest.find_first_of("/?");
  Url url;
  url.authority = rest.substr(0, path);
  url.target = path == std::string_view::npos ? "/" : rest.substr(path);
  if (url.target.front() == '?') url.target.insert(0, 1, '/');
  if (url.authority.empty()) return wrong("the host is missing");
  if (url.authority.find('@') != std::string::npos) return wrong("a user is not allowed");
  bool printable =
      std::all_of(url.target.begin(), url.target.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
  if (!printable) return wrong("the path holds a character that must be encoded");
  auto endpoint = HostPort::parse(has_port(url.authority) ? url.authority : url.authority + ":80");
  if (!endpoint) return wrong(endpoint.error().text.c_str());
  url.endpoint = *endpoint;
  return url;
}

}  // namespace portolan::client
