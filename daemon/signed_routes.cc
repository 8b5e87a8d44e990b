#include "daemon/signed_routes.hh"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "daemon/asked_request.hh"
#include "proxy/request_target.hh"

namespace portolan::daemon {
namespace {

using nlohmann::json;

constexpr int64_t signed_for_s = 24 * 3600;

std::string dump(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool read_texts(const json& list, std::vector<std::string>& out) {
  if (!list.is_array()) return false;
  for (const json& one : list) {
    if (!one.is_string()) return false;
    out.push_back(one.get<std::string>());
  }
  return true;
}

}  // namespace

std::vector<std::string> cached_urls(const proxy::Snapshot& snapshot, const std::string& url) {
  auto parts = edge::parse_url(url);
  std::optional<Text> rest;
  if (!parts || !parts->query || snapshot.route_gates.empty() || !proxy::without_signature(*parts->query, rest))
    return {url};
  bool sign = false, plain = false;
  for (size_t route : snapshot.router->all_of(proxy::without_port(parts->authority), parts->path)) {
    const proxy::Gate* gate = snapshot.route_gates[route].get();
    (gate && gate->url_keys ? sign : plain) = true;
  }
  if (!sign) return {url};
  std::string bare = fmt::format("{}://{}{}", parts->scheme, parts->authority, parts->path);
  if (rest) bare.append("?").append(*rest);
  if (!plain) return {bare};
  return {bare, url};
}

std::string url_to_ask(const ExplainRequest& asked, const ExplainWorld& world) {
  AskedRequest request(asked, world);
  if (!request.read() || request.parse() || request.find_listener()) return asked.url;
  request.identify();
  if (request.find_route()) return asked.url;
  const proxy::Gate* gate = request.route_gate();
  const edge::Url& url = request.url();
  std::optional<Text> rest;
  if (!gate || !gate->url_keys || proxy::without_signature(url.query.value_or(""), rest)) return asked.url;
  proxy::SignedUrl what;
  what.host = proxy::without_port(url.authority);
  what.path = url.path;
  if (url.query) what.query = *url.query;
  what.expires_s = world.wall_ms / 1000 + signed_for_s;
  return fmt::format("{}://{}{}?{}", url.scheme, url.authority, url.path, proxy::sign(gate->url_keys->newest(), what));
}

Result<SignOrder> parse_sign_order(const std::string& text) {
  json j = json::parse(text, nullptr, false);
  SignOrder order;
  const json* listener = j.is_object() && j.contains("listener") ? &j["listener"] : nullptr;
  if (!j.is_object() || !j.contains("urls") || !read_texts(j["urls"], order.urls) ||
      (listener && !listener->is_string()))
    return Error{R"(the body must be {"urls":["http://host/path", …], "listener":"NAME"})", 400};
  if (listener) order.listener = listener->get<std::string>();
  return order;
}

std::string to_json(const SignOrder& order) {
  return dump({{"urls", order.urls}, {"listener", order.listener}});
}

std::string urls_to_json(const std::vector<std::string>& urls) {
  return dump({{"urls", urls}});
}

Result<std::vector<std::string>> parse_urls(const std::string& text) {
  json j = json::parse(text, nullptr, false);
  std::vector<std::string> urls;
  if (!j.is_object() || !j.contains("urls") || !read_texts(j["urls"], urls))
    return Error{"the daemon's answer has no URLs"};
  return urls;
}

}  // namespace portolan::daemon
