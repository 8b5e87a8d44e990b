#include "core/base/server_address.hh"

namespace portolan {
namespace {

constexpr std::string_view srv = "srv:";
constexpr std::string_view file = "file:";

Error bad(std::string_view text, const char* what) {
  return Error{"\"" + std::string(text) + "\" " + what};
}

}  // namespace

Result<ServerAddress> ServerAddress::parse(std::string_view text) {
  ServerAddress r;
  if (text.starts_with(srv)) {
    std::string_view name = text.substr(srv.size());
    if (name.ends_with('.')) name.remove_suffix(1);
    auto host = HostPort::parse(std::string(name) + ":1");
    if (!host || host->is_literal)
      return bad(text, "is not the name of a service: write \"srv:_http._tcp.app.internal\"");
    r.kind = Kind::srv;
    r.host = name;
    return r;
  }
  if (text.starts_with(file)) {
    std::string_view path = text.substr(file.size());
    if (!path.starts_with('/') || path.ends_with('/'))
      return bad(text, "is not a file: write its whole path, as in \"file:/etc/portolan/app.servers\"");
    r.kind = Kind::file;
    r.host = path;
    return r;
  }
  auto host = HostPort::parse(text);
  if (host) return ServerAddress(std::move(*host));
  return bad(text,
             "is not a server: write \"host:port\", \"[v6]:port\", \"unix:/path\", \"srv:NAME\" or \"file:/path\"");
}

std::string ServerAddress::to_string() const {
  if (kind == Kind::srv) return std::string(srv) + host;
  if (kind == Kind::file) return std::string(file) + host;
  return HostPort::to_string();
}

}  // namespace portolan
