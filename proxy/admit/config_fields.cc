#include "proxy/admit/config_fields.hh"

#include <fmt/format.h>

#include <charconv>

#include "core/conf/types.hh"
#include "core/geo/country.hh"
#include "core/http/chars.hh"
#include "core/http/message.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::row;
using conf::Value;

constexpr int64_t fastest = 1'000'000;                   // requests a second
constexpr int64_t longest_fill_us = 12 * 3'600'000'000;  // what Limiter can count
constexpr std::string_view country_prefix = "country:";

conf::Type<AccessEntry> access_entry() {
  conf::Type<AccessEntry> t;
  t.name = "network or country";
  t.example = "\"10.0.0.0/8\", \"country:DE\"";
  t.read = [](Binder& binder, const Value& value, AccessEntry& out) {
    if (value.kind != Value::Kind::string || value.string.find_first_of(".:") == std::string::npos)
      return binder.must_be(value, "a network such as \"10.0.0.0/8\" or a country such as \"country:DE\"");
    if (!value.string.starts_with(country_prefix)) return conf::network().read(binder, value, out.network);
    Value code = value;
    code.string.erase(0, country_prefix.size());
    if (geo::country().read(binder, code, out.country)) return true;
    out.country.clear();
    return false;
  };
  t.show = [](const AccessEntry&) { return std::string("…"); };
  return t;
}

conf::Type<LimitKey> limit_key() {
  conf::Type<LimitKey> t;
  t.name = "string";
  t.bounds = [] { return std::string("client-address | header:NAME | cookie:NAME"); };
  t.example = "\"client-address\"";
  t.read = [](Binder& binder, const Value& value, LimitKey& out) {
    const char* what = "\"client-address\", \"header:NAME\" or \"cookie:NAME\"";
    if (value.kind != Value::Kind::string) return binder.must_be(value, what);
    std::string_view text = value.string;
    if (text == "client-address") return true;
    size_t colon = text.find(':');
    std::string_view kind = text.substr(0, colon);
    if (colon == std::string_view::npos || (kind != "header" && kind != "cookie")) return binder.must_be(value, what);
    out.kind = kind == "header" ? LimitKey::Kind::header : LimitKey::Kind::cookie;
    out.name = text.substr(colon + 1);
    if (!http::is_token(out.name)) return binder.must_be(value, fmt::format("\"{}:\" and the name of one", kind));
    if (out.kind == LimitKey::Kind::header)
      for (char& c : out.name)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return true;
  };
  t.show = [](const LimitKey& k) { return conf::show_string(k.to_string()); };
  return t;
}

bool burst_fits(Binder& binder, const Value& value, LimitConfig& limit) {
  if (limit.depth() * limit.rate.period_us / limit.rate.requests <= longest_fill_us) return true;
  const conf::Member* burst = value.find("burst");
  binder.error(
      burst ? burst->value.where : value.where,
      fmt::format("a burst of {} at {} in {} takes longer than 12 hours to come again; lower burst or raise rate",
                  limit.depth(), limit.rate.to_string(), binder.context()));
  return false;
}

// A field that carries who the client is must not be one that frames or routes the message.
conf::Type<std::string> identity_header() {
  conf::Type<std::string> t = conf::string("\"X-Forwarded-User\"");
  t.name = "header name";
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    return (http::is_token(out) && out.find('_') == std::string::npos && http::field_id(out) == http::FieldId::other) ||
           binder.must_be(value, "the name of a header of your own, such as \"X-Forwarded-User\"");
  };
  return t;
}

// What stands in a quoted string of a header.
conf::Type<std::string> realm_text() {
  conf::Type<std::string> t = conf::string("\"staff\"");
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    return out.find_first_of("\"\\") == std::string::npos ||
           binder.must_be(value, "a text without quotes and backslashes");
  };
  return t;
}

const conf::Table<BasicAuthConfig>& basic_auth_fields() {
  static const conf::Table<BasicAuthConfig> table{
      row("realm", &BasicAuthConfig::realm, realm_text(), "What browsers show when they ask for the password."),
      row("users_file", &BasicAuthConfig::users_file, conf::path("\"/etc/portolan/users\""),
          "Lines of name:hash, as `htpasswd -B` writes them: bcrypt or SHA-512 crypt. Read again by a reload.")
          .require(),
      row("user_header", &BasicAuthConfig::user_header, identity_header(),
          "Servers get the name in this header; what clients send under it never passes.")
          .otherwise("not told"),
      row("pass_authorization", &BasicAuthConfig::pass_authorization, conf::boolean(),
          "Servers get the Authorization header as well, and with it the password."),
  };
  return table;
}

const conf::Table<SignedUrlsConfig>& signed_urls_fields() {
  static const conf::Table<SignedUrlsConfig> table{
      row("keys_file", &SignedUrlsConfig::keys_file, conf::path("\"/etc/portolan/url-keys\""),
          "Lines of id:secret, the newest first; each opens, and `portolan sign-url` signs with the first. Read again "
          "by "
          "a reload.")
          .require(),
  };
  return table;
}

