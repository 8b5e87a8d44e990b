#include "edge/config_fields.hh"

#include <algorithm>

#include "core/base/registry.hh"
#include "core/conf/types.hh"
#include "edge/compress_fields.hh"
#include "edge/evict/policy.hh"
#include "edge/ttl_fields.hh"

namespace portolan::edge {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;
using Strings = std::vector<std::string>;

std::vector<std::string> evictions() {
  std::vector<std::string> names;
  for (const EvictionPart* part : Registration<EvictionPart>::all()) names.emplace_back(part->name);
  return names;
}

// "_ga*": a '*' stands only at the end. `what` says what else a name may not have.
bool check_patterns(Binder& binder, const Value& value, const Strings& names) {
  bool good = true;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].find('*') >= names[i].size() - 1) continue;
    binder.key = value.kind == Value::Kind::array ? binder.key : "name";
    const Value& at = i < value.items.size() ? value.items[i] : value;
    good = binder.must_be(at, "a name, or a prefix with a \"*\" at its end");
  }
  return good;
}

conf::Type<Strings> patterns(std::string example) {
  conf::Type<Strings> t = conf::list(conf::string(std::move(example)));
  t.read = [read = t.read](Binder& binder, const Value& value, Strings& out) {
    return read(binder, value, out) && check_patterns(binder, value, out);
  };
  return t;
}

bool is_field_name(const std::string& name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

conf::Type<Strings> header_names(std::string example = "\"accept-language\"") {
  conf::Type<std::string> name = conf::string(std::move(example));
  name.read = [read = name.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return is_field_name(out) || binder.must_be(value, "the name of a header field");
  };
  return conf::list(std::move(name));
}

conf::Type<Strings> dropped_headers() {
  conf::Type<Strings> t = header_names("\"x-tenant-*\"");
  t.read = [read = t.read](Binder& binder, const Value& value, Strings& out) {
    return read(binder, value, out) && check_patterns(binder, value, out);
  };
  return t;
}

const conf::Table<QueryKey>& query_fields() {
  auto mode = [](QueryKey::Mode m) {
    return [m](Binder& binder, const Value& value, QueryKey& query, Strings& names) {
      if (query.mode != QueryKey::Mode::all) {
        binder.error(value.where, binder.context() + " has both allow and drop; keep one");
        return false;
      }
      query.mode = m;
      query.names = std::move(names);
      return true;
    };
  };
  static const conf::Table<QueryKey> table{
      {
          row_of<QueryKey, QueryKey>(
              "allow", std::identity(),
              conf::through<QueryKey, Strings>(patterns("\"page\""), mode(QueryKey::Mode::allow)),
              "Only these parameters belong to the key."),
          row_of<QueryKey, QueryKey>(
              "drop", std::identity(),
              conf::through<QueryKey, Strings>(patterns("\"utm_*\""), mode(QueryKey::Mode::drop)),
              "All but these belong to the key. Either allow or drop."),
      },
      [](Binder& binder, const Value& value, QueryKey& query) {
        if (query.mode != QueryKey::Mode::all) return true;
        binder.error(value.where, binder.context() + " has neither allow nor drop");
        return false;
      }};
  return table;
}

conf::Type<QueryKey> query() {
  conf::Type<QueryKey> t = conf::table(query_fields());
  t.name = "string or table";
  t.bounds = [] { return std::string("\"all\", \"none\", { allow = […] } or { drop = […] }"); };
  t.example = "\"all\"";
  t.show = [](const QueryKey&) { return std::string("\"all\""); };
  t.shape = conf::Described::Shape::scalar;
  t.read = [full = t.read](Binder& binder, const Value& value, QueryKey& out) {
    if (value.kind == Value::Kind::table) return full(binder, value, out);
    if (value.kind != Value::Kind::string || (value.string != "all" && value.string != "none"))
      return binder.not_one_of(value, {"all", "none", "{ allow = […] }", "{ drop = […] }"});
    out.mode = value.string == "all" ? QueryKey::Mode::all : QueryKey::Mode::none;
    return true;
  };
  return t;
}

const conf::Table<CacheConfig>& key_fields() {
  static const conf::Table<CacheConfig> table{
      row("query", &CacheConfig::query, query(), "Which query parameters belong to the key. A name may end in \"*\"."),
      row("sort_query", &CacheConfig::sort_query, conf::boolean(),
          "Parameters in another order are the same: key and origin get them sorted by name, those of one name in the "
          "order they had."),
      row("headers", &CacheConfig::key_headers, header_names(),
          "Request header fields that belong to the key, before any Vary."),
      row("cookies", &CacheConfig::key_cookies, conf::list(conf::string("\"currency\"")),
          "Cookies that belong to the key; a request with them alone may be answered from the "
          "cache."),
      row("device", &CacheConfig::key_device, conf::boolean(),
          "The class of the client's device, by its User-Agent: mobile, tablet, desktop or bot. Servers get it in "
          "X-Device-Class."),
      row("country", &CacheConfig::key_country, conf::boolean(),
          "The client's country, as the databases of [geo] know it. Servers get it in X-Country-Code, ZZ where it is "
          "unknown."),
  };
  return table;
}

const conf::Table<DiskConfig>& disk_fields() {
  static const conf::Table<DiskConfig> table{
      row("path", &DiskConfig::path, conf::path("\"/var/cache/portolan\""),
          "The directory of its files, which is this cache's alone.")
          .require(),
      row("size", &DiskConfig::bytes, conf::size<uint64_t>(256ull << 20, 1ull << 46), "What its files may take.")
          .example("\"50 GiB\"")
          .require(),
  };
  return table;
}

}  // namespace

