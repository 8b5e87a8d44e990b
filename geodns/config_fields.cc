#include "geodns/config_fields.hh"

#include "core/base/registry.hh"
#include "geodns/policy/policy.hh"
#include "geodns/policy_fields.hh"
#include "geodns/rdata.hh"
#include "geodns/service_fields.hh"

namespace portolan::geodns {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;

std::vector<std::string> policies() {
  std::vector<std::string> names;
  for (const PolicyPart* part : Registration<PolicyPart>::all()) names.emplace_back(part->name);
  return names;
}

conf::Type<uint32_t> ttl() {
  return conf::duration<uint32_t>(0, 7 * 86'400'000ll, 1000);
}
conf::Type<uint32_t> soa_time() {
  return conf::duration<uint32_t>(1000, 365 * 86'400'000ll, 1000);
}

conf::Type<std::string> record_type_field() {
  conf::Type<std::string> t;
  t.name = "record type";
  t.bounds = record_types;
  t.example = "\"A\"";
  t.read = [](Binder& binder, const Value& value, std::string& out) {
    if (value.kind != Value::Kind::string) return binder.must_be(value, "a record type");
    if (value.string != "ALIAS" && record_type(value.string) == 0) return binder.not_one_of(value, record_type_names());
    out = value.string;
    return true;
  };
  return t;
}

bool check_record(Binder& binder, const Value& value, RecordConfig&) {
  bool good = true;
  auto fail = [&](const conf::Place& where, const std::string& what) {
    binder.error(where, what);
    good = false;
  };
  const auto in = [&binder] { return " in " + binder.context(); };
  const conf::Member* type = value.find("type");
  const conf::Member* service = value.find("service");
  if (type && service) fail(service->where, "a record" + in() + " has both type and service; keep one");
  if (!type && !service) fail(value.where, "a record" + in() + " has neither type (with value) nor service");
  if (type && !service && !value.find("value")) fail(value.where, "value is missing" + in());
  if (service && value.find("value")) fail(value.find("value")->where, "a service record" + in() + " has no value");
  for (const char* key : {"policy", "weights", "order", "https", "rules", "answers", "last_resort", "accuracy"})
    if (!service && value.find(key)) fail(value.find(key)->where, std::string(key) + in() + " needs service");
  return good;
}

const conf::Table<RecordConfig>& record_fields() {
  static const conf::Table<RecordConfig> table{
      {
          row("name", &RecordConfig::name, conf::string("\"www\""),
              "Relative to the zone; \"@\" is the zone itself; \"*\" may be its first label.")
              .require(),
          row("type", &RecordConfig::type, record_type_field(),
              "With value. Either type or service. ALIAS answers the addresses of the name that is its value."),
          row("value", &RecordConfig::value, conf::text(),
              "As in a zone file, but for names: one with a dot in it is whole, with or without a dot at its end; a "
              "single label is relative to the zone, and \"@\" is the zone itself.")
              .example("\"192.0.2.53\"")
              .otherwise("none"),
          row("ttl", &RecordConfig::ttl_s, conf::optional(ttl()), "How long it may be kept.")
              .otherwise("the zone's ttl; \"30s\" with service"),
          row("service", &RecordConfig::service, conf::reference("service"),
              "A and AAAA of this [service.NAME], chosen by policy."),
          row("policy", &RecordConfig::policy, conf::one_of(policies), "Which datacentre is answered.")
              .otherwise("\"nearest\""),
          row("weights", &RecordConfig::weights,
              conf::by_name<std::vector<std::pair<std::string, uint32_t>>>("datacenter",
                                                                           conf::integer<uint32_t>(0, 1'000'000)),
              "weighted, sticky, all: of each datacentre; one left out gets 0, and without weights each "
              "counts 1.")
              .example("{ us-east = 70, us-west = 30 }"),
          row("order", &RecordConfig::order, conf::list(conf::reference("datacenter")),
              "failover: datacentres, first choice first; nearest: the same for those whose place isn't known "
              "precisely.")
              .example("[\"us-east\", \"us-west\"]")
              .otherwise("as the [datacenter.NAME] stand in the file"),
          row("https", &RecordConfig::https, conf::string("\"1 . alpn=h2\""),
              "With service: its HTTPS record; the address hints are those of the datacentre that is answered.")
              .otherwise("none"),
          row("rules", &RecordConfig::rules, conf::list(conf::table(rule_fields())),
              "Who goes where, before the policy; the closest to an asker counts: network, then ASN, region, country, "
              "continent, anybody."),
          row("answers", &RecordConfig::answers, conf::optional(conf::integer<uint32_t>(1, 256)),
              "How many datacentres are answered.")
              .otherwise("1; with policy = \"all\" each that is usable"),
          row("last_resort", &RecordConfig::last_resort, conf::one_of({"all", "first", "none"}),
              "What is answered when no datacentre is usable; none: nothing (NODATA), but all where a rule says only, "
              "as "
              "a \"no\" would be everybody's.")
              .otherwise("\"all\""),
          row("accuracy", &RecordConfig::accuracy_km, distance_or_off(),
              "A location with a larger accuracy radius is imprecise: no distance is measured from it where a rule or "
              "an "
              "order says what to do."),
      },
      check_record};
  return table;
}

bool read_location(Binder& binder, const Value& value, DatacenterConfig& out) {
  auto degrees = [](const Value& v, double limit, double& n) {
    n = v.kind == Value::Kind::integer ? static_cast<double>(v.integer) : v.real;
    bool number = v.kind == Value::Kind::integer || v.kind == Value::Kind::real;
    return number && n >= -limit && n <= limit;
  };
  if (value.kind != Value::Kind::array || value.items.size() != 2 || !degrees(value.items[0], 90, out.latitude) ||
      !degrees(value.items[1], 180, out.longitude))
    return binder.must_be(value, "[latitude, longitude] within -90 to 90 and -180 to 180");
  out.has_location = true;
  return true;
}

conf::Type<DatacenterConfig> location() {
  conf::Type<DatacenterConfig> t;
  t.name = "[latitude, longitude]";
  t.bounds = [] { return std::string("-90 to 90 and -180 to 180 degrees"); };
  t.example = "[39.04, -77.49]";
  t.read = read_location;
  return t;
}

}  // namespace

