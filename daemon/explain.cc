#include "daemon/explain.hh"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/clock.hh"
#include "core/conf/words.hh"
#include "core/http/h1.hh"
#include "edge/device.hh"
#include "edge/rules.hh"
#include "proxy/cluster.hh"
#include "proxy/filters.hh"
#include "proxy/request_target.hh"
#include "proxy/rewrite.hh"
#include "proxy/route_rank.hh"
#include "proxy/split.hh"

namespace portolan::daemon {
namespace {

using nlohmann::json;
using proxy::RouteConfig;

// One request on its way. Each step adds its lines; false: nothing follows.
class Explanation {
 public:
  Explanation(const ExplainRequest& asked, const ExplainWorld& world) : asked_(asked), world_(world) {}
  Result<std::string> run();

 private:
  using Step = bool (Explanation::*)();
  bool listener();
  bool client();
  bool route();
  bool admission();
  bool answer();
  bool cache();
  bool pool();
  bool server();

  void say(std::string_view step, const std::string& text) {
    out_ += fmt::format("{:<11}{}\n", step == said_ ? "" : step, text);
    said_ = step;
  }
  std::string place(const RouteConfig& route) const {
    return fmt::format("{} ({})", conf::quoted(route.name), route.where);
  }
  proxy::RouteQuery query();