const conf::Table<CacheConfig>& cache_fields() {
  static const conf::Table<CacheConfig> table{
      {
          row("memory", &CacheConfig::memory_bytes, conf::size<uint64_t>(1 << 20, 1ull << 44),
              "All that is stored, overhead included, and what is being filled."),
          row("disk", &CacheConfig::disk, conf::optional(conf::table(disk_fields())),
              "What is stored goes there, too, outlives the process, and comes back into memory when it is asked for."),
          row("max_object", &CacheConfig::max_object_bytes, conf::size<uint64_t>(1, 1ull << 42),
              "The largest body that is stored as a whole; at most a quarter of memory."),
          row("fragments", &CacheConfig::fragments, conf::boolean(),
              "Larger ones, and what is asked for by range, are kept in fragments of 1 MiB where the server answers "
              "ranges and names the version by a strong validator. Without, they pass through unstored."),
          row("eviction", &CacheConfig::eviction, conf::one_of(evictions),
              "What leaves first when the memory is full."),
          row("profile", &CacheConfig::profile, conf::one_of({"cdn-safe", "rfc"}),
              "What may be kept: cdn-safe is what a shared cache on the open Internet may keep; "
              "rfc is RFC "
              "9111 to the letter (cookies don't matter)."),
          row("stale_if_unreachable", &CacheConfig::stale_if_unreachable_ms, conf::duration<int64_t>(0, 2'592'000'000),
              "How long past its freshness an answer stands in while its servers can't be reached, where it says "
              "nothing "
              "of that itself."),
          row("negative_ttl", &CacheConfig::negative_ttl_ms, conf::duration<int64_t>(0, 60'000),
              "How long errors that may be kept and say nothing of their freshness are: 404 and 410; with the profile "
              "rfc 405, 414 and 501, too."),
          row("ignore_cookies", &CacheConfig::ignore_cookies, patterns("\"_ga*\""),
              "Cookies that don't keep a request from the cache. A name may end in \"*\"."),
          row("drop_headers", &CacheConfig::drop_headers, dropped_headers(),
              "Request header fields that servers don't get of a request that may be cached, unless they are in the "
              "key: "
              "these, and those known to change answers (X-Forwarded-*, X-Original-URL, X-HTTP-Method-Override, …). A "
              "name may end in \"*\"."),
          row("extension_check", &CacheConfig::extension_check, conf::optional(conf::boolean()),
              "An answer whose Content-Type doesn't fit the extension of its URL, such as HTML under .css, is not "
              "stored.")
              .otherwise("true with cdn-safe, false with rfc"),
          row_of<CacheConfig, CacheConfig>("key", std::identity(), conf::table(key_fields()),
                                           "What belongs to the key besides scheme, host and path."),
          row("ttl", &CacheConfig::ttl, conf::list(conf::table(ttl_rule_fields())),
              "How long answers are fresh, by path, status and type; the first that fits counts."),
          row("compress", &CacheConfig::compress, compression(),
              "Stored answers are compressed for clients that take it: once each, when it is asked for first, with "
              "weak "
              "ETags. Ranges are of the plain bytes."),
          row("keep_tags", &CacheConfig::keep_tags, conf::boolean(),
              "Clients get the fields that name an answer's tags, Surrogate-Key and Cache-Tag: for those that are "
              "caches themselves. Without, they are taken off."),
          row("purge_memory", &CacheConfig::purge_memory_bytes, conf::size<uint64_t>(64 << 10, 1ull << 32),
              "Memory for the list of what was purged, besides `memory`: some hundred bytes each. When it is full, the "
              "oldest become one purge of everything that is older."),
      },
      [](Binder& binder, const Value& value, CacheConfig& cache) {
        const conf::Member* set = value.find("max_object");
        if (cache.max_object_bytes <= cache.memory_bytes / 4) return true;
        if (!set) {  // the default follows a small memory
          cache.max_object_bytes = cache.memory_bytes / 4;
          return true;
        }
        binder.key = "max_object";
        return binder.must_be(set->value, "at most a quarter of memory");
      }};
  return table;
}

}  // namespace portolan::edge
