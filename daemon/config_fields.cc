#include "daemon/config_fields.hh"

#include "core/base/log.hh"
#include "core/conf/types.hh"
#include "core/geo/config_fields.hh"
#include "edge/config_fields.hh"
#include "geodns/config_fields.hh"
#include "proxy/admit/config_fields.hh"
#include "proxy/config_fields.hh"

namespace portolan::daemon {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;

conf::Type<int> workers() {
  conf::Type<int> t = conf::integer<int>(1, 1024);
  t.name = "\"auto\" or whole number";
  t.example = "\"auto\"";
  t.show = [](const int&) { return std::string("\"auto\""); };
  t.read = [](Binder& binder, const Value& value, int& out) {
    bool is_auto = value.kind == Value::Kind::string && value.string == "auto";
    if (!is_auto && (value.kind != Value::Kind::integer || value.integer < 1 || value.integer > 1024))
      return binder.must_be(value, "\"auto\" or a whole number from 1 to 1024");
    out = is_auto ? 0 : static_cast<int>(value.integer);
    return true;
  };
  return t;
}

// "off", or what SocketAddress reads: a Unix socket, or an IP address and port.
conf::Type<std::string> switchable_address(bool local) {
  conf::Type<std::string> t = conf::string(local ? "\"unix:/run/portolan/admin.sock\"" : "\"127.0.0.1:9145\"");
  std::string what = local ? "\"unix:/path\" or \"off\"" : "an IP address and port or \"off\"";
  t.bounds = [what] { return what; };
  t.read = [read = t.read, local, what](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    if (out == "off") return true;
    auto address = SocketAddress::parse(out);
    return (address && address->is_unix() == local) || binder.must_be(value, what);
  };
  return t;
}

const conf::Table<PeersConfig>& peers_fields() {
  static const conf::Table<PeersConfig> table{
      row("listen", &PeersConfig::listen, conf::one_or_many(conf::address()),
          "Where other Portolans read this one's /health.")
          .require()
          .example("[\"192.0.2.10:9146\"]"),
      row("allow", &PeersConfig::allow, conf::one_or_many(conf::network()), "Who may.")
          .otherwise("everybody who reaches it")
          .example("[\"192.0.2.0/24\"]"),
  };
  return table;
}

const conf::Table<PurgeConfig>& purge_fields() {
  static const conf::Table<PurgeConfig> table{
      row("listen", &PurgeConfig::listen, conf::one_or_many(conf::address()),
          "Where purges are taken by HTTP from those who have a token: POST /purge, and PURGE of a URL. It speaks no "
          "TLS: beyond this machine put a route before it.")
          .require()
          .example("[\"127.0.0.1:9147\"]"),
      row("tokens_file", &PurgeConfig::tokens_file, conf::path("\"/etc/portolan/purge-tokens\""),
          "Lines of NAME:HASH as `portolan purge-token NAME` writes them. Such a token may purge and nothing else.")
          .require(),
      row("allow", &PurgeConfig::allow, conf::one_or_many(conf::network()), "Who may.")
          .otherwise("everybody who reaches it")
          .example("[\"192.0.2.0/24\"]"),
      row("rate", &PurgeConfig::rate, proxy::request_rate(),
          "How many purges a token may make, each URL, prefix, host and tag counted; beyond that 429."),
      row("burst", &PurgeConfig::burst, conf::optional(conf::integer<int64_t>(1, 1'000'000)), "How many at once.")
          .otherwise("what comes in a second, at least one"),
  };
  return table;
}

const conf::Table<ProcessConfig>& server_fields() {
  static const conf::Table<ProcessConfig> table{
      row("name", &ProcessConfig::name, conf::string("\"edge-1\""),
          "Who this node is, in logs, metrics and Cache-Status.")
          .otherwise("the host name"),
      row("datacenter", &ProcessConfig::datacenter, conf::reference("datacenter"), "Where it stands.")
          .example("\"NAME\""),
      row("workers", &ProcessConfig::workers, workers(),
          "Event loops; auto: one a usable core (affinity and cgroup quota honoured)."),
      row("user", &ProcessConfig::user, conf::string("\"portolan\""),
          "Dropped to once sockets are bound, keeping CAP_NET_BIND_SERVICE for reloads.")
          .otherwise("stays who it is"),
      row("admin", &ProcessConfig::admin, switchable_address(true),
          "The control API, used by portolan status, reload, drain, purge."),
      row("metrics", &ProcessConfig::metrics, switchable_address(false), "Prometheus at /metrics, readiness at /ready.")
          .otherwise("off"),
      row("peers", &ProcessConfig::peers, conf::table(peers_fields()), "What other Portolans may know."),
      row("purge", &ProcessConfig::purge, conf::table(purge_fields()), "Purges by those who are no operators."),
      row("trusted", &ProcessConfig::trusted, conf::one_or_many(conf::network()),
          "Proxies whose X-Forwarded-For, Forwarded and PROXY headers are believed.")
          .otherwise("nobody"),
      row("state", &ProcessConfig::state, conf::path("\"/var/lib/portolan\""),
          "A directory for what is kept over a restart: the keys of TLS session tickets and of sticky cookies. Made "
          "with "
          "mode 0700 where it is missing.")
          .otherwise("that of systemd's StateDirectory=, else nothing is kept"),
      row("drain", &ProcessConfig::drain_ms, conf::duration<int64_t>(0, 86'400'000),
          "How long a stop lets requests finish."),
      row("shutdown_delay", &ProcessConfig::shutdown_delay_ms, conf::duration<int64_t>(0, 3'600'000),
          "How long a stop first answers /ready with 503 and goes on serving, so that others send their clients "
          "elsewhere."),
      row("max_connections", &ProcessConfig::max_connections, conf::integer<int64_t>(0, 100'000'000),
          "Clients in all; 0: what the descriptor limit allows. Near it those that idle, or stall, for longest are "
          "closed for new ones."),
      row("buffers", &ProcessConfig::buffers, conf::size<uint64_t>(1 << 20, uint64_t{1} << 40),
          "Memory for requests and answers under way, the caches' apart. From half of it on slow readers get "
          "small windows; at its end the slowest are cut, and where that is not enough new requests get 503."),
  };
  return table;
}

const conf::Table<LogConfig>& access_fields() {
  static const conf::Table<LogConfig> table{
      row("path", &LogConfig::access_path, conf::path("\"/var/log/portolan/access.log\""),
          "A file, \"stdout\" or \"off\"."),
      row("format", &LogConfig::access_format, conf::one_of({"json", "combined"}), "How a line looks."),
  };
  return table;
}

const conf::Table<LogConfig>& queries_fields() {
  static const conf::Table<LogConfig> table{
      row("path", &LogConfig::queries_path, conf::path("\"/var/log/portolan/queries.log\""),
          "A file, \"stdout\" or \"off\"."),
      row("share", &LogConfig::queries_share, conf::share(0, 1), "How many of them are written, drawn at random."),
  };
  return table;
}

const conf::Table<LogConfig>& log_fields() {
  static const conf::Table<LogConfig> table{
      row("level", &LogConfig::level, conf::one_of({"debug", "info", "warning", "error"}),
          "What the event log tells, on stderr."),
      row_of<LogConfig, LogConfig>("access", std::identity(), conf::table(access_fields()), "One line a request."),
      row_of<LogConfig, LogConfig>("queries", std::identity(), conf::table(queries_fields()), "One line a DNS query."),
  };
  return table;
}

const conf::Table<Config>& geo_fields() {
  static const conf::Table<Config> table{
      row("databases", &Config::geo_databases,
          conf::list(conf::table_or(geo::database_fields(), &geo::Database::path,
                                    conf::path("\"/var/lib/portolan/GeoLite2-City.mmdb\""))),
          "Where addresses are; later ones take precedence, field by field."),
  };
  return table;
}

}  // namespace