bool one_body(Binder& binder, const Value& value, MaintenanceConfig&) {
  const conf::Member* file = value.find("body_file");
  if (!file || !value.find("body")) return true;
  binder.error(file->where, binder.context() + " has both body and body_file; keep one");
  return false;
}

const conf::Table<MaintenanceConfig>& maintenance_fields() {
  static const conf::Table<MaintenanceConfig> table{
      {
          row("enabled", &MaintenanceConfig::enabled, conf::boolean(),
              "Answer so from the start; `portolan maintenance on|off` switches it without a reload."),
          row("body", &MaintenanceConfig::body, conf::text(), "The page.").otherwise("a line of text"),
          row("body_file", &MaintenanceConfig::body_file, conf::path("\"/etc/portolan/maintenance.html\""),
              "The page, from a file of at most 1 MiB, read again by a reload. Either body or body_file."),
          row("content_type", &MaintenanceConfig::content_type, conf::string(), "Its Content-Type."),
          row("retry_after", &MaintenanceConfig::retry_after_s, conf::duration<int64_t>(1000, 7 * 86'400'000LL, 1000),
              "When clients are told to come again (Retry-After)."),
          row("allow", &MaintenanceConfig::allow, access_list(), "Who passes meanwhile.").otherwise("nobody"),
      },
      one_body};
  return table;
}

}  // namespace

conf::Type<Rate> request_rate() {
  conf::Type<Rate> t;
  t.name = "rate";
  t.bounds = [] { return std::string("requests per s, m or h"); };
  t.example = "\"100/s\"";
  t.read = [](Binder& binder, const Value& value, Rate& out) {
    const char* what = "requests per second, minute or hour, such as \"100/s\", \"10/m\" or \"1000/h\"";
    if (value.kind != Value::Kind::string || value.string.size() < 3) return binder.must_be(value, what);
    const char* begin = value.string.data();
    const char* unit = begin + value.string.size() - 2;
    auto [end, error] = std::from_chars(begin, unit, out.requests);
    if (error != std::errc() || end != unit || *unit != '/' || out.requests < 1) return binder.must_be(value, what);
    switch (unit[1]) {
      case 's':
        out.period_us = 1'000'000;
        break;
      case 'm':
        out.period_us = 60'000'000;
        break;
      case 'h':
        out.period_us = 3'600'000'000;
        break;
      default:
        return binder.must_be(value, what);
    }
    if (out.requests > fastest * (out.period_us / 1'000'000))
      return binder.must_be(value, fmt::format("at most {} a second", fastest));
    return true;
  };
  t.show = [](const Rate& r) { return r.requests ? conf::show_string(r.to_string()) : std::string(); };
  return t;
}

const conf::Table<LimitConfig>& limit_fields() {
  static const conf::Table<LimitConfig> table{
      {
          row("rate", &LimitConfig::rate, request_rate(), "How fast tokens come; each request takes one or gets 429.")
              .require(),
          row("burst", &LimitConfig::burst, conf::optional(conf::integer<int64_t>(1, 1'000'000)),
              "Tokens there are at most: requests that may come at once.")
              .otherwise("as many as come in a second, at least 1"),
          row("by", &LimitConfig::by, limit_key(),
              "What is counted by. Requests without the header or cookie are counted by their client's address."),
          row("ipv6_prefix", &LimitConfig::ipv6_prefix, conf::integer<unsigned>(16, 128),
              "IPv6 addresses that share so many bits are one client."),
          row("entries", &LimitConfig::entries, conf::integer<size_t>(64, 16'777'216),
              "Clients counted at once, 16 bytes each. When there are more, those nearest to their full burst are "
              "forgotten."),
      },
      burst_fits};
  return table;
}

conf::Type<std::vector<AccessEntry>> access_list() {
  conf::Type<std::vector<AccessEntry>> t = conf::one_or_many(access_entry());
  t.show = [](const std::vector<AccessEntry>&) { return std::string(); };
  return t;
}

conf::Type<std::vector<LimitConfig>> limits() {
  conf::Type<std::vector<LimitConfig>> t =
      conf::one_or_many(conf::table_or(limit_fields(), &LimitConfig::shared, conf::reference("limit")));
  t.read = [read = t.read](Binder& binder, const Value& value, std::vector<LimitConfig>& out) {
    if (!read(binder, value, out)) return false;
    return out.size() <= most_limits || binder.must_be(value, fmt::format("at most {} limits", most_limits));
  };
  t.show = [](const std::vector<LimitConfig>&) { return std::string(); };
  return t;
}

conf::Type<std::optional<BasicAuthConfig>> basic_auth() {
  return conf::optional(conf::table(basic_auth_fields()));
}

conf::Type<std::optional<SignedUrlsConfig>> signed_urls() {
  return conf::optional(conf::table(signed_urls_fields()));
}

conf::Type<std::optional<MaintenanceConfig>> maintenance() {
  return conf::optional(conf::table(maintenance_fields()));
}

}  // namespace portolan::proxy
