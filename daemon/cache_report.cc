#include "daemon/cache_report.hh"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/conf/words.hh"
#include "core/http/h1.hh"
#include "daemon/table.hh"
#include "edge/rules.hh"

namespace portolan::daemon {
namespace {

using nlohmann::json;

template <class Stats>
struct FigureOf {
  const char* key;    // in JSON
  const char* label;  // for people
  uint64_t Stats::*value;
  bool bytes = false;
  std::string text(const Stats& stats) const { return bytes ? size(stats.*value) : std::to_string(stats.*value); }
};
using Figure = FigureOf<edge::Stats>;
constexpr Figure figures[] = {
    {"objects", "objects", &edge::Stats::objects},
    {"bytes", "stored", &edge::Stats::bytes, true},
    {"memory", "limit", &edge::Stats::budget, true},
    {"fetching", "fetches in progress", &edge::Stats::filling},
    {"passing_bytes", "passing unstored", &edge::Stats::passing_bytes, true},
    {"hits", "hits", &edge::Stats::hits},
    {"misses", "misses", &edge::Stats::misses},
    {"stale", "stale", &edge::Stats::stale},
    {"collapsed", "collapsed", &edge::Stats::collapsed},
    {"bypassed", "passed by", &edge::Stats::bypasses},
    {"stored", "stored in all", &edge::Stats::fills},
    {"validated", "validated", &edge::Stats::validated},
    {"evicted", "evicted", &edge::Stats::evictions},
    {"purged", "purged", &edge::Stats::purged},
    {"too_large", "too large", &edge::Stats::too_large},
};
constexpr Figure promoted = {"promoted", "back to memory", &edge::Stats::promoted};

using DiskStats = edge::disk::Stats;
constexpr FigureOf<DiskStats> disk_figures[] = {
    {"objects", "objects", &DiskStats::objects},
    {"bytes", "stored", &DiskStats::bytes, true},
    {"size", "limit", &DiskStats::budget, true},
    {"index_bytes", "index in memory", &DiskStats::index_bytes, true},
    {"segments", "segments", &DiskStats::segments},
    {"segments_free", "segments free", &DiskStats::segments_free},
    {"segments_without_room", "segments without room", &DiskStats::segments_without_room},
    {"reads", "read", &DiskStats::reads},
    {"writes", "written", &DiskStats::writes},
    {"written_bytes", "bytes written", &DiskStats::written_bytes, true},
    {"moved_bytes", "bytes moved", &DiskStats::rewritten_bytes, true},
    {"refused", "refused", &DiskStats::refused},
    {"damaged", "damaged", &DiskStats::damaged},
    {"evicted", "evicted", &DiskStats::evicted},
    {"reclaimed", "segments reclaimed", &DiskStats::reclaimed},
    {"syncs", "syncs", &DiskStats::syncs},
    {"errors", "errors", &DiskStats::errors},
};

std::string dump(const json& j) {
  return j.dump(2, ' ', false, json::error_handler_t::replace);
}

// Of the requests that might have been answered from the store.
std::string hit_rate(const edge::Stats& s) {
  uint64_t all = s.hits + s.misses + s.stale + s.collapsed;
  return all ? fmt::format("{:.1f}%", 100.0 * static_cast<double>(s.hits) / static_cast<double>(all)) : "-";
}

std::string counted(uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

json to_object(const edge::VariantView& v) {
  return {{"vary", v.vary},
          {"status", v.status},
          {"bytes", v.bytes},
          {"hits", v.hits},
          {"age_s", v.age_s},
          {"ttl_s", v.ttl_s},
          {"stale_if_error_s", v.stale_if_error_s},
          {"heuristic", v.heuristic},
          {"no_cache", v.no_cache},
          {"must_revalidate", v.must_revalidate},
          {"etag", v.etag},
          {"last_modified", v.last_modified},
          {"chosen", v.chosen},
          {"on_disk", v.on_disk}};
}

std::string describe(const edge::VariantView& v) {
  std::string out = fmt::format("{}{}, {}, {}, age {}", v.chosen ? "* " : "  ", v.status, size(v.bytes),
                                v.on_disk ? "on the disk" : counted(v.hits, "hit"), age(v.age_s * 1000));
  out += v.ttl_s > 0 ? fmt::format(", fresh for {}", age(v.ttl_s * 1000))
                     : fmt::format(", stale for {}", age(-v.ttl_s * 1000));
  if (v.heuristic) out += " by heuristics";
  if (v.no_cache) out += ", no-cache";
  if (v.must_revalidate) out += ", must-revalidate";
  if (v.stale_if_error_s > 0) out += ", stale-if-error " + age(v.stale_if_error_s * 1000);
  if (!v.etag.empty()) out += ", ETag " + v.etag;
  if (!v.last_modified.empty()) out += ", Last-Modified " + v.last_modified;
  if (!v.vary.empty()) out += ", for " + v.vary;
  return out;
}

void add_line(std::string& out, std::string_view label, std::string_view text) {
  out += fmt::format("{:<11}{}\n", label, text);
}

}  // namespace

std::string_view name_of(edge::disk::SegmentReport::Kind kind) {
  static constexpr std::string_view names[] = {"free", "probation", "main"};
  return names[static_cast<size_t>(kind)];
}

std::string_view name_of(DiskStats::State state) {
  static constexpr std::string_view names[] = {"starting", "serving", "aside", "stopped"};
  return names[static_cast<size_t>(state)];
}

std::string to_json(const CacheCounts& counts) {
  json list = json::array();
  for (const auto& [name, stats] : counts.caches) {
    json one = {{"name", name}};
    for (const Figure& f : figures) one[f.key] = stats.*f.value;
    one[promoted.key] = stats.*promoted.value;
    if (stats.disk) {
      json disk = {
          {"state", name_of(stats.disk->state)}, {"reason", stats.disk->reason}, {"set_aside", stats.disk->set_aside}};
      for (const auto& f : disk_figures) disk[f.key] = (*stats.disk).*f.value;
      one["disk"] = std::move(disk);
    }
    list.push_back(std::move(one));
  }
  return dump({{"caches", list}});
}

std::string to_text(const CacheCounts& counts) {
  if (counts.caches.empty()) return "no caches\n";
  std::vector<std::string> header = {"CACHE"};
  std::set<size_t> right;
  bool disks = false;
  for (const auto& [name, stats] : counts.caches) {
    right.insert(header.size());
    header.push_back(name);
    disks |= stats.disk.has_value();
  }
  Table table(std::move(header), std::move(right));
  auto row = [&](std::string label, auto cell) {
    std::vector<std::string> cells = {std::move(label)};
    for (const auto& [name, stats] : counts.caches) cells.push_back(cell(stats));
    table.row(std::move(cells));
  };
  for (const Figure& f : figures) row(f.label, [&](const edge::Stats& s) { return f.text(s); });
  row("hit rate", hit_rate);
  if (!disks) return table.text();
  auto disk_row = [&](const char* label, auto cell) {
    row(fmt::format("disk: {}", label), [&](const edge::Stats& s) { return s.disk ? cell(s) : "-"; });
  };
  row("disk", [](const edge::Stats& s) { return std::string(s.disk ? name_of(s.disk->state) : "-"); });
  for (const auto& f : disk_figures) disk_row(f.label, [&](const edge::Stats& s) { return f.text(*s.disk); });
  disk_row(promoted.label, [](const edge::Stats& s) { return promoted.text(s); });
  std::string out = table.text();
  for (const auto& [name, stats] : counts.caches) {
    if (stats.disk && !stats.disk->reason.empty())
      out += fmt::format("the disk of {} is aside: {}\n", name, stats.disk->reason);
    if (stats.disk && !stats.disk->set_aside.empty())
      out += fmt::format("what the disk of {} held was set aside at the start: {}\n", name, stats.disk->set_aside);
  }
  return out;
}

std::string to_json(const CacheTops& tops) {
  json list = json::array();
  for (const auto& [name, keys] : tops.caches) {
    json rows = json::array();
    for (const edge::HotKey& k : keys)
      rows.push_back(
          {{"key", k.key}, {"requests", k.requests}, {"hits", k.hits}, {"variants", k.variants}, {"bytes", k.bytes}});
    list.push_back({{"name", name}, {"keys", std::move(rows)}});
  }
  return dump({{"caches", list}});
}

std::string to_text(const CacheTops& tops) {
  Table table({"CACHE", "REQUESTS", "HITS", "VARIANTS", "STORED", "KEY"}, {1, 2, 3, 4});
  for (const auto& [name, keys] : tops.caches)
    for (const edge::HotKey& k : keys)
      table.row({&k == keys.data() ? name : "", std::to_string(k.requests), std::to_string(k.hits),
                 std::to_string(k.variants), size(k.bytes), k.key});
  std::string text = table.text();
  return text.empty() ? "nothing is stored\n" : text;
}

std::string to_json(const CacheInspections& found) {
  json list = json::array();
  for (const auto& [name, i] : found.caches) {
    json variants = json::array();
    for (const edge::VariantView& v : i.variants) variants.push_back(to_object(v));
    const bool its_own = found.outcome.empty() || found.outcome == edge::name_of(i.outcome);
    list.push_back({{"name", name},
                    {"key", i.key},
                    {"outcome", its_own ? edge::name_of(i.outcome) : found.outcome},
                    {"forward", its_own ? edge::token_of(i.forward) : ""},
                    {"why", its_own ? i.why : found.why},
                    {"on_disk", i.on_disk},
                    {"disk_read", i.disk_read},
                    {"fetches", i.fetches},
                    {"apart_s", (i.apart_ms + 999) / 1000},
                    {"variants", std::move(variants)}});
  }
  return dump({{"listener", found.listener},
               {"route", found.route},
               {"outcome", found.outcome},
               {"why", found.why},
               {"asked", found.asked},
               {"caches", list}});
}

std::string to_text(const CacheInspections& found) {
  std::string out;
  if (!found.listener.empty()) add_line(out, "listener", found.listener);
  if (!found.route.empty()) add_line(out, "route", found.route);
  for (const std::string& line : found.asked) add_line(out, &line == found.asked.data() ? "admission" : "", line);
  for (const auto& [name, i] : found.caches) {
    add_line(out, "cache", name);
    add_line(out, "key", i.key);
  }
  add_line(out, "answer", fmt::format("{}: {}", found.outcome, found.why));
  for (const auto& [name, i] : found.caches) {
    for (const edge::VariantView& v : i.variants) add_line(out, &v == i.variants.data() ? "stored" : "", describe(v));
    if (i.on_disk && !i.disk_read) add_line(out, "on disk", "most likely");
    if (i.fetches > 0) add_line(out, "fetching", counted(i.fetches, "fetch") + " in progress");
    if (i.apart_ms > 0)
      add_line(out, "apart",
               fmt::format("an answer wasn't shared: for {} its requests don't wait for each other", age(i.apart_ms)));
  }
  return out;
}

}  // namespace portolan::daemon
