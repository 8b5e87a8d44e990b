#include "proxy/config_fields.hh"

#include "core/base/registry.hh"
#include "core/conf/types.hh"
#include "core/health/config_fields.hh"
#include "proxy/admit/client_counts.hh"
#include "proxy/admit/config_fields.hh"
#include "proxy/balance/balancer.hh"
#include "proxy/balance_fields.hh"
#include "proxy/grpc.hh"
#include "proxy/route_fields.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;

std::vector<std::string> balancers() {
  std::vector<std::string> names;
  for (const BalancerKind* kind : Registration<BalancerKind>::all()) names.emplace_back(kind->name);
  return names;
}

conf::Type<int64_t> timeout() {
  return conf::duration<int64_t>(1, 86'400'000);
}

conf::Type<uint64_t> rate() {
  auto type = conf::size<uint64_t>(0, 1 << 30);
  type.example = "\"500 B\"";
  return type;
}

const conf::Table<RetryConfig>& retry_fields() {
  static const conf::Table<RetryConfig> table{
      row("attempts", &RetryConfig::attempts, conf::integer<int>(0, 10),
          "Further tries after the first, each on another server where there is one."),
      row("statuses", &RetryConfig::statuses, conf::list(conf::integer<int>(400, 599)),
          "Answers that are tried again elsewhere, such as [502, 503, 504]: of requests that may be sent again (GET, "
          "PUT, …), while a server is left; the last one's answer is passed on.")
          .otherwise("none"),
      row("grpc", &RetryConfig::grpc, conf::list(conf::one_of(grpc_status_names)),
          "gRPC statuses that are tried again elsewhere, where a server gave nothing but the status.")
          .otherwise("none"),
      row("budget", &RetryConfig::budget, conf::share(0, 1),
          "Retries as a share of the requests of the last ten seconds; at least ten a second are "
          "allowed."),
  };
  return table;
}

bool sets_have_weights(Binder& binder, const Value& value, ServerConfig& server) {
  const conf::Member* weight = value.find("weight");
  if (!weight || server.address.kind != ServerAddress::Kind::srv) return true;
  binder.error(weight->where, "weight in " + binder.context() + ": those of " + server.address.to_string() +
                                  " come with the set; leave it out");
  return false;
}

const conf::Table<QueueConfig>& queue_fields() {
  static const conf::Table<QueueConfig> table{
      row("size", &QueueConfig::size, conf::integer<int>(0, 1'000'000),
          "Requests that may wait at once; more get 503 at once, with 0 all do."),
      row("timeout", &QueueConfig::timeout_ms, timeout(), "How long one waits before it gets 503."),
  };
  return table;
}

const conf::Table<ServerConfig>& server_fields() {
  static const conf::Table<ServerConfig> table{
      {
          row("address", &ServerConfig::address, conf::server_address(),
              "Where it listens. A name stands for all its addresses and srv:NAME for the servers of a SRV set, both "
              "asked again by TTL; file:/path for the servers listed there, one a line, watched.")
              .require(),
          row("weight", &ServerConfig::weight, conf::integer<int>(1, 1000), "Its share against the other servers'."),
          row("max_connections", &ServerConfig::max_connections, conf::integer<int>(0, 1'000'000),
              "Requests in flight to it at once; 0: no limit."),
          row("backup", &ServerConfig::backup, conf::boolean(), "Gets requests only while no other server can."),
          row("datacenter", &ServerConfig::datacenter, conf::reference("datacenter"),
              "Where it stands. Servers of this node's own are used first, then the nearest, as "
              "[datacenter.NAME].location says, when too few of those serve.")
              .otherwise("where this node does")
              .example("\"NAME\""),
      },
      sets_have_weights};
  return table;
}

bool no_server_twice(Binder& binder, const Value& value, PoolConfig& pool) {
  if (!steering_is_sound(binder, value, pool)) return false;
  const conf::Member* servers = value.find("servers");
  bool good = true, primary = false;
  for (size_t i = 0; i < pool.servers.size(); ++i) {
    primary = primary || !pool.servers[i].backup;
    for (size_t j = 0; j < i; ++j) {
      if (pool.servers[i].address != pool.servers[j].address) continue;
      binder.error(servers->value.items[i].where, pool.servers[i].address.to_string() + " stands twice in " +
                                                      binder.context() + ".servers; use weight to give it more");
      good = false;
      break;
    }
  }
  if (primary) return good;
  binder.error(servers->where, binder.context() + ".servers has backups only");
  return false;
}

// Lists in files and SRV sets may bring limits of their own.
bool queue_is_of_use(Binder& binder, const Value& value, const PoolConfig& pool) {
  const conf::Member* queue = value.find("queue");
  if (!queue || pool.queue.size == 0) return true;
  for (const ServerConfig& s : pool.servers)
    if (s.max_connections > 0 || s.address.kind == ServerAddress::Kind::file) return true;
  binder.error(queue->where, "queue in " + binder.context() +
                                 " is never used, as no server has max_connections: write them as { address = …, "
                                 "max_connections = 100 }, or leave queue out");
  return false;
}

