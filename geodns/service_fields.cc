#include "geodns/service_fields.hh"

#include <cmath>

#include "core/conf/types.hh"

namespace portolan::geodns {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;

// "http://host:port" and, where `with_path`, a path behind it; then https is good too.
bool is_http_url(const std::string& url, bool with_path) {
  const bool secure = with_path && url.starts_with("https://");
  if (!secure && !url.starts_with("http://")) return false;
  std::string rest = url.substr(secure ? 8 : 7);
  size_t slash = rest.find('/');
  if (slash != std::string::npos) {
    if (!with_path && slash + 1 != rest.size()) return false;
    if (rest.find_first_of(" #") != std::string::npos) return false;
    rest.resize(slash);
  }
  if (rest.rfind("unix:", 0) == 0) return false;
  bool has_port = rest.find(':', rest.rfind(']') == std::string::npos ? 0 : rest.rfind(']')) != std::string::npos;
  if (!has_port && !with_path) return false;
  return static_cast<bool>(HostPort::parse(has_port ? rest : rest + ":80"));
}

conf::Type<std::string> url(std::string example, bool with_path, std::string what) {
  conf::Type<std::string> t = conf::string(std::move(example));
  t.name = "URL";
  t.read = [read = t.read, with_path, what](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    if (!is_http_url(out, with_path)) return binder.must_be(value, what);
    if (!with_path && out.back() == '/') out.pop_back();
    return true;
  };
  return t;
}

conf::Type<std::string> tcp_address() {
  conf::Type<std::string> t = conf::string("\"192.0.2.11:5432\"");
  t.name = "host and port";
  t.read = [](Binder& binder, const Value& value, std::string& out) {
    HostPort parsed;
    if (!conf::host_port().read(binder, value, parsed)) return false;
    out = value.string;
    return true;
  };
  return t;
}

bool read_min_up(Binder& binder, const Value& value, ServiceHealth& out) {
  if (value.kind == Value::Kind::integer && value.integer >= 1 && value.integer <= 100'000) {
    out.min_up_count = static_cast<uint32_t>(value.integer);
    return true;
  }
  if (value.kind == Value::Kind::string) {
    auto share = conf::parse_share(value.string);
    double percent = share ? std::round(*share * 100) : 0;
    if (share && percent >= 1 && percent <= 100 && std::abs(*share * 100 - percent) < 1e-9) {
      out.min_up_percent = static_cast<uint32_t>(percent);
      return true;
    }
  }
  return binder.must_be(value, "a share from \"1%\" to \"100%\" or a number of servers");
}

conf::Type<ServiceHealth> min_up() {
  conf::Type<ServiceHealth> t;
  t.name = "share or whole number";
  t.bounds = [] { return std::string("1% to 100%, or 1 to 100000"); };
  t.example = "\"50%\"";
  t.read = read_min_up;
  return t;
}

// The keys that name a check; pool may stand beside peer.
constexpr std::pair<const char*, ServiceHealth::Kind> kinds[] = {{"peer", ServiceHealth::Kind::peer},
                                                                 {"tcp", ServiceHealth::Kind::tcp},
                                                                 {"http", ServiceHealth::Kind::http},
                                                                 {"file", ServiceHealth::Kind::file},
                                                                 {"all", ServiceHealth::Kind::all}};

bool belongs(const ServiceHealth& health, std::string_view key) {
  using Kind = ServiceHealth::Kind;
  if (key == "interval") return health.kind != Kind::pool && health.kind != Kind::all;
  if (key == "max_age") return health.kind == Kind::file;
  if (key == "tls") return health.kind == Kind::http && health.http.starts_with("https://");
  return health.kind == Kind::peer || health.kind == Kind::tcp || health.kind == Kind::http;
}

bool check_health(Binder& binder, const Value& value, ServiceHealth& health) {
  auto fail = [&](const conf::Place& where, const std::string& what) {
    binder.error(where, what);
    return false;
  };
  health.where = value.where.text();
  const conf::Member* pool = value.find("pool");
  const conf::Member* kind = nullptr;
  for (const auto& [key, meaning] : kinds) {
    const conf::Member* found = value.find(key);
    if (!found) continue;
    const conf::Member* other = kind ? kind : pool && meaning != ServiceHealth::Kind::peer ? pool : nullptr;
    if (other) return fail(found->where, binder.context() + " has both " + other->key + " and " + key + "; keep one");
    kind = found;
    health.kind = meaning;
  }
  if (!kind && !pool)
    return fail(value.where,
                binder.context() + " names no check; set one of pool, peer (with pool), tcp, http, file, all");
  using Kind = ServiceHealth::Kind;
  if (!kind) health.kind = Kind::pool;
  if (health.kind == Kind::peer && !pool)
    return fail(kind->where, binder.context() + " has peer but not the peer's pool");
  if (health.kind == Kind::pool) {
    binder.key = "pool";
    binder.refer("pool", health.pool, pool->value.where);
  }
  if (!pool && value.find("min_up"))
    return fail(value.find("min_up")->where, "min_up in " + binder.context() + " needs pool");
  for (const char* key : {"interval", "timeout", "rise", "fall", "max_age", "tls"})
    if (value.find(key) && !belongs(health, key))
      return fail(
          value.find(key)->where,
          std::string(key) + " in " + binder.context() +
              (health.kind == Kind::pool ? " has no meaning with this node's own pool, which has its health check"
                                         : " has no meaning with this check"));
  return true;
}

const conf::Table<ServiceHealth>& health_fields();

// Without a description of its own: it is the table it stands in.
conf::Type<std::vector<ServiceHealth>> parts_of_all() {
  conf::Type<std::vector<ServiceHealth>> t;
  t.name = "list, each a table like this one";
  t.read = [](Binder& binder, const Value& value, std::vector<ServiceHealth>& out) {
    const auto whole = conf::list(conf::table(health_fields()), 1);
    if (!whole.read(binder, value, out)) return false;
    for (const ServiceHealth& part : out)
      if (part.kind == ServiceHealth::Kind::all) return binder.must_be(value, "a list of single checks");
    return true;
  };
  return t;
}

const conf::Table<ServiceHealth>& health_fields() {
  static const conf::Table<ServiceHealth> table{
      {
          row("pool", &ServiceHealth::pool, conf::string("\"app\""),
              "This node's own pool; with peer, a pool of that node."),
          row("peer", &ServiceHealth::peer, peer_url(),
              "Another Portolan's `peers` address, which tells the state of its pool."),
          row("tcp", &ServiceHealth::tcp, tcp_address(), "Connect there."),
          row("http", &ServiceHealth::http,
              url("\"http://192.0.2.10/healthz\"", true, "a URL, \"http://host:port/path\" or https"),
              "Ask there; a status from 200 to 399 is good. With https the certificate must be good for the name."),
          row("tls", &ServiceHealth::tls, conf::optional(conf::table(loop::tls_server_fields())),
              "How an https check speaks TLS.")
              .otherwise("by the system's roots"),
          row("file", &ServiceHealth::file, conf::path("\"/run/portolan/web.state\""),
              "Somebody else writes up, down or draining there; what it does not say is unknown, which is not down."),
          row("max_age", &ServiceHealth::max_age_ms, conf::duration<int64_t>(1000, 30 * 86'400'000ll),
              "file: one that was not written for longer says nothing."),
          row("all", &ServiceHealth::all, parts_of_all(), "Several of these, each of which must be good.")
              .example("[{ tcp = \"192.0.2.10:443\" }, { http = \"http://192.0.2.10/healthz\" }]"),
          row_of<ServiceHealth, ServiceHealth>("min_up", std::identity(), min_up(), "How much of the pool must be up.")
              .otherwise("one server"),
          row("interval", &ServiceHealth::interval_ms, conf::duration<int64_t>(50, 3'600'000),
              "tcp, http, peer, file: between the starts of two checks."),
          row("timeout", &ServiceHealth::timeout_ms, conf::duration<int64_t>(10, 600'000),
              "tcp, http, peer: a check that has not answered by then is bad."),
          row("rise", &ServiceHealth::rise, conf::integer<uint32_t>(1, 100),
              "tcp, http, peer: good results in a row until up."),
          row("fall", &ServiceHealth::fall, conf::integer<uint32_t>(1, 100),
              "tcp, http, peer: bad results in a row until down."),
      },
      check_health};
  return table;
}

bool check_site(Binder& binder, const Value& value, ServiceSite&) {
  if (value.find("addresses") || value.find("target")) return true;
  binder.error(value.where, "addresses is missing in " + binder.context());
  return false;
}

}  // namespace

conf::Type<std::string> peer_url() {
  return url("\"http://192.0.2.20:9146\"", false, "the URL of another Portolan, \"http://host:port\"");
}

const conf::Table<ServiceSite>& site_fields() {
  static const conf::Table<ServiceSite> table{
      {
          row("addresses", &ServiceSite::addresses, conf::list(conf::ip(), 1),
              "What is answered. Either addresses or target.")
              .example("[\"192.0.2.10\", \"2001:db8::10\"]"),
          row("target", &ServiceSite::target, conf::string("\"web.eu.example.net\""),
              "A name that is answered instead, as a CNAME."),
          row("health", &ServiceSite::health, conf::table(health_fields()),
              "How it is known whether the service is well here; left out: taken for up."),
      },
      check_site};
  return table;
}

}  // namespace portolan::geodns