namespace {

conf::Type<std::string> short_text(std::string example) {
  conf::Type<std::string> t = conf::string(std::move(example));
  t.bounds = [] { return std::string("64 bytes at most"); };
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    return out.size() <= 64 || binder.must_be(value, "64 bytes at most");
  };
  return t;
}

const conf::Table<RateLimitConfig>& rate_limit_fields() {
  static const conf::Table<RateLimitConfig> table{
      row("answers_per_second", &RateLimitConfig::answers_per_second, conf::integer<uint32_t>(0, 1'000'000),
          "Answers alike to one network, shared out among the workers; 0: no limit. Who brings a cookie of ours, or "
          "asks by TCP, has none."),
      row("slip", &RateLimitConfig::slip, conf::integer<uint32_t>(0, 100),
          "Every so many-th answer over the rate is sent cut short (TC), so that who is there can ask by TCP; 0: "
          "none."),
      row("ipv4_prefix", &RateLimitConfig::ipv4_prefix, conf::integer<uint32_t>(1, 32),
          "Addresses that share so many bits are one network."),
      row("ipv6_prefix", &RateLimitConfig::ipv6_prefix, conf::integer<uint32_t>(1, 128), "The same of IPv6."),
      row("entries", &RateLimitConfig::entries, conf::integer<uint32_t>(1024, 16'777'216),
          "Networks and answers a worker counts at once, 16 bytes each."),
      row("exempt", &RateLimitConfig::exempt, conf::one_or_many(conf::network()), "Networks without a limit.")
          .otherwise("none"),
  };
  return table;
}

}  // namespace

