#include "daemon/asked_request.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/conf/words.hh"
#include "proxy/cache_bypass.hh"
#include "proxy/request_target.hh"
#include "proxy/rewrite.hh"
#include "proxy/split.hh"

namespace portolan::daemon {
namespace {

using End = AskedRequest::End;
using proxy::ListenerConfig;

uint16_t port_of(const edge::Url& url) {
  size_t colon = url.authority.rfind(':');
  if (colon == std::string::npos || url.authority.ends_with(']')) return url.scheme == "https" ? 443 : 80;
  return static_cast<uint16_t>(std::strtoul(url.authority.c_str() + colon + 1, nullptr, 10));
}

}  // namespace

Status AskedRequest::read() {
  auto url = edge::parse_url(asked_.url);
  if (!url) return Error{conf::quoted(asked_.url) + " is no URL; write http://host/path or https://host/path", 400};
  url_ = std::move(*url);
  auto peer = IpAddress::parse(asked_.from);
  if (!peer) return Error{conf::quoted(asked_.from) + " is no IP address", 400};
  peer_ = peer->unmapped();
  return {};
}

std::optional<End> AskedRequest::parse() {
  text_ = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\n", asked_.method, url_.path.empty() ? "/" : url_.path,
                      url_.query ? "?" + *url_.query : "", url_.authority);
  for (const std::string& header : asked_.headers) text_ += header + "\r\n";
  text_ += "\r\n";
  if (parser_.next(text_).event == http::Event::head) return std::nullopt;
  return End{"refused", fmt::format("{}: {}", parser_.status(), parser_.reason())};
}

// The one with the URL's port, or else the only one that speaks its scheme: what stands before it may map ports.
std::optional<End> AskedRequest::find_listener() {
  const auto& listeners = world_.snapshot.listeners;
  const uint16_t port = port_of(url_);
  const ListenerConfig* only = nullptr;
  size_t speak = 0;
  for (const auto& [name, config] : listeners) {
    const bool there =
        std::any_of(config.listen.begin(), config.listen.end(), [&](const auto& a) { return a.port == port; });
    const bool speaks = config.tls.has_value() == (url_.scheme == "https");
    if (speaks && ++speak == 1) only = &config;
    if (asked_.listener.empty() ? there && speaks : asked_.listener == name) listener_ = &config;
  }
  if (!listener_ && asked_.listener.empty() && speak == 1) listener_ = only;
  if (listener_) return std::nullopt;
  std::string known;
  for (const auto& [name, config] : listeners) known += (known.empty() ? "" : ", ") + name;
  return End{"listener",
             asked_.listener.empty()
                 ? fmt::format("none takes {} at port {}; name one with --listener: {}", url_.scheme, port, known)
                 : fmt::format("there is no {}; listeners: {}", conf::quoted(asked_.listener), known)};
}

void AskedRequest::identify() {
  const http::RequestHead& head = parser_.head();
  client_ = proxy::identify_client(head, peer_, world_.snapshot.trusted);
  if (!client_.through_trusted || !head.fields.has(http::FieldId::x_forwarded_proto))
    client_.scheme = listener_->tls ? "https" : "http";
  authority_ = proxy::normal_authority(head.authority, client_.scheme, authority_storage_);
}

proxy::RouteQuery AskedRequest::query() {
  const http::RequestHead& head = parser_.head();
  return {listener_->name,  proxy::without_port(authority_),
          head.path,        head.method_text,
          head.query,       &head.fields,
          &client_.address, &country_,
          places()};
}

size_t AskedRequest::route_of(std::string_view path) {
  proxy::RouteQuery q = query();
  q.path = path;
  return world_.snapshot.router->match(q);
}

std::optional<End> AskedRequest::find_route() {
  const std::string_view path = parser_.head().path;
  if (proxy::climbs(path)) return End{"refused", "400: a segment of the path is \"..\""};
  const size_t found = route_of(path);
  Text spelled;
  const std::string_view normal = proxy::normal_path(path, spelled);
  if (normal != path && route_of(normal) != found)
    return End{"refused", fmt::format("400: servers may read the path as {}, which takes another route", normal)};
  if (found == proxy::Router::none) return End{"route", "none takes it: 404"};
  route_ = &world_.snapshot.routes[found];
  pool_ =
      route_->pools.empty() ? &route_->pool : &route_->pools[proxy::choose_pool(route_->pools, client_.address)].pool;
  return std::nullopt;
}

