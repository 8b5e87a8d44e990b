#include "daemon/explain.hh"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/clock.hh"
#include "core/conf/words.hh"
#include "daemon/asked_request.hh"
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
  Explanation(const ExplainRequest& asked, const ExplainWorld& world) : request_(asked, world), world_(world) {}
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
  bool ends(const std::optional<AskedRequest::End>& end) {
    if (end) say(end->step, end->text);
    return end.has_value();
  }
  std::string place(const RouteConfig& route) const {
    return fmt::format("{} ({})", conf::quoted(route.name), route.where);
  }

  AskedRequest request_;
  const ExplainWorld& world_;
  std::string out_;
  std::string said_;
  const RouteConfig* route_ = nullptr;
  std::string pool_;
  std::shared_ptr<const health::Pool> members_;
};

Result<std::string> Explanation::run() {
  if (Status good = request_.read(); !good) return good.error();
  const ExplainRequest& asked = request_.asked();
  say("request", fmt::format("{} {} from {}", asked.method, asked.url, request_.peer().to_string()));
  if (ends(request_.parse())) return out_;
  for (Step step : {&Explanation::listener, &Explanation::client, &Explanation::route, &Explanation::admission,
                    &Explanation::answer, &Explanation::cache, &Explanation::pool, &Explanation::server})
    if (!(this->*step)()) break;
  return out_;
}

bool Explanation::listener() {
  if (ends(request_.find_listener())) return false;
  std::string addresses;
  for (const SocketAddress& a : request_.listener().listen)
    addresses += (addresses.empty() ? "" : ", ") + a.to_string();
  say("listener", fmt::format("{} ({})", request_.listener().name, addresses));
  return true;
}

bool Explanation::client() {
  request_.identify();
  const proxy::Client& client = request_.client();
  std::string text = client.address.to_string();
  if (client.address != client.peer) text += ", as the trusted " + request_.peer().to_string() + " says";
  if (request_.places()) {
    std::string_view code = request_.country();
    text += code.empty() ? ", country unknown" : ", country " + std::string(code);
  }
  say("client", text);
  return true;
}

bool Explanation::route() {
  if (ends(request_.find_route())) return false;
  route_ = &request_.route();
  say("route", fmt::format("{}: {}", place(*route_), proxy::describe(*route_)));
  proxy::RouteQuery q = request_.query();
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

bool Explanation::admission() {
  AskedRequest::Admission admission = request_.admit();
  if (!admission.refused.empty()) {
    say("admission", admission.refused);
    return false;
  }
  for (const std::string& line : admission.lines) say("admission", line);
  return true;
}

bool Explanation::answer() {
  if (route_->to_servers()) return true;
  if (route_->respond) say("answer", fmt::format("{}, as written", route_->respond->status));
  if (route_->files) say("answer", fmt::format("a file below {}", route_->files->root));
  if (route_->redirect == "https") {
    say("answer", fmt::format("{} to {}", route_->redirect_status,
                              proxy::https_target(proxy::without_port(request_.url().authority), request_.head())));
  } else if (!route_->redirect.empty()) {
    Text target;
    proxy::RouteQuery q = request_.query();
    const proxy::Client& client = request_.client();
    if (route_->redirect_to.pieces().empty()) target = route_->redirect;
    route_->redirect_to.expand(
        {request_.head(), q.host, client.scheme, client.address, route_->path, request_.country_known(), q.geo},
        target);
    say("answer", fmt::format("{} to {}", route_->redirect_status, std::string_view(target)));
  }
  return false;
}

bool Explanation::cache() {
  const edge::CacheConfig* config = request_.cache_config();
  if (!config) return true;
  const bool rule = request_.bypasses();
  if (rule && !route_->cache_bypass->store) {
    say("cache", fmt::format("{}: passed by, as the route's cache_bypass says", config->name));
    return true;
  }
  edge::Rules rules(*config);
  edge::RequestView view = request_.view(0);
  edge::RequestFacts facts = edge::examine(rules, view);
  if (!facts.lookup) {
    std::string_view why = facts.detail ? facts.detail : facts.forward == edge::Forward::method ? "method" : "request";
    say("cache", fmt::format("{}: passed by for its {}", config->name, why));
    return true;
  }
  std::string key;
  key.resize(edge::compose_key(rules, view, key));
  key = edge::key_text(key);
  const http::Fields& fields = request_.head().fields;
  std::string more;
  for (const std::string& name : config->key_headers)
    more += fmt::format(", {} {}", name, conf::quoted(fields.find(name).value_or("")));
  for (const std::string& name : config->key_cookies) more += ", cookie " + name;
  if (config->key_device) more += fmt::format(", device {}", edge::device_class(fields));
  if (config->key_country) more += fmt::format(", country {}", view.country.empty() ? "unknown" : view.country);
  if (!view.route.empty()) more += fmt::format(", route {}", route_->name);
  if (!view.pool.empty()) more += fmt::format(", pool {}", view.pool);
  say("cache", fmt::format("{}: key {}{}", config->name, conf::quoted(key), more));
  if (rule) say("cache", "asked for anew and stored, as the route's cache_bypass says");
  return true;
}

bool Explanation::pool() {
  pool_ = request_.pool();
  std::string why;
  if (!route_->pools.empty()) {
    const proxy::PoolShare& share = route_->pools[proxy::choose_pool(route_->pools, request_.client().address)];
    int64_t all = 0;
    for (const proxy::PoolShare& p : route_->pools) all += p.weight;
    why = fmt::format(", by its share of {} in {} and the client's address", share.weight, all);
  }
  auto config = world_.snapshot.pools.find(pool_);
  if (config == world_.snapshot.pools.end()) return false;
  say("pool", fmt::format("{}{}, {}", pool_, why, config->second->balance));
  if (route_->rewrite) {
    Text path;
    if (!proxy::rewrite_path(*route_, request_.head().path, path)) {
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
  proxy::Steer to = cluster.steer(request_.head(), request_.client().address);
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
