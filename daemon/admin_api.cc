#include "daemon/admin_api.hh"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/conf/types.hh"

namespace portolan::daemon {

using nlohmann::json;
using Door = Admin::Door;
using Reply = std::function<void(AdminAnswer)>;

namespace {

constexpr int64_t default_heartbeat_ms = 1'000;

std::string dump(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

AdminAnswer ok(const json& j = {{"ok", true}}) {
  AdminAnswer a;
  a.body = dump(j);
  return a;
}

AdminAnswer plain(int status, std::string text) {
  AdminAnswer a;
  a.status = status;
  a.content_type = "text/plain; version=0.0.4; charset=utf-8";
  a.body = std::move(text);
  return a;
}

AdminAnswer outcome(const Status& status) {
  if (status) return ok();
  int code = status.error().code;
  return admin_error(code >= 400 && code < 600 ? code : 409, status.error().text);
}

// Value of a query parameter; "" when absent. Nothing here needs decoding.
std::string_view parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    size_t end = query.find('&');
    std::string_view part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (part.starts_with(name) && part.substr(name.size()).starts_with('=')) return part.substr(name.size() + 1);
  }
  return {};
}

AdminAnswer get_health(AdminBackend& backend, const AdminRequest& request) {
  AdminAnswer a;
  a.body = health::to_json(backend.health()) + "\n";
  if (parameter(request.query, "watch") != "1") return a;
  std::string_view text = parameter(request.query, "heartbeat_ms");
  int64_t heartbeat = default_heartbeat_ms;
  if (!text.empty()) {
    auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), heartbeat);
    if (wrong != std::errc() || end != text.data() + text.size())
      return admin_error(400, "heartbeat_ms is a number of milliseconds");
  }
  a.content_type = "application/x-ndjson";
  a.heartbeat_ms = std::clamp<int64_t>(heartbeat, 50, 10'000);
  return a;
}

void get_ready(AdminBackend& backend, const AdminRequest& request, const Reply& reply) {
  std::string_view text = parameter(request.query, "hold");
  auto hold_ms = text.empty() ? std::optional<int64_t>(0) : conf::parse_duration_ms(text);
  if (!hold_ms) return reply(admin_error(400, "hold is a duration such as 2s"));
  backend.ready(*hold_ms, [reply](const Status& ready) {
    reply(ready ? plain(200, "ready\n") : plain(503, "not ready: " + ready.error().text + "\n"));
  });
}

void post_reload(AdminBackend& backend, Reply reply) {
  backend.reload([reply = std::move(reply)](const ReloadResult& result) {
    if (result.errors.empty()) {
      AdminAnswer a = ok();
      if (!result.notes.empty()) a.body = dump({{"ok", true}, {"notes", result.notes}});
      return reply(std::move(a));
    }
    AdminAnswer a = admin_error(422, "");
    a.body = dump({{"error", "the configuration is refused; the old one keeps running"}, {"errors", result.errors}});
    reply(std::move(a));
  });
}

// A string member of an object, or nullptr.
const std::string* text_at(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(key);
  return it == object.end() ? nullptr : it->get_ptr<const std::string*>();
}

AdminAnswer post_drain(AdminBackend& backend, const json& body, bool drain) {
  if (const std::string* datacenter = text_at(body, "datacenter"))
    return outcome(backend.drain_datacenter(*datacenter, drain));
  if (body.is_object() && body.contains("server")) {
    const std::string* pool = text_at(body["server"], "pool");
    const std::string* address = text_at(body["server"], "address");
    if (pool && address) return outcome(backend.drain_server(*pool, *address, drain));
  }
  if (body.is_object() && body.contains("node") && body["node"] == true) return outcome(backend.drain_node(drain));
  return admin_error(400, R"(the body must be {"server":{"pool":…,"address":…}}, {"datacenter":…} or {"node":true})");
}

void purge(AdminBackend& backend, const AdminRequest& request, Result<PurgeOrder> order, Reply reply) {
  if (!order) return reply(outcome(order.error()));
  if (int64_t wait_ms = request.take ? request.take(order->purges.size()) : 0; wait_ms > 0) {
    AdminAnswer a = admin_error(429, "too many purges; server.purge.rate says how many there may be");
    a.retry_after_s = (wait_ms + 999) / 1000;
    return reply(std::move(a));
  }
  order->who = request.who;
  backend.purge(std::move(*order), [reply = std::move(reply)](const Result<PurgeOutcome>& done) {
    AdminAnswer a;
    if (done) a.body = to_json(*done) + "\n";
    reply(done ? std::move(a) : outcome(done.error()));
  });
}

