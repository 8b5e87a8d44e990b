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

// 200, or "200-399".
conf::Type<StatusRange> status_range() {
  conf::Type<StatusRange> t;
  t.name = "status or range of them";
  t.bounds = [] { return std::string("100 to 599, such as 204 or \"200-299\""); };
  t.example = "\"200-399\"";
  t.read = [](Binder& binder, const Value& value, StatusRange& out) {
    auto number = [](std::string_view text) {
      int n = 0;
      for (char c : text) n = c >= '0' && c <= '9' ? n * 10 + (c - '0') : -10'000;
      return text.size() == 3 ? n : -1;
    };
    if (value.kind == Value::Kind::integer) {
      out.from = out.to = value.integer >= 0 && value.integer < 1000 ? static_cast<int>(value.integer) : -1;
    } else if (value.kind == Value::Kind::string) {
      size_t dash = value.string.find('-');
      out.from = number(std::string_view(value.string).substr(0, dash));
      out.to = dash == std::string::npos ? out.from : number(std::string_view(value.string).substr(dash + 1));
    } else {
      out.from = -1;
    }
    return (out.from >= 100 && out.to <= 599 && out.from <= out.to) ||
           binder.must_be(value, "a status such as 204, or a range such as \"200-299\"");
  };
  t.show = [](const StatusRange& r) {
    return r.from == r.to ? std::to_string(r.from) : '"' + std::to_string(r.from) + "-" + std::to_string(r.to) + '"';
  };
  return t;
}

bool set_header(Binder& binder, const Value& value, CheckConfig& check, std::string& header) {
  std::string_view name = std::string_view(header).substr(0, header.find(':'));
  bool token = !name.empty() && name.find_first_of(" \t\"(),/;<=>?@[\\]{}") == std::string_view::npos;
  if (!token) return binder.must_be(value, "\"Name\" or \"Name: value\"");
  check.expect_header = header;
  return true;
}

// true, false, or a table as a pool's `tls`.
conf::Type<CheckConfig> tls_of_check() {
  auto table = conf::table(loop::tls_server_fields());
  conf::Type<CheckConfig> t;
  t.name = "true, false or table";
  t.shape = table.shape;
  t.rows = table.rows;
  t.read = [read = table.read](Binder& binder, const Value& value, CheckConfig& check) {
    if (value.kind == Value::Kind::boolean) {
      check.speaks_tls = value.boolean;
      return true;
    }
    if (value.kind != Value::Kind::table) return binder.must_be(value, "true, false or a table");
    check.speaks_tls = true;
    return read(binder, value, check.own_tls.emplace());
  };
  return t;
}

bool names_a_check(Binder& binder, const Value& value, CheckConfig& check) {
  if (check.protocol.empty())
    binder.error(value.where, binder.context() + " names no check; set http = \"/path\", grpc = \"*\" or tcp = true");
  for (const char* key : {"host", "method", "expect_status", "expect_header", "expect_body"})
    if (const conf::Member* said = value.find(key); said && !check.protocol.empty() && check.protocol != "http")
      return binder.error(said->where, binder.context() + "." + key + " needs an http check"), false;
  if (check.http_method == "HEAD" && !check.expect_body.empty())
    return binder.error(value.find("expect_body")->where,
                        binder.context() + ".expect_body needs another method than HEAD, which has no body"),
           false;
  return !check.protocol.empty();
}

}  // namespace

const conf::Table<CheckConfig>& check_fields() {
  static const conf::Table<CheckConfig> table{
      {
          row_of<CheckConfig, CheckConfig>(
              "http", std::identity(), conf::through<CheckConfig, std::string>(conf::string("\"/healthz\""), set_http),
              "Ask this path by HTTP; good is what the keys that begin with expect_ say."),
          row_of<CheckConfig, CheckConfig>("tcp", std::identity(),
                                           conf::through<CheckConfig, bool>(conf::boolean(), set_tcp),
                                           "Connect; an accepted connection is good. One of http, tcp and grpc."),
          row_of<CheckConfig, CheckConfig>(
              "grpc", std::identity(),
              conf::through<CheckConfig, std::string>(conf::string("\"shop.Orders\""), set_grpc),
              "Ask grpc.health.v1.Health for this service, \"*\" for the server itself; SERVING is good."),
          row("host", &CheckConfig::http_host, conf::string("\"app.internal\""), "The Host an HTTP check sends.")
              .otherwise("the server's address"),
          row("method", &CheckConfig::http_method, conf::one_of({"GET", "HEAD", "OPTIONS"}), "How an HTTP check asks."),
          row("expect_status", &CheckConfig::expect_status, conf::one_or_many(status_range()),
              "The statuses that are good.")
              .otherwise("\"200-399\""),
          row_of<CheckConfig, CheckConfig>(
              "expect_header", std::identity(),
              conf::through<CheckConfig, std::string>(conf::string("\"X-State: ready\""), set_header),
              "A field a good answer has, and where one is written a part of its value."),
          row("expect_body", &CheckConfig::expect_body, conf::string("\"ok\""),
              "What stands somewhere in the first 64 KiB of a good answer's body."),
          row("port", &CheckConfig::port, conf::integer<int>(1, 65535), "Where the check goes.")
              .otherwise("where requests go"),
          row_of<CheckConfig, CheckConfig>(
              "tls", std::identity(), tls_of_check(),
              "How the check speaks TLS, where that is not as the pool does: false, true (by the pool's tls, or the "
              "system's roots), or a table as the pool's."),
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

const conf::Table<EjectConfig>& eject_fields() {
  static const conf::Table<EjectConfig> table{
      row("failures", &EjectConfig::failures, conf::integer<int>(2, 100'000),
          "Failed requests in a row that take a server out."),
      row("ratio", &EjectConfig::ratio, conf::share(0, 1),
          "Or this share of the requests of a window; \"0%\": not looked at."),
      row("requests", &EjectConfig::requests, conf::integer<int>(2, 1'000'000),
          "Fewer requests in a window say nothing of the share."),
      row("window", &EjectConfig::window_ms, conf::duration<int64_t>(100, 3'600'000),
          "How long requests count for the share, from a failure on."),
      row("time", &EjectConfig::time_ms, conf::duration<int64_t>(100, 86'400'000),
          "How long a server is out, times how often it was lately. Where it is checked, `rise` good checks bring it "
          "back from a first time earlier."),
      row("max_time", &EjectConfig::max_time_ms, conf::duration<int64_t>(100, 86'400'000), "And no longer than that."),
      row("most", &EjectConfig::most, conf::share(0, 1),
          "Of the pool's servers, out at once: one always may where another is left, the last one never; \"0%\": none "
          "ever is."),
      row("statuses", &EjectConfig::statuses, conf::list(conf::integer<int>(400, 599)),
          "Answers that count as failures, as a refused, reset or timed out request does.")
          .otherwise("none"),
  };
  return table;
}

}  // namespace portolan::health
