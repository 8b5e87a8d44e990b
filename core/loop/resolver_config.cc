#include "core/loop/resolver_config.hh"

#include "core/conf/types.hh"

namespace portolan::loop {
namespace {

using conf::row;

bool bounds_in_order(conf::Binder& binder, const conf::Value& value, ResolverConfig& config) {
  if (config.min_ttl_ms <= config.max_ttl_ms) return true;
  binder.error(value.where, "min_ttl in " + binder.context() + " is longer than max_ttl");
  return false;
}

}  // namespace

const conf::Table<ResolverConfig>& resolver_fields() {
  static const conf::Table<ResolverConfig> table{
      {
          row("nameservers", &ResolverConfig::nameservers, conf::one_or_many(conf::address()),
              "Who is asked, in this order: the next where one doesn't answer.")
              .otherwise("those of /etc/resolv.conf, looked at again by every reload")
              .example("[\"10.0.0.2:53\", \"10.0.0.3:53\"]"),
          row("timeout", &ResolverConfig::timeout_ms, conf::duration<int64_t>(50, 60'000),
              "How long the first attempt waits for an answer; each further one twice as long."),
          row("attempts", &ResolverConfig::attempts, conf::integer<int>(1, 10),
              "How often each name server is asked before a name counts as not resolved."),
          row("min_ttl", &ResolverConfig::min_ttl_ms, conf::duration<int64_t>(100, 86'400'000),
              "An answer is believed for at least this long, whatever its TTL."),
          row("max_ttl", &ResolverConfig::max_ttl_ms, conf::duration<int64_t>(1'000, 86'400'000),
              "A name is asked again after this long at most, whatever its TTL."),
      },
      bounds_in_order};
  return table;
}

}  // namespace portolan::loop