// The method that proxies are told to purge by: the URL by either scheme, for nothing says which is meant.
Result<PurgeOrder> order_of_method(const AdminRequest& r) {
  if (r.authority.empty()) return Error{"PURGE needs a Host", 400};
  PurgeOrder order;
  for (const char* scheme : {"http://", "https://"}) {
    auto good = edge::normalised(
        {edge::PurgeKind::url, scheme + r.authority + r.path + (r.has_query ? "?" + r.query : std::string()), false});
    if (!good) return good.error();
    order.purges.push_back(std::move(*good));
  }
  return order;
}

void get_cache_urls(AdminBackend& backend, const AdminRequest& request, const Reply& reply) {
  std::string_view text = parameter(request.query, "n");
  size_t most = edge::most_hot_keys;
  if (!text.empty()) {
    auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), most);
    if (wrong != std::errc() || end != text.data() + text.size() || most == 0 || most > edge::most_hot_urls)
      return reply(admin_error(400, "n is a number from 1 to " + std::to_string(edge::most_hot_urls)));
  }
  auto urls = backend.hot_urls(std::string(parameter(request.query, "cache")), most);
  if (!urls) return reply(outcome(urls.error()));
  std::string lines;
  for (const std::string& url : *urls) lines.append(url).append("\n");
  reply(plain(200, std::move(lines)));
}

AdminAnswer post_maintenance(AdminBackend& backend, const json& body) {
  const std::string* route = text_at(body, "route");
  bool formed =
      body.is_object() && body.contains("on") && body["on"].is_boolean() && (route || !body.contains("route"));
  if (!formed) return admin_error(400, R"(the body must be {"on":true|false} or {"on":…,"route":…})");
  auto changed = backend.set_maintenance(route ? *route : "", body["on"].get<bool>());
  return changed ? ok({{"routes", *changed}}) : outcome(changed.error());
}

AdminAnswer post_explain(AdminBackend& backend, const std::string& body) {
  auto request = parse_explain_request(body);
  if (!request) return outcome(request.error());
  auto lines = backend.explain(*request);
  return lines ? plain(200, std::move(*lines)) : outcome(lines.error());
}

AdminAnswer post_explain_dns(AdminBackend& backend, const json& body) {
  const auto text = [&body](const char* key, std::string otherwise) {
    return body.is_object() && body.contains(key) && body[key].is_string() ? body[key].get<std::string>() : otherwise;
  };
  const geodns::ExplainDnsRequest request{text("name", ""), text("type", "A"), text("from", "127.0.0.1")};
  if (request.name.empty()) return admin_error(400, R"(the body must be {"name":…,"type":…,"from":…})");
  auto lines = backend.explain_dns(request);
  return lines ? plain(200, std::move(*lines)) : outcome(lines.error());
}

// As JSON or as people read it.
template <typename Report>
AdminAnswer report(const AdminRequest& request, const Report& what) {
  if (parameter(request.query, "format") == "text") return plain(200, to_text(what));
  AdminAnswer a;
  a.body = to_json(what) + "\n";
  return a;
}

AdminAnswer get_cache_top(AdminBackend& backend, const AdminRequest& request) {
  std::string_view text = parameter(request.query, "n");
  size_t most = 10;
  if (!text.empty()) {
    auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), most);
    if (wrong != std::errc() || end != text.data() + text.size() || most == 0 || most > edge::most_hot_keys)
      return admin_error(400, "n is a number from 1 to " + std::to_string(edge::most_hot_keys));
  }
  return report(request, backend.cache_top(most));
}

AdminAnswer get_check(AdminBackend& backend, const AdminRequest& request) {
  AdminAnswer a;
  a.body = to_json(backend.check(), parameter(request.query, "segments") == "1") + "\n";
  return a;
}

AdminAnswer post_check(AdminBackend& backend, const AdminRequest& request) {
  auto begun = backend.begin_check(std::string(parameter(request.query, "cache")));
  return begun ? get_check(backend, request) : outcome(begun);
}

void post_inspect(AdminBackend& backend, const AdminRequest& request, const Reply& reply) {
  auto asked = parse_explain_request(request.body);
  if (!asked) return reply(outcome(asked.error()));
  backend.inspect(*asked, [request, reply](const Result<CacheInspections>& found) {
    reply(found ? report(request, *found) : outcome(found.error()));
  });
}