bool check_pool(Binder& binder, const Value& value, PoolConfig& pool) {
  return no_server_twice(binder, value, pool) && queue_is_of_use(binder, value, pool);
}

const conf::Table<HstsConfig>& hsts_fields() {
  static const conf::Table<HstsConfig> table{
      row("max_age", &HstsConfig::max_age_s, conf::duration<int64_t>(0, 10LL * 365 * 86'400'000, 1000),
          "How long a browser remembers."),
      row("include_subdomains", &HstsConfig::include_subdomains, conf::boolean(), "All names below as well."),
      row("preload", &HstsConfig::preload, conf::boolean(), "Browsers may ship with the name on their lists."),
  };
  return table;
}

const conf::Table<http::Limits>& head_limit_fields() {
  static const conf::Table<http::Limits> table{
      {
          row("head", &http::Limits::head_bytes, conf::size<size_t>(1024, 1 << 20),
              "A request's line and fields together; larger: 431."),
          row("target", &http::Limits::target_bytes, conf::size<size_t>(256, 1 << 20), "Its target; longer: 414."),
          row("fields", &http::Limits::field_count, conf::integer<size_t>(10, 10'000), "Its fields; more: 431."),
          row("trailers", &http::Limits::trailer_bytes, conf::size<size_t>(256, 1 << 20),
              "The fields behind a chunked body; larger: 431."),
          row("refuse_underscores", &http::Limits::refuse_underscores, conf::boolean(),
              "A field name with _ in it: 400. Else such fields are dropped, for some servers read them as -."),
      },
      [](Binder& binder, const Value& value, http::Limits& limits) {
        if (limits.target_bytes <= limits.head_bytes) return true;
        const conf::Member* target = value.find("target");
        binder.error(
            target ? target->where : value.where,
            "target in " + binder.context() + " is larger than head, which holds it: raise head or lower target");
        return false;
      }};
  return table;
}

bool hsts_needs_tls(Binder& binder, const Value& value, ListenerConfig& listener) {
  if (!listener.hsts || listener.tls) return true;
  binder.error(value.find("hsts")->where, "hsts in " + binder.context() + " needs tls: browsers ignore it otherwise");
  return false;
}

}  // namespace

const conf::Table<Timeouts>& timeout_fields() {
  static const conf::Table<Timeouts> table{
      row("header", &Timeouts::header, timeout(), "A request's whole head, from its first byte."),
      row("connect", &Timeouts::connect, timeout(), "Connecting to a server."),
      row("response", &Timeouts::response, timeout(), "From the request sent to the first byte of the answer."),
      row("idle", &Timeouts::idle, timeout(), "No progress on a body, either way."),
      row("keepalive", &Timeouts::keepalive, timeout(), "An idle connection, to a client or to a server."),
      row("tunnel", &Timeouts::tunnel, timeout(), "Nothing passed through a tunnel (WebSocket), either way."),
      row("min_rate", &Timeouts::min_rate, rate(),
          "Bytes a second that a client must send of a request's body or take of an answer, while we wait for it; "
          "slower ones are ended, however long honest ones take. \"0 B\": any."),
      row("min_rate_after", &Timeouts::min_rate_after, conf::duration<int64_t>(1'000, 3'600'000),
          "Over how long min_rate is measured, again and again."),
  };
  return table;
}

const conf::Table<TimeoutOverrides>& timeout_override_fields() {
  auto over = [] { return conf::optional(timeout()); };
  static const conf::Table<TimeoutOverrides> table{
      row("header", &TimeoutOverrides::header, over(), "As in [timeouts].").otherwise("that of [timeouts]"),
      row("connect", &TimeoutOverrides::connect, over(), "As in [timeouts].").otherwise("that of [timeouts]"),
      row("response", &TimeoutOverrides::response, over(), "As in [timeouts].").otherwise("that of [timeouts]"),
      row("idle", &TimeoutOverrides::idle, over(), "As in [timeouts].").otherwise("that of [timeouts]"),
      row("keepalive", &TimeoutOverrides::keepalive, over(), "As in [timeouts].").otherwise("that of [timeouts]"),
      row("tunnel", &TimeoutOverrides::tunnel, over(), "As in [timeouts].").otherwise("that of [timeouts]"),
      row("min_rate", &TimeoutOverrides::min_rate, conf::optional(rate()), "As in [timeouts].")
          .otherwise("that of [timeouts]"),
      row("min_rate_after", &TimeoutOverrides::min_rate_after,
          conf::optional(conf::duration<int64_t>(1'000, 3'600'000)), "As in [timeouts].")
          .otherwise("that of [timeouts]"),
  };
  return table;
}

const conf::Table<ListenerConfig>& listener_fields() {
  static const conf::Table<ListenerConfig> table{
      {
          row("listen", &ListenerConfig::listen, conf::one_or_many(conf::address()),
              "Where clients arrive; [::] means IPv6 alone.")
              .require()
              .example("[\"0.0.0.0:80\", \"[::]:80\"]"),
          row_of<ListenerConfig, ListenerConfig>(
              "protocol", std::identity(),
              conf::through<ListenerConfig, std::string>(
                  conf::one_of({"http"}), [](Binder&, const Value&, ListenerConfig&, std::string&) { return true; },
                  [](const ListenerConfig&) { return std::string("\"http\""); }),
              "What is spoken there."),
          row("proxy_protocol", &ListenerConfig::proxy_protocol, conf::boolean(),
              "Every connection must begin with PROXY v1 or v2, from `trusted` only."),
          row("limits", &ListenerConfig::limits, conf::table(head_limit_fields()),
              "How large a request's head may be."),
          row("freebind", &ListenerConfig::freebind, conf::boolean(),
              "Listen at addresses that no interface of this machine has yet: one that moves between nodes."),
          row("error_pages", &ListenerConfig::error_pages, error_pages(),
              "Pages in place of the short texts of errors that Portolan answers with, by status.")
              .otherwise("short texts"),
          row("timeouts", &ListenerConfig::timeouts, conf::table(timeout_override_fields()),
              "What differs from [timeouts] here."),
          row("tls", &ListenerConfig::tls, conf::optional(conf::table(loop::tls_listener_fields())),
              "Clients speak TLS."),
          row("http2", &ListenerConfig::http2, conf::boolean(),
              "Clients may speak HTTP/2: with TLS by ALPN, else by beginning so (prior knowledge)."),
          row("hsts", &ListenerConfig::hsts, conf::optional(conf::table(hsts_fields())),
              "Strict-Transport-Security: tells browsers to come by TLS alone from then on; with tls only. A server's "
              "own field stands."),
          row_of<ListenerConfig, std::vector<AccessEntry>>(
              "allow", [](ListenerConfig & l) -> auto& { return l.admit.allow; }, access_list(),
              "As in [[route]], for all that arrives here; a request must pass both.")
              .otherwise("everybody"),
          row_of<ListenerConfig, std::vector<AccessEntry>>(
              "deny", [](ListenerConfig & l) -> auto& { return l.admit.deny; }, access_list(),
              "As in [[route]], for all that arrives here.")
              .otherwise("nobody"),
          row_of<ListenerConfig, std::vector<LimitConfig>>(
              "limit", [](ListenerConfig & l) -> auto& { return l.admit.limits; }, limits(),
              "As in [[route]], for all that arrives here.")
              .example("{ rate = \"100/s\", burst = 200 }"),
          row("max_connections_per_client", &ListenerConfig::max_connections_per_client,
              conf::integer<int>(0, ClientCounts::highest - 1),
              "Connections of one address (IPv6: of one /64) at once; more are closed at once. Trusted proxies have no "
              "limit. 0: no limit."),
      },
      hsts_needs_tls};
  return table;
}

const conf::Table<PoolConfig>& pool_fields() {
  static const conf::Table<PoolConfig> table{
      {
          row("balance", &PoolConfig::balance, conf::one_of(balancers), "How a server is chosen."),
          row("servers", &PoolConfig::servers,
              conf::list(conf::table_or(server_fields(), &ServerConfig::address, conf::server_address()), 1),
              "Who answers: addresses, or tables where more is to be said.")
              .require(),
          row("hash", &PoolConfig::hash, hash(), "What requests are told apart by, with balance = \"hash\"."),
          row("sticky", &PoolConfig::sticky, conf::optional(sticky()),
              "A client comes back to its server by a signed cookie; an empty table {} will do."),
          row("shards", &PoolConfig::shards, conf::optional(shards()),
              "Servers that each own some of the keys. Without it any server may answer any request."),
          row("slow_start", &PoolConfig::slow_start_ms, conf::duration<int64_t>(0, 3'600'000),
              "A server that comes back, or is new, has its whole share after so long, and grows into it; \"0s\": at "
              "once."),
          row("panic", &PoolConfig::panic, conf::share(0, 1),
              "Fewer servers serve than this share: all are used, as the checks may be wrong or the rest overrun; in "
              "a pool of up to three, once none serves. \"0%\": never."),
          row("health", &PoolConfig::health, conf::table(health::check_fields()),
              "How each server is checked; left out: only by the requests it answers."),
          row("eject", &PoolConfig::eject, conf::table(health::eject_fields()),
              "When failed requests take a server out for a while."),
          row("retry", &PoolConfig::retry, conf::table(retry_fields()),
              "When a server refuses, resets or times out and the request allows it."),
          row("queue", &PoolConfig::queue, conf::table(queue_fields()),
              "Requests wait here, first come, first served, while every server is at its max_connections."),
          row("tls", &PoolConfig::tls, conf::optional(conf::table(loop::tls_server_fields())),
              "Servers speak TLS; an empty table {} verifies them by the system's roots."),
          row("http2", &PoolConfig::http2, conf::boolean(),
              "Servers are spoken to in HTTP/2, many requests over one connection: with tls by ALPN, else as they are "
              "known to speak it (h2c). gRPC needs it."),
          row("required", &PoolConfig::required, conf::boolean(),
              "/ready answers 503 while no server of this pool serves."),
          row("timeouts", &PoolConfig::timeouts, conf::table(timeout_override_fields()),
              "What differs from [timeouts] here."),
      },
      check_pool};
  return table;
}

}  // namespace portolan::proxy