const conf::Table<GeodnsConfig>& geodns_fields() {
  static const conf::Table<GeodnsConfig> table{
      row("listen", &GeodnsConfig::listen, conf::one_or_many(conf::address()),
          "Where questions arrive, by UDP and TCP; answers leave from the address that was asked.")
          .require()
          .example("[\"0.0.0.0:53\", \"[::]:53\"]"),
      row("tcp_connections", &GeodnsConfig::tcp_connections, conf::integer<uint32_t>(1, 1'000'000),
          "TCP connections a worker holds at once."),
      row("tcp_idle_timeout", &GeodnsConfig::tcp_idle_timeout_ms, conf::duration<int64_t>(100, 3'600'000),
          "A TCP connection that asks nothing for so long is closed."),
      row("tcp_connections_per_client", &GeodnsConfig::tcp_connections_per_client,
          conf::integer<uint32_t>(1, 1'000'000), "Of those, how many of one address; more are closed at once."),
      row("tls_listen", &GeodnsConfig::tls_listen, conf::one_or_many(conf::address()),
          "Where questions arrive over TLS (RFC 7858); with tls.")
          .example("[\"0.0.0.0:853\", \"[::]:853\"]")
          .otherwise("none"),
      row("tls", &GeodnsConfig::tls, conf::optional(conf::table(loop::tls_listener_fields())),
          "The certificates of tls_listen, and the rest as in [listener.NAME.tls]."),
      row("cookies", &GeodnsConfig::cookies, conf::boolean(),
          "Clients that bring a cookie of ours are who they say they are (RFC 7873, RFC 9018)."),
      row("cookie_secrets", &GeodnsConfig::cookie_secrets, conf::path("\"/etc/portolan/dns-cookies\""),
          "A secret a line, 32 hexadecimal digits: the first makes cookies, all are good. The same for all servers of "
          "a name; read again by every reload.")
          .otherwise("one of this node's own"),
      row("rate_limit", &GeodnsConfig::rate_limit, conf::table(rate_limit_fields()),
          "How many answers a client network gets over UDP that it may not have asked for."),
      row("nsid", &GeodnsConfig::nsid, short_text("\"fra-1\""),
          "Told to who asks which server answers: NSID (RFC 5001), id.server.")
          .otherwise("not told"),
      row("version", &GeodnsConfig::version, short_text("\"Portolan\""), "Told to who asks for version.bind.")
          .otherwise("not told"),
      row("min_ttl", &GeodnsConfig::min_ttl_s, ttl(),
          "The TTL of a service's answer is as long as nothing it depends on can change, but no less than this, and no "
          "more than its record's."),
      row("max_ttl", &GeodnsConfig::max_ttl_s, ttl(), "And no more than this."),
      row("peers", &GeodnsConfig::peers, conf::list(peer_url()),
          "The other name servers: `portolan status --peers` shows what they see beside what this one sees.")
          .example("[\"http://192.0.2.54:9146\"]"),
      row("private", &GeodnsConfig::hidden, conf::list(conf::network()),
          "Networks whose addresses are told to nobody further: not in query logs, not to other servers.")
          .example("[\"10.0.0.0/8\"]"),
  };
  return table;
}

const conf::Table<DatacenterConfig>& datacenter_fields() {
  static const conf::Table<DatacenterConfig> table{
      row_of<DatacenterConfig, DatacenterConfig>("location", std::identity(), location(),
                                                 "Where it stands; `nearest` needs it of all whom it compares."),
      row("capacity", &DatacenterConfig::capacity, conf::share(0, 1),
          "How much of all the service queries it can bear: beyond that queries go on to their next choice, once there "
          "were 500 in five minutes; \"0%\": no limit."),
  };
  return table;
}

const conf::Table<ZoneConfig>& zone_fields() {
  static const conf::Table<ZoneConfig> table{
      row("nameservers", &ZoneConfig::nameservers, conf::list(conf::string("\"ns1.example.com\""), 1),
          "The zone's NS records.")
          .require(),
      row("contact", &ZoneConfig::contact, conf::string("\"hostmaster@example.com\""),
          "Whom to write to about the zone; in its SOA.")
          .otherwise("hostmaster@ the zone"),
      row("ttl", &ZoneConfig::ttl_s, ttl(), "Of records without their own."),
      row("refresh", &ZoneConfig::refresh_s, soa_time(), "SOA REFRESH."),
      row("retry", &ZoneConfig::retry_s, soa_time(), "SOA RETRY."),
      row("expire", &ZoneConfig::expire_s, soa_time(), "SOA EXPIRE."),
      row("negative_ttl", &ZoneConfig::negative_ttl_s, ttl(),
          "How long it may be remembered that a name doesn't exist; SOA MINIMUM."),
      row("records", &ZoneConfig::records, conf::list(conf::table(record_fields())),
          "What the zone holds, one table a record."),
  };
  return table;
}

conf::Type<std::vector<ServiceConfig>> services() {
  conf::Type<std::vector<ServiceConfig>> t;
  auto sites = conf::by_name<std::map<std::string, ServiceSite>>("datacenter", conf::table(site_fields()));
  t.name = "tables by name";
  t.read = [sites](Binder& binder, const Value& value, std::vector<ServiceConfig>& out) {
    if (value.kind != Value::Kind::table) return binder.must_be(value, "a table of tables");
    Binder::Scope scope(binder, Binder::Scope::Shape::map);
    bool good = true;
    for (const conf::Member& member : value.members) {
      ServiceConfig service;
      service.where = member.value.where.text();
      service.name = member.key;
      binder.key = member.key;
      good = sites.read(binder, member.value, service.sites) && good;
      out.push_back(std::move(service));
    }
    return good;
  };
  t.shape = conf::Described::Shape::map;
  t.rows = [sites] {
    conf::Described d;
    d.key = "DATACENTER";
    d.help = "The service in this datacentre.";
    d.shape = conf::Described::Shape::table;
    d.rows = sites.rows();
    return std::vector<conf::Described>{d};
  };
  return t;
}

}  // namespace portolan::geodns