const proxy::Gate* AskedRequest::route_gate() const {
  const auto& gates = world_.snapshot.route_gates;
  return gates.empty() ? nullptr : gates[route_index()].get();
}

// In the order in which an exchange asks. Rates are not counted here, nor passwords looked at.
AskedRequest::Admission AskedRequest::admit() {
  Admission out;
  if (route_->client_certificate) out.lines.emplace_back("needs a client certificate: else 403");
  const auto& gates = world_.snapshot.listener_gates;
  auto of_listener = gates.find(listener_->name);
  const proxy::Gate* both[] = {of_listener == gates.end() ? nullptr : of_listener->second.get(), route_gate()};
  auto refuse = [&out](std::string why) {
    if (out.refused.empty()) out.refused = std::move(why);
  };
  for (const proxy::Gate* gate : both) {
    if (!gate) continue;
    const char* whose = gate == both[0] ? "listener" : "route";
    if (!gate->access.pass(client_.address, country_, places()))
      refuse(fmt::format("403: allow and deny of the {} keep the client out", whose));
    if (gate->maintenance && gate->maintenance->on() &&
        !gate->maintenance->allow.holds(client_.address, country_, places()))
      refuse("503: the route is in maintenance");
    if (!gate->limits.empty())
      out.lines.push_back(fmt::format("{} limits of the {}: 429 above", gate->limits.size(), whose));
    if (gate->url_keys)
      if (std::string wrong = check_signature(*gate->url_keys, out.lines); !wrong.empty()) refuse(std::move(wrong));
    if (gate->basic_auth) out.lines.emplace_back("needs a password: else 401");
  }
  if (out.lines.empty()) out.lines.emplace_back(passes);
  return out;
}

// What is wrong with it. What signs is taken out even so, for what is stored is stored without it.
std::string AskedRequest::check_signature(const proxy::UrlKeys& keys, std::vector<std::string>& lines) {
  using enum proxy::SignatureVerdict;
  http::RequestHead& head = parser_.head();
  const bool is_signed = proxy::without_signature(head.query, unsigned_query_);
  const auto verdict = proxy::check_signature(keys, proxy::without_port(authority_), head.path, head.query,
                                              client_.address, world_.wall_ms / 1000, unsigned_query_);
  head.has_query = unsigned_query_.has_value();
  head.query = unsigned_query_ ? std::string_view(*unsigned_query_) : std::string_view();
  if (!is_signed) return "403: the route asks for a signed URL, and this one isn't signed";
  if (verdict == expired) return "403: the signature of the URL has expired";
  if (verdict == bad) return "403: the signature doesn't open this URL to this client";
  lines.emplace_back("its signature holds");
  return {};
}

const edge::CacheConfig* AskedRequest::cache_config() const {
  auto config = std::find_if(world_.caches.begin(), world_.caches.end(),
                             [&](const edge::CacheConfig& c) { return c.name == route_->cache; });
  return config == world_.caches.end() ? nullptr : &*config;
}

bool AskedRequest::bypasses() {
  return route_->cache_bypass && proxy::bypasses_cache(*route_->cache_bypass, parser_.head());
}

// As Exchange::cache_view().
edge::RequestView AskedRequest::view(int64_t now_ms) {
  const http::RequestHead& head = parser_.head();
  edge::RequestView view{head, client_.scheme, authority_, now_ms};
  if (route_index() < world_.snapshot.route_told.size()) view.told = world_.snapshot.route_told[route_index()];
  if (const edge::CacheConfig* config = cache_config(); config && config->key_country) view.country = country();
  view.route = route_->mark;
  if (!route_->pools.empty()) view.pool = *pool_;
  const proxy::Gate* gate = route_gate();
  view.identified = gate && gate->basic_auth && !gate->basic_auth->user_header.empty();
  if (client_.through_trusted)
    for (const http::Field& f : head.fields)
      view.identified |= f.id == http::FieldId::other && proxy::names_client_certificate(f.name);
  view.refresh = bypasses() && route_->cache_bypass->store;
  return view;
}

}  // namespace portolan::daemon
