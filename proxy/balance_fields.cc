#include "proxy/balance_fields.hh"

#include <algorithm>
#include <iterator>

#include "core/conf/types.hh"
#include "core/http/chars.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;

constexpr const char* ways[] = {"client-address", "header", "cookie", "path", "query"};  // HashConfig::By

bool needs_name(HashConfig::By by) {
  return by == HashConfig::By::header || by == HashConfig::By::cookie || by == HashConfig::By::query;
}

conf::Type<HashConfig> way() {
  return conf::through<HashConfig, std::string>(
      conf::one_of(std::vector<std::string>(std::begin(ways), std::end(ways))),
      [](Binder&, const Value&, HashConfig& hash, std::string& word) {
        hash.by = static_cast<HashConfig::By>(std::find(std::begin(ways), std::end(ways), word) - std::begin(ways));
        return true;
      },
      [](const HashConfig& hash) { return conf::show_string(ways[static_cast<size_t>(hash.by)]); });
}

bool is_token(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return http::is_class(c, http::char_token); });
}

bool name_fits(Binder& binder, const Value& value, HashConfig& hash) {
  std::string by = ways[static_cast<size_t>(hash.by)];
  if (needs_name(hash.by) == !hash.name.empty()) return true;
  if (hash.name.empty())
    binder.error(value.where, "name is missing in " + binder.context() + ": by = \"" + by + "\" needs to know which");
  else
    binder.error(value.find("name")->where,
                 "name in " + binder.context() + " says nothing with by = \"" + by + "\"; leave it out");
  return false;
}

// RFC 6265 §4.1.1: what may stand in a Set-Cookie.
bool cookie_is_sound(Binder& binder, const Value& value, StickyConfig& sticky) {
  if (!is_token(sticky.cookie)) {
    binder.error(value.find("cookie")->where,
                 "cookie in " + binder.context() + " must be a token such as \"portolan\"");
    return false;
  }
  if (sticky.path[0] != '/' || sticky.path.find_first_of("; ") != std::string::npos) {
    binder.error(value.find("path")->where, "path in " + binder.context() + " must begin with \"/\" and hold no \";\"");
    return false;
  }
  if (sticky.same_site == "none" && sticky.secure == "never") {
    binder.error(value.where,
                 "same_site = \"none\" in " + binder.context() + " needs secure: browsers refuse the cookie otherwise");
    return false;
  }
  return true;
}

}  // namespace

const conf::Table<HashConfig>& hash_fields() {
  static const conf::Table<HashConfig> table{
      {
          row_of<HashConfig, HashConfig>("by", std::identity(), way(),
                                         "What the key is taken from. A request without it is told apart by its "
                                         "client's address."),
          row("name", &HashConfig::name, conf::string("\"X-User\""),
              "Of the header, the cookie or the query parameter.")
              .otherwise("none"),
          row("seed", &HashConfig::seed, conf::string("\"any words\""),
              "A secret, the same on all nodes that shall choose alike: strangers can't find keys that meet at one "
              "server.")
              .otherwise("none"),
      },
      name_fits};
  return table;
}

const conf::Table<StickyConfig>& sticky_fields() {
  static const conf::Table<StickyConfig> table{
      {
          row("cookie", &StickyConfig::cookie, conf::string("\"portolan\""), "Its name."),
          row("ttl", &StickyConfig::ttl_s, conf::duration<int64_t>(0, 366LL * 86'400'000, 1000),
              "How long a browser keeps it, from when it is given; \"0s\": until the browser is closed."),
          row("path", &StickyConfig::path, conf::string("\"/\""), "Its Path."),
          row("secure", &StickyConfig::secure, conf::one_of({"auto", "always", "never"}),
              "Whether it is Secure; auto: where the client came by TLS."),
          row("http_only", &StickyConfig::http_only, conf::boolean(), "Scripts don't see it."),
          row("same_site", &StickyConfig::same_site, conf::one_of({"lax", "strict", "none"}), "Its SameSite."),
          row("key_file", &StickyConfig::key_file, conf::path("\"/etc/portolan/sticky.key\""),
              "Of at least 32 bytes, what it is signed with, where several nodes shall understand each other's.")
              .otherwise("a key of this node's own, kept in server.state"),
      },
      cookie_is_sound};
  return table;
}

bool hash_is_used(Binder& binder, const Value& value, const PoolConfig& pool) {
  const conf::Member* hash = value.find("hash");
  if (!hash || pool.balance == "hash") return true;
  binder.error(hash->where, "hash in " + binder.context() + " needs balance = \"hash\"");
  return false;
}

}  // namespace portolan::proxy