AdminAnswer post_sign_urls(AdminBackend& backend, const std::string& body) {
  auto order = parse_sign_order(body);
  if (!order) return outcome(order.error());
  AdminAnswer a;
  a.body = urls_to_json(backend.sign_urls(*order)) + "\n";
  return a;
}

void get(AdminBackend& backend, const AdminRequest& r, const Reply& reply) {
  if (r.path == "/health") return reply(get_health(backend, r));
  if (r.path == "/ready") return get_ready(backend, r, reply);
  if (r.path == "/metrics") return reply(plain(200, backend.metrics_text()));
  if (r.path == "/cache") return reply(report(r, backend.cache_counts()));
  if (r.path == "/cache/segments") return reply(report(r, backend.cache_segments()));
  if (r.path == "/cache/verify") return reply(get_check(backend, r));
  if (r.path == "/cache/top") return reply(get_cache_top(backend, r));
  if (r.path == "/cache/urls") return get_cache_urls(backend, r, reply);
  AdminAnswer a;
  a.body = to_json(backend.status()) + "\n";
  reply(std::move(a));
}

void post(AdminBackend& backend, const AdminRequest& r, const Reply& reply) {
  if (r.path == "/reload") return post_reload(backend, reply);
  if (r.path == "/explain") return reply(post_explain(backend, r.body));
  if (r.path == "/sign-urls") return reply(post_sign_urls(backend, r.body));
  if (r.path == "/cache/inspect") return post_inspect(backend, r, reply);
  if (r.path == "/cache/verify") return reply(post_check(backend, r));
  if (r.path == "/purge") return purge(backend, r, parse_purge_order(r.body), reply);
  json body = json::parse(r.body, nullptr, false);
  if (r.path == "/explain/dns") return reply(post_explain_dns(backend, body));
  if (r.path == "/maintenance") return reply(post_maintenance(backend, body));
  reply(post_drain(backend, body, r.path == "/drain"));
}

struct Route {
  const char* path;
  const char* method;
  bool metrics;        // also at the metrics door
  bool peers;          // also at the peers' door
  bool purge = false;  // also at the purgers' door
};
constexpr Route routes[] = {
    {"/status", "GET", false, false},         {"/metrics", "GET", true, false},
    {"/ready", "GET", true, false},           {"/health", "GET", true, true},
    {"/reload", "POST", false, false},        {"/drain", "POST", false, false},
    {"/enable", "POST", false, false},        {"/purge", "POST", false, false, true},
    {"/maintenance", "POST", false, false},   {"/explain", "POST", false, false},
    {"/cache", "GET", false, false},          {"/cache/top", "GET", false, false},
    {"/cache/inspect", "POST", false, false}, {"/cache/urls", "GET", false, false},
    {"/explain/dns", "POST", false, false},   {"/cache/segments", "GET", false, false},
    {"/cache/verify", "GET", false, false},   {"/cache/verify", "POST", false, false},
    {"/sign-urls", "POST", false, false},
};

bool open_at(const Route& route, Door door) {
  switch (door) {
    case Door::control:
      return true;
    case Door::metrics:
      return route.metrics;
    case Door::peers:
      return route.peers;
    case Door::purge:
      return route.purge;
  }
  return false;
}

}  // namespace

AdminAnswer admin_error(int status, const std::string& what) {
  AdminAnswer a;
  a.status = status;
  a.body = dump({{"error", what}});
  return a;
}

void answer_admin(AdminBackend& backend, const AdminRequest& r, Reply reply) {
  if (r.method == "PURGE" && (r.door == Door::control || r.door == Door::purge))
    return purge(backend, r, order_of_method(r), std::move(reply));
  std::string takes, allow;
  for (const Route& route : routes) {
    if (r.path != route.path || !open_at(route, r.door)) continue;
    bool is_get = route.method == std::string_view("GET");
    if (is_get && (r.method == "GET" || r.method == "HEAD")) return get(backend, r, reply);
    if (!is_get && r.method == "POST") return post(backend, r, reply);
    takes += (takes.empty() ? "" : " and ") + std::string(route.method);
    allow += (allow.empty() ? "" : ", ") + std::string(is_get ? "GET, HEAD" : "POST");
  }
  if (!takes.empty()) {
    AdminAnswer a = admin_error(405, r.path + " takes " + takes);
    a.allow = allow;
    return reply(std::move(a));
  }
  reply(admin_error(404, "nothing at " + r.path + " here"));
}

}  // namespace portolan::daemon
