#include "core/health/config_fields.hh"

#include "core/conf/types.hh"

namespace portolan::health {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;

bool set_protocol(Binder& binder, const Value& value, CheckConfig& check, std::string protocol) {
  if (!check.protocol.empty() && check.protocol != protocol) {
    binder.error(value.where,
                 binder.context() + " has two checks, " + check.protocol + " and " + protocol + "; keep one");
    return false;
  }
  check.protocol = std::move(protocol);
  return true;
}

bool set_http(Binder& binder, const Value& value, CheckConfig& check, std::string& path) {
  if (path[0] != '/' || path.find_first_of(" #") != std::string::npos)
    return binder.must_be(value, "a path that begins with \"/\"");
  check.http_path = path;
  return set_protocol(binder, value, check, "http");
}

bool set_grpc(Binder& binder, const Value& value, CheckConfig& check, std::string& service) {
  if (service.size() > 127) return binder.must_be(value, "a name of at most 127 characters");
  check.grpc_service = service;
  return set_protocol(binder, value, check, "grpc");
}

bool set_tcp(Binder& binder, const Value& value, CheckConfig& check, bool& on) {
  if (!on) return binder.must_be(value, "true (or left out)");
  return set_protocol(binder, value, check, "tcp");
}

bool names_a_check(Binder& binder, const Value& value, CheckConfig& check) {
  if (check.protocol.empty())
    binder.error(value.where, binder.context() + " names no check; set http = \"/path\", grpc = \"*\" or tcp = true");
  else if (check.protocol != "http" && !check.http_host.empty())
    binder.error(value.where, binder.context() + ".host needs an http check");
  else
    return true;
  return false;
}

}  // namespace

const conf::Table<CheckConfig>& check_fields() {
  static const conf::Table<CheckConfig> table{
      {
          row_of<CheckConfig, CheckConfig>(
              "http", std::identity(), conf::through<CheckConfig, std::string>(conf::string("\"/healthz\""), set_http),
              "Ask this path by HTTP; a status from 200 to 399 is good."),
          row_of<CheckConfig, CheckConfig>("tcp", std::identity(),
                                           conf::through<CheckConfig, bool>(conf::boolean(), set_tcp),
                                           "Connect; an accepted connection is good. One of http, tcp and grpc."),
          row_of<CheckConfig, CheckConfig>(
              "grpc", std::identity(),
              conf::through<CheckConfig, std::string>(conf::string("\"shop.Orders\""), set_grpc),
              "Ask grpc.health.v1.Health for this service, \"*\" for the server itself; SERVING is good."),
          row("host", &CheckConfig::http_host, conf::string("\"app.internal\""), "The Host an HTTP check sends.")
              .otherwise("the server's address"),
          row("interval", &CheckConfig::interval_ms, conf::duration<int64_t>(50, 3'600'000),
              "Between the starts of two checks; jitter only shortens it."),
          row("timeout", &CheckConfig::timeout_ms, conf::duration<int64_t>(10, 600'000),
              "A check that has not answered by then is bad."),
          row("rise", &CheckConfig::rise, conf::integer<int>(1, 100), "Good results in a row until a server is up."),
          row("fall", &CheckConfig::fall, conf::integer<int>(1, 100), "Bad results in a row until a server is down."),
      },
      names_a_check};
  return table;
}

}  // namespace portolan::health