const conf::Table<Config>& config_fields() {
  using geodns::DatacenterConfig;
  using geodns::GeodnsConfig;
  using geodns::ServiceConfig;
  using geodns::ZoneConfig;
  static const conf::Table<Config> table{
      row("server", &Config::server, conf::table(server_fields()), "The process."),
      row("log", &Config::log, conf::table(log_fields()), "What is written down."),
      row("resolver", &Config::resolver, conf::table(loop::resolver_fields()),
          "How names in `servers` are resolved. A failed or empty answer keeps what was found before."),
      row("timeouts", &Config::timeouts, conf::table(proxy::timeout_fields()),
          "How long things may take; may be set again in a listener, route or pool."),
      row("listener", &Config::listeners, conf::named(proxy::listener_fields()),
          "Where clients arrive. As many as there are names."),
      row("pool", &Config::pools, conf::named(proxy::pool_fields()), "Servers that answer alike."),
      row("route", &Config::routes, conf::list(conf::table(proxy::route_fields())),
          "What goes where. The most specific route wins whatever the order: a named listener "
          "before none; "
          "exact host, then wildcard, then any; longest path; then most other conditions. Two "
          "routes that "
          "tie are an error."),
      row("limit", &Config::limits, conf::named(proxy::limit_fields()),
          "A rate limit that routes and listeners share: each client has one bucket of tokens for all that name it."),
      row("cache", &Config::caches, conf::named(edge::cache_fields()),
          "A cache in memory. A request with a cookie passes untouched and is not looked up, "
          "unless the "
          "cache ignores or keys that cookie."),
      row_of<Config, Config>("geo", std::identity(), conf::table(geo_fields()), "Where on Earth addresses are."),
      row_of<Config, std::vector<DatacenterConfig>>(
          "datacenter", [](Config & c) -> auto& { return c.geodns.datacenters; },
          conf::named(geodns::datacenter_fields()), "A place services stand in."),
      row_of<Config, std::vector<ServiceConfig>>(
          "service", [](Config & c) -> auto& { return c.geodns.services; }, geodns::services(),
          "What DNS names point at: in each datacentre its addresses and its own health."),
      row_of<Config, GeodnsConfig>("geodns", &Config::geodns, conf::table(geodns::geodns_fields()), "The DNS server."),
      row_of<Config, std::vector<ZoneConfig>>(
          "zone", [](Config & c) -> auto& { return c.geodns.zones; }, conf::named(geodns::zone_fields()),
          "A zone it answers for, as in [zone.\"example.com\"]."),
  };
  return table;
}

}  // namespace portolan::daemon
