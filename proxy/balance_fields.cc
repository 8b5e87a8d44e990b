#include "proxy/balance_fields.hh"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "core/conf/types.hh"
#include "core/http/chars.hh"
#include "proxy/shards.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;

bool is_token(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return http::is_class(c, http::char_token); });
}

constexpr const char* ways[] = {"client-address", "path", "header", "cookie", "query"};  // KeyConfig::By

bool takes_name(KeyConfig::By by) {
  return by != KeyConfig::By::client_address && by != KeyConfig::By::path;
}

std::optional<KeyConfig> parse_key(const std::string& text) {
  size_t colon = text.find(':');
  auto way = std::find(std::begin(ways), std::end(ways), text.substr(0, colon));
  if (way == std::end(ways)) return std::nullopt;
  KeyConfig key{static_cast<KeyConfig::By>(way - std::begin(ways)), ""};
  if (colon != std::string::npos) key.name = text.substr(colon + 1);
  bool named = colon != std::string::npos && !key.name.empty() && is_token(key.name);
  if (takes_name(key.by) ? !named : colon != std::string::npos) return std::nullopt;
  return key;
}

conf::Type<KeyConfig> request_key() {
  conf::Type<KeyConfig> t;
  t.name = "string";
  t.bounds = [] { return std::string("client-address | path | header:NAME | cookie:NAME | query:NAME"); };
  t.example = "\"header:X-User\"";
  t.read = [](Binder& binder, const Value& value, KeyConfig& out) {
    auto key = value.kind == Value::Kind::string ? parse_key(value.string) : std::nullopt;
    if (!key)
      return binder.must_be(value, "\"client-address\", \"path\", \"header:NAME\", \"cookie:NAME\" or \"query:NAME\"");
    out = *key;
    return true;
  };
  t.show = [](const KeyConfig& key) {
    std::string way = ways[static_cast<size_t>(key.by)];
    return conf::show_string(takes_name(key.by) ? way + ":" + key.name : way);
  };
  return t;
}

conf::Type<SlotRange> slot_range() {
  conf::Type<SlotRange> t;
  t.name = "slots";
  t.bounds = [] { return std::string("\"0-16383\""); };
  t.example = "\"0-4095\"";
  t.read = [](Binder& binder, const Value& value, SlotRange& out) {
    auto range = parse_slots(value.kind == Value::Kind::string ? value.string : "");
    if (!range) return binder.must_be(value, "slots such as \"0-4095\", from 0 to 16383");
    out = *range;
    return true;
  };
  t.show = [](const SlotRange& range) { return conf::show_string(to_string(range)); };
  return t;
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

conf::Type<HashConfig> hash() {
  static const conf::Table<HashConfig> table{
      row("key", &HashConfig::key, request_key(), "A request without it is told apart by its client's address."),
      row("seed", &HashConfig::seed, conf::string("\"any words\""),
          "A secret, the same on all nodes that shall choose alike: strangers can't find keys that meet at one server.")
          .otherwise("none"),
  };
  return conf::table_or(table, &HashConfig::key, request_key());
}

conf::Type<ShardsConfig> shards() {
  static const conf::Table<ShardConfig> shard{
      row("slots", &ShardConfig::slots, conf::one_or_many(slot_range()), "Which of the 16384 slots it owns.").require(),
      row("servers", &ShardConfig::servers, conf::list(conf::string("\"10.0.0.11:8080\""), 1),
          "Who has them, as the pool's list writes it; of several, `balance` chooses.")
          .require(),
  };
  static const conf::Table<ShardsConfig> table{
      row("key", &ShardsConfig::key, request_key(),
          "What a request's slot is made of. One without it goes to any server.")
          .require(),
      row("map", &ShardsConfig::map, conf::list(conf::table(shard), 1),
          "Each slot stands in it once; `portolan shards` makes and changes it.")
          .require(),
  };
  return conf::table(table);
}

conf::Type<StickyConfig> sticky() {
  static const conf::Table<StickyConfig> table{
      {
          row("cookie", &StickyConfig::cookie, conf::string("\"portolan\""), "Its name."),
          row("ttl", &StickyConfig::ttl_s, conf::duration<int64_t>(0, 366LL * 86'400'000, 1000),
              "How long a browser keeps it, from when it is given; \"0s\": until the browser is closed."),
          row("path", &StickyConfig::path, conf::string("\"/\""), "Its Path."),
          row("secure", &StickyConfig::secure, conf::one_of({"auto", "always", "never"}),
              "Whether it is Secure; auto: where the client came by TLS."),
          row("http_only", &StickyConfig::http_only, conf::boolean(), "Scripts don't see it."),
          row("drain", &StickyConfig::drain_ms, conf::duration<int64_t>(0, 30LL * 86'400'000),
              "How long a server that an operator drains keeps the clients that have its cookie, while it is well; new "
              "ones go elsewhere at once. \"0s\": so do they."),
          row("same_site", &StickyConfig::same_site, conf::one_of({"lax", "strict", "none"}), "Its SameSite."),
          row("key_file", &StickyConfig::key_file, conf::path("\"/etc/portolan/sticky.key\""),
              "Of at least 32 bytes, what it is signed with, where several nodes shall understand each other's.")
              .otherwise("a key of this node's own, kept in server.state"),
      },
      cookie_is_sound};
  return conf::table(table);
}

bool steering_is_sound(Binder& binder, const Value& value, const PoolConfig& pool) {
  if (const conf::Member* hash = value.find("hash"); hash && pool.balance != "hash") {
    binder.error(hash->where, "hash in " + binder.context() + " needs balance = \"hash\"");
    return false;
  }
  if (!pool.shards) return true;
  const conf::Place& where = value.find("shards")->where;
  const std::string subject = "shards in " + binder.context() + ": ";
  if (pool.sticky) {
    binder.error(where, subject + "sticky can't be kept, the key says where a request goes; leave one of the two out");
    return false;
  }
  std::set<std::string> known, used;
  for (const ServerConfig& server : pool.servers) known.insert(server.address.to_string());
  for (const ShardConfig& shard : pool.shards->map)
    for (const std::string& server : shard.servers) {
      used.insert(server);
      if (known.contains(server)) continue;
      binder.error(where, subject + server + " is none of the pool's servers");
      return false;
    }
  std::string mistake = mistake_in(pool.shards->map);
  for (const std::string& server : known)
    if (mistake.empty() && !used.contains(server)) mistake = server + " has no slots";
  if (mistake.empty()) return true;
  binder.error(where, subject + mistake);
  return false;
}

}  // namespace portolan::proxy