  const ExplainRequest& asked_;
  const geo::Table* places() const { return world_.places ? world_.places : world_.snapshot.geo.get(); }
  const ExplainWorld& world_;
  std::string out_;
  std::string_view said_;
  edge::Url url_;
  uint16_t port_ = 0;
  std::string text_;
  http::RequestParser parser_;
  IpAddress peer_;
  proxy::Client client_;
  proxy::ClientCountry country_;
  const proxy::ListenerConfig* listener_ = nullptr;
  const RouteConfig* route_ = nullptr;
  std::string pool_;
  std::shared_ptr<const health::Pool> members_;
};

uint16_t port_of(const edge::Url& url) {
  size_t colon = url.authority.rfind(':');
  if (colon == std::string::npos || url.authority.ends_with(']')) return url.scheme == "https" ? 443 : 80;
  return static_cast<uint16_t>(std::strtoul(url.authority.c_str() + colon + 1, nullptr, 10));
}

Result<std::string> Explanation::run() {
  auto url = edge::parse_url(asked_.url);
  if (!url) return Error{conf::quoted(asked_.url) + " is no URL; write http://host/path or https://host/path", 400};
  url_ = std::move(*url);
  auto peer = IpAddress::parse(asked_.from);
  if (!peer) return Error{conf::quoted(asked_.from) + " is no IP address", 400};
  peer_ = peer->unmapped();
  text_ = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\n", asked_.method, url_.path.empty() ? "/" : url_.path,
                      url_.query ? "?" + *url_.query : "", url_.authority);
  for (const std::string& header : asked_.headers) text_ += header + "\r\n";
  text_ += "\r\n";
  say("request", fmt::format("{} {} from {}", asked_.method, asked_.url, peer_.to_string()));
  if (parser_.next(text_).event != http::Event::head) {
    say("refused", fmt::format("{}: {}", parser_.status(), parser_.reason()));
    return out_;
  }
  for (Step step : {&Explanation::listener, &Explanation::client, &Explanation::route, &Explanation::admission,
                    &Explanation::answer, &Explanation::cache, &Explanation::pool, &Explanation::server})
    if (!(this->*step)()) break;
  return out_;
}

bool Explanation::listener() {
  const auto& listeners = world_.snapshot.listeners;
  uint16_t port = port_of(url_);
  for (const auto& [name, config] : listeners) {
    bool there = std::any_of(config.listen.begin(), config.listen.end(), [&](const auto& a) { return a.port == port; });
    if (asked_.listener.empty() ? there && config.tls.has_value() == (url_.scheme == "https") : asked_.listener == name)
      listener_ = &config;
  }
  if (!listener_) {
    std::string known;
    for (const auto& [name, config] : listeners) known += (known.empty() ? "" : ", ") + name;
    say("listener",
        asked_.listener.empty()
            ? fmt::format("none takes {} at port {}; name one with --listener: {}", url_.scheme, port, known)
            : fmt::format("there is no {}; listeners: {}", conf::quoted(asked_.listener), known));
    return false;
  }
  std::string addresses;
  for (const SocketAddress& a : listener_->listen) addresses += (addresses.empty() ? "" : ", ") + a.to_string();
  say("listener", fmt::format("{} ({})", listener_->name, addresses));
  return true;
}

bool Explanation::client() {
  client_ = proxy::identify_client(parser_.head(), peer_, world_.snapshot.trusted);
  if (!client_.through_trusted || !parser_.head().fields.has(http::FieldId::x_forwarded_proto))
    client_.scheme = listener_->tls ? "https" : "http";
  std::string text = client_.address.to_string();
  if (client_.address != client_.peer) text += ", as the trusted " + peer_.to_string() + " says";
  if (places()) {
    std::string_view code = country_.of(client_.address, places());
    text += code.empty() ? ", country unknown" : ", country " + std::string(code);
  }
  say("client", text);
  return true;
}

proxy::RouteQuery Explanation::query() {
  const http::RequestHead& head = parser_.head();
  std::string_view host = proxy::without_port(url_.authority);
  return {listener_->name,  host,      head.path, head.method_text, head.query, &head.fields,
          &client_.address, &country_, places()};
}

bool Explanation::route() {
  if (proxy::climbs(parser_.head().path)) {
    say("refused", "400: a segment of the path is \"..\"");
    return false;
  }
  proxy::RouteQuery q = query();
  size_t found = world_.snapshot.router->match(q);
  if (found == proxy::Router::none) {
    say("route", "none takes it: 404");
    return false;
  }
  route_ = &world_.snapshot.routes[found];
  say("route", fmt::format("{}: {}", place(*route_), proxy::describe(*route_)));
  std::optional<proxy::RouteRank> mine = proxy::rank_of(*route_, q), best;
  const RouteConfig* next = nullptr;
  for (const RouteConfig& other : world_.snapshot.routes) {
    auto rank = proxy::rank_of(other, q);
    if (&other == route_ || !rank || (best && *rank <= *best)) continue;
    best = rank;
    next = &other;
  }
  say("route", next && mine ? fmt::format("comes before {}, as {}", place(*next), proxy::reason_for(*mine, *best))
                            : "no other takes it");
  return true;
}

// In the order in which an exchange asks. Rates are not counted here, nor passwords looked at.
bool Explanation::admission() {
  std::vector<std::string> asked;
  if (route_->client_certificate) asked.emplace_back("needs a client certificate: else 403");
  const auto& gates = world_.snapshot.listener_gates;
  auto of_listener = gates.find(listener_->name);
  const proxy::Gate* both[] = {of_listener == gates.end() ? nullptr : of_listener->second.get(), nullptr};
  if (!world_.snapshot.route_gates.empty())
    both[1] = world_.snapshot.route_gates[static_cast<size_t>(route_ - world_.snapshot.routes.data())].get();
  for (const proxy::Gate* gate : both) {
    if (!gate) continue;
    const char* whose = gate == both[0] ? "listener" : "route";
    if (!gate->access.pass(client_.address, country_, places())) {
      say("admission", fmt::format("allow and deny of the {} keep the client out: 403", whose));
      return false;
    }
    if (gate->maintenance && gate->maintenance->on() &&
        !gate->maintenance->allow.holds(client_.address, country_, places())) {
      say("admission", "the route is in maintenance: 503");
      return false;
    }
    if (!gate->limits.empty())
      asked.push_back(fmt::format("{} limits of the {}: 429 above", gate->limits.size(), whose));
    if (gate->url_keys) asked.emplace_back("needs a signed URL: else 403");
    if (gate->basic_auth) asked.emplace_back("needs a password: else 401");
  }
  if (asked.empty()) asked.emplace_back("passes");
  for (const std::string& line : asked) say("admission", line);
  return true;
}

bool Explanation::answer() {
  if (route_->to_servers()) return true;
  if (route_->respond) say("answer", fmt::format("{}, as written", route_->respond->status));
  if (route_->files) say("answer", fmt::format("a file below {}", route_->files->root));
  if (route_->redirect == "https") {
    say("answer", fmt::format("{} to {}", route_->redirect_status,
                              proxy::https_target(proxy::without_port(url_.authority), parser_.head())));
  } else if (!route_->redirect.empty()) {
    Text target;
    proxy::RouteQuery q = query();
    if (route_->redirect_to.pieces().empty()) target = route_->redirect;
    route_->redirect_to.expand({parser_.head(), q.host, client_.scheme, client_.address, route_->path, country_, q.geo},
                               target);
    say("answer", fmt::format("{} to {}", route_->redirect_status, std::string_view(target)));
  }
  return false;
}

bool Explanation::cache() {
  if (route_->cache.empty()) return true;
  auto config = std::find_if(world_.caches.begin(), world_.caches.end(),
                             [&](const edge::CacheConfig& c) { return c.name == route_->cache; });
  if (config == world_.caches.end()) return true;
  edge::Rules rules(*config);
  edge::RequestView view{parser_.head(), client_.scheme, url_.authority, 0};
  if (config->key_country) view.country = country_.of(client_.address, places());
  view.route = route_->mark;
  edge::RequestFacts facts = edge::examine(rules, view);
  if (!facts.lookup) {
    std::string_view why = facts.detail ? facts.detail : facts.forward == edge::Forward::method ? "method" : "request";
    say("cache", fmt::format("{}: passed by for its {}", config->name, why));
    return true;
  }
  std::string key;
  key.resize(edge::compose_key(rules, view, key));
  key = edge::key_text(key);
  std::string more;
  for (const std::string& name : config->key_headers)
    more += fmt::format(", {} {}", name, conf::quoted(parser_.head().fields.find(name).value_or("")));
  for (const std::string& name : config->key_cookies) more += ", cookie " + name;
  if (config->key_device) more += fmt::format(", device {}", edge::device_class(parser_.head().fields));
  if (config->key_country) more += fmt::format(", country {}", view.country.empty() ? "unknown" : view.country);
  if (!view.route.empty()) more += fmt::format(", route {}", route_->name);
  say("cache", fmt::format("{}: key {}{}", config->name, conf::quoted(key), more));
  return true;
}

bool Explanation::pool() {
  pool_ = route_->pool;
  std::string why;
  if (!route_->pools.empty()) {
    const proxy::PoolShare& share = route_->pools[proxy::choose_pool(route_->pools, client_.address)];
    int64_t all = 0;
    for (const proxy::PoolShare& p : route_->pools) all += p.weight;
    pool_ = share.pool;
    why = fmt::format(", by its share of {} in {} and the client's address", share.weight, all);
  }
  auto config = world_.snapshot.pools.find(pool_);
  if (config == world_.snapshot.pools.end()) return false;
  say("pool", fmt::format("{}{}, {}", pool_, why, config->second->balance));
  if (route_->rewrite) {
    Text path;
    if (!proxy::rewrite_path(*route_, parser_.head().path, path)) {
      say("refused", fmt::format("400: the rewritten path {} has a segment \"..\"", std::string_view(path)));
      return false;
    }
    say("pool", fmt::format("is asked for {}", std::string_view(path)));
  }
  if (route_->mirror)
    say("pool",
        fmt::format("{:.3g}% of the requests go to {} as well", route_->mirror->share * 100, route_->mirror->pool));
  auto found = world_.board.pools.find(pool_);
  if (found == world_.board.pools.end()) {
    for (const proxy::ServerConfig& s : config->second->servers) say("pool", "  " + s.address.to_string());
    say("pool", "their state is known to a running daemon only");
    return false;
  }
  members_ = found->second;
  for (const health::Member& m : members_->members)
    say("pool",
        fmt::format("  {:<21} {}{}, weight {}, {} in flight{}{}{}{}", m.name, health::to_string(m.health.state),
                    m.health.reason.empty() ? "" : " (" + m.health.reason + ")", m.weight, m.state->in_flight.load(),
                    m.max_connections ? fmt::format(" of {}", m.max_connections) : "", m.backup ? ", backup" : "",
                    m.datacenter.empty() ? "" : ", in " + m.datacenter,
                    m.state->latency_us > 0
                        ? fmt::format(", {:.1f} ms", static_cast<double>(m.state->latency_us) / 1000)
                        : ""));
  return true;
}

// Picks as a worker would, from a copy of the counts, so that nothing is counted and nobody's turn is taken.
bool Explanation::server() {
  auto copy = std::make_shared<health::Pool>(*members_);
  copy->state = std::make_shared<health::PoolState>();
  for (size_t i = 0; i < std::size(copy->state->turns); ++i) copy->state->turns[i] = members_->state->turns[i].load();
  for (health::Member& m : copy->members) {
    auto state = std::make_shared<health::ServerState>();
    state->in_flight = m.state->in_flight.load();
    state->latency_us = m.state->latency_us.load();
    state->latency_at_us = m.state->latency_at_us.load();
    m.state = std::move(state);
  }
  proxy::Cluster cluster(copy, world_.snapshot.pools.find(pool_)->second);
  proxy::Steer to = cluster.steer(parser_.head(), client_.address);
  Rng rng(1);
  proxy::Tried tried;
  const proxy::Pick ask{tried, rng, world_.now_us, to};
  for (size_t i = 0; i < copy->members.size(); ++i)
    say("candidates", fmt::format("  {:<21} {}", copy->members[i].name, cluster.standing(i, ask)));
  size_t index = cluster.pick(ask);
  if (index == proxy::Balancer::none) {
    const proxy::QueueConfig& queue = cluster.config().queue;
    if (queue.size > 0 && cluster.may_be_full(tried, to))
      say("server", fmt::format("every one is full: it would wait up to {} ms, where {} of {} wait now",
                                queue.timeout_ms, members_->state->queue.size(), queue.size));
    else
      say("server", "none is left: 503");
    return false;
  }
  std::string why = fmt::format("by {}, {}", cluster.config().balance, cluster.chosen_as());
  if (index == to.named) why = "as the client's cookie says";
  if (to.shard != proxy::Steer::none) why += fmt::format(", of shard {}", to.shard);
  say("server", fmt::format("{}, {}", cluster.server_name(index), why));
  return true;
}

}  // namespace

std::string to_json(const ExplainRequest& r) {
  json j = {{"method", r.method}, {"url", r.url}, {"headers", r.headers}, {"from", r.from}, {"listener", r.listener}};
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ExplainRequest> parse_explain_request(const std::string& text) {
  json j = json::parse(text, nullptr, false);
  ExplainRequest r;
  bool good = j.is_object();
  const std::pair<const char*, std::string*> texts[] = {
      {"method", &r.method}, {"url", &r.url}, {"from", &r.from}, {"listener", &r.listener}};
  for (auto [key, to] : texts) {
    if (!good || !j.contains(key)) continue;
    good = j[key].is_string();
    if (good) *to = j[key].get<std::string>();
  }
  if (good && j.contains("headers")) {
    good = j["headers"].is_array();
    for (const json& header : j["headers"]) {
      good = good && header.is_string();
      if (good) r.headers.push_back(header.get<std::string>());
    }
  }
  if (!good || r.url.empty())
    return Error{R"(the body must be {"method":…, "url":…, "headers":["Name: value"], "from":…, "listener":…})", 400};
  return r;
}

Result<std::string> explain(const ExplainRequest& request, const ExplainWorld& world) {
  return Explanation(request, world).run();
}

}  // namespace portolan::daemon
