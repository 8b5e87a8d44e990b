#include "edge/inspect.hh"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "edge/collapse/fill.hh"
#include "edge/memory.hh"

namespace portolan::edge {
namespace {

constexpr size_t buckets_a_turn = 256;  // looked at under one hold of a shard's lock
constexpr int most_walks = 4;           // of a shard whose table grows meanwhile

VariantView view_of(std::string_view names, std::string_view values, const Object& object, int64_t now_ms) {
  const Freshness& f = object.freshness();
  VariantView v;
  v.vary = vary_text(names, values);
  v.status = object.status();
  v.bytes = object.content_length().value_or(0);
  v.age_s = object.age_s(now_ms);
  v.ttl_s = object.ttl_s(now_ms);
  v.stale_if_error_s = f.stale_if_error_ms / 1000;
  v.heuristic = f.heuristic;
  v.no_cache = f.no_cache;
  v.must_revalidate = f.must_revalidate;
  v.etag = object.etag();
  v.last_modified = object.last_modified();
  return v;
}

std::string why_passed(const RequestFacts& facts) {
  if (facts.forward == Forward::method) return "only GET and HEAD are looked up";
  return fmt::format("passed by for its {}", facts.detail ? facts.detail : "request");
}

// Why judge() said what it said.
std::string why_used(const Object& object, const RequestFacts& facts, Use use, const RequestView& request) {
  const int64_t now_ms = request.now_ms;
  const Freshness& f = object.freshness();
  int64_t ttl_s = object.ttl_s(now_ms);
  if (use == Use::serve_and_validate) return fmt::format("stale for {} s, and validated beside (RFC 5861)", -ttl_s);
  if (use == Use::serve)
    return object.fresh(now_ms) ? fmt::format("fresh for {} s more", ttl_s)
                                : fmt::format("stale for {} s, which the request's max-stale allows", -ttl_s);
  if (use == Use::validate_request) {
    if (request.refresh) return "a new answer is asked for";
    if (facts.no_cache) return "the request says no-cache";
    if (facts.max_age_s && object.age_s(now_ms) >= *facts.max_age_s)
      return fmt::format("{} s old, and the request's max-age is {} s", object.age_s(now_ms), *facts.max_age_s);
    if (facts.min_fresh_s)
      return fmt::format("fresh for {} s more, and the request's min-fresh is {} s", ttl_s, *facts.min_fresh_s);
    return "the request asks for it";
  }
  if (f.no_cache) return "the answer says no-cache: it is validated before every use";
  if (f.lifetime_ms == 0) return "the answer gave it no lifetime";
  return fmt::format("stale for {} s", -ttl_s);
}

// What would become of a request that this fits. True: it is served.
bool settle(const Object& object, const RequestFacts& facts, const RequestView& request, Inspection& out) {
  Use use = judge(object, facts, request.now_ms);
  out.why = why_used(object, facts, use, request);
  bool serves = use <= Use::serve_and_validate;
  out.outcome = serves ? Outcome::hit : Outcome::stale;
  out.forward = serves ? Forward::none : use == Use::validate_stale ? Forward::stale : Forward::request;
  return serves;
}

void keep(std::vector<HotKey>& heap, size_t most, HotKey key) {
  auto more = [](const HotKey& a, const HotKey& b) { return a.requests > b.requests; };
  heap.push_back(std::move(key));
  std::push_heap(heap.begin(), heap.end(), more);
  if (heap.size() <= most) return;
  std::pop_heap(heap.begin(), heap.end(), more);
  heap.pop_back();
}

}  // namespace

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::bypass:
      return "bypass";
    case Outcome::miss:
      return "miss";
    case Outcome::follow:
      return "follow";
    case Outcome::hit:
      return "hit";
    case Outcome::stale:
      return "stale";
    case Outcome::only_if_cached_miss:
      return "only-if-cached";
  }
  return "";
}

Inspection Store::inspect(const RequestView& request, bool read_disk) {
  Inspection out;
  const Rules& rules = this->rules();
  RequestFacts facts = examine(rules, request);
  std::string key;
  size_t primary = compose_key(rules, request, key);
  Place at = place(key, primary);
  out.key = key_for_people(rules, key);
  out.outcome = Outcome::miss;
  out.forward = Forward::uri_miss;
  out.why = "nothing is stored under this key";
  ObjectRef found;
  {
    std::lock_guard lock(at.shard.mutex);
    auto it = at.shard.entries.find(at.key);
    Entry* entry = it == at.shard.entries.end() ? nullptr : it->second.get();
    if (entry) found = look_into(*entry, facts, request, out);
    out.on_disk = is_on_disk(key, entry, request.head.fields);
  }
  if (!facts.lookup) {
    out.outcome = Outcome::bypass;
    out.forward = facts.forward;
    out.why = why_passed(facts);
    return out;
  }
  if (out.outcome == Outcome::hit || out.outcome == Outcome::follow) return out;
  if (out.on_disk && out.outcome == Outcome::miss && out.apart_ms == 0) {
    out.why = "not in memory; most likely it is on the disk, which is read first";
    if (!read_disk) return out;
    found = look_on_disk(at, facts, request, out);
    if (out.outcome == Outcome::hit) return out;
  }
  if (facts.only_if_cached) {
    out.outcome = Outcome::only_if_cached_miss;
    out.why += "; the request takes only what is stored: 504";
  } else if (!may_lead(rules, facts, out.apart_ms > 0, found.get())) {
    out.outcome = Outcome::bypass;
    out.why += fmt::format("; the answer isn't stored for its {}", facts.head    ? "method, HEAD"
                                                                   : facts.range ? "Range"
                                                                                 : "no-store");
  }
  return out;
}

// The shard's lock is held by nobody: this waits for the disk. It follows fetch_from_disk() and take_in() without taking
// anything in.
ObjectRef Store::look_on_disk(Place& at, const RequestFacts& facts, const RequestView& request, Inspection& out) {
  const DiskTier* tier = this->tier();
  if (!tier) return nullptr;
  DiskRecord record;
  read_from_disk(*tier, at.key.key, request.head.fields, record);
  out.disk_read = true;
  out.on_disk = false;
  out.why = "nothing is stored under this key, the disk was asked";
  if (record.outdated) out.why = "what is on the disk counts no more: others came since, or it was without the cache";
  if (record.other_values) {
    out.forward = Forward::vary_miss;
    out.why = "what the disk has was an answer to other values of the fields in its Vary";
  }
  http::ResponseHead head;
  const std::optional<Saved>& saved = record.saved;
  if (!saved || (saved->kind != Saved::Kind::whole && saved->kind != Saved::Kind::parts)) return nullptr;
  head.status = saved->status;
  head.reason = saved->reason;
  if (!read_lines(saved->lines, head.fields)) return nullptr;
  auto content = std::make_shared<Content>(ledger_);
  content->declare(saved->kind == Saved::Kind::parts ? saved->parts_size : record.found.length);
  ObjectRef object = ObjectBuilder::restored(*saved, head, content, record.found.sequence, nullptr);
  PurgeClock::Verdict fate;
  {
    std::lock_guard lock(at.shard.mutex);
    fate = this->fate(at.key.key, *object);
  }
  if (fate.how == Purged::hard) {
    out.why = "what the disk has was purged or invalidated";
    return nullptr;
  }
  if (fate.how == Purged::soft) object = ObjectBuilder::stale_since(object, std::min(fate.at_ms, request.now_ms));
  out.on_disk = true;
  VariantView view = view_of(saved->names, saved->values, *object, request.now_ms);
  view.chosen = view.on_disk = true;
  out.variants.push_back(std::move(view));
  settle(*object, facts, request, out);
  out.why = "on the disk: " + out.why;
  return object;
}

// The shard's lock is held; it follows Store::look without changing anything.
ObjectRef Store::look_into(Entry& entry, const RequestFacts& facts, const RequestView& request, Inspection& out) {
  for (Fill* Entry::*list : {&Entry::shared_fills, &Entry::private_fills})
    for (Fill* fill = entry.*list; fill; fill = fill->next_) ++out.fetches;
  if (entry.note) out.apart_ms = std::max<int64_t>(0, entry.note->note_until_ms - request.now_ms);
  Variant* chosen = select(entry, request.head.fields);
  auto as_found = [&](const Variant& v) {
    if (!fits_profile(rules(), *v.object)) return ObjectRef();
    PurgeClock::Verdict fate = this->fate(entry.key, *v.object);
    if (fate.how == Purged::hard) return ObjectRef();
    if (fate.how == Purged::no) return v.object;
    return ObjectBuilder::stale_since(v.object, std::min(fate.at_ms, request.now_ms));
  };
  ObjectRef found = chosen ? as_found(*chosen) : nullptr;
  if (!found) chosen = nullptr;
  for (auto v = entry.variants.rbegin(); v != entry.variants.rend(); ++v)
    if (ObjectRef object = as_found(**v)) {
      VariantView view = view_of((*v)->names, (*v)->values, *object, request.now_ms);
      view.hits = (*v)->hits.load(std::memory_order_relaxed);
      view.chosen = v->get() == chosen;
      out.variants.push_back(std::move(view));
    }
  bool apart = out.apart_ms > 0 && (facts.range || !entry.note->only_ranges);
  bool shared = !facts.authorization && !apart;
  if (chosen) {
    if (settle(*found, facts, request, out)) return found;
    const Freshness& f = found->freshness();
    shared = shared && !f.no_cache && f.lifetime_ms != 0;
  } else if (!out.variants.empty()) {
    out.forward = Forward::vary_miss;
    out.why = "what is stored was an answer to other values of the fields in its Vary";
  }
  Fill* fill = shared ? followable(entry, facts, request) : nullptr;
  if (fill && (fill->object_ || (!facts.head && (!facts.range || rules().config.fragments) && !facts.only_if_cached))) {
    out.outcome = Outcome::follow;
    out.why += "; it would wait for the fetch in progress";
  }
  return found;
}

bool Store::is_useful(const Entry& entry) const {
  return std::any_of(entry.variants.begin(), entry.variants.end(), [&](const auto& v) {
    return v->object->status() < 400 && fate(entry.key, *v->object).how != Purged::hard;
  });
}

// One turn: some buckets under the lock. False when the table grew since the walk began: every entry is elsewhere now.
bool Store::walk_on(Shard& shard, size_t& bucket, size_t& buckets, size_t most, bool useful,
                    std::vector<HotKey>& found) {
  std::lock_guard lock(shard.mutex);
  if (bucket == 0) buckets = shard.entries.bucket_count();
  if (buckets != shard.entries.bucket_count()) return false;
  for (size_t end = std::min(bucket + buckets_a_turn, buckets); bucket < end; ++bucket)
    for (auto it = shard.entries.begin(bucket); it != shard.entries.end(bucket); ++it) {
      const Entry& e = *it->second;
      if (found.size() >= most && e.requests <= found.front().requests) continue;
      if (useful && !is_useful(e)) continue;
      HotKey key{e.key, e.requests, 0, e.variants.size(), 0};
      for (const auto& v : e.variants) {
        key.hits += v->hits.load(std::memory_order_relaxed);
        key.bytes += v->bytes;
      }
      keep(found, most, std::move(key));
    }
  return true;
}

std::vector<HotKey> Store::hottest(Shard& shard, size_t most, bool useful) {
  std::vector<HotKey> found;
  for (int walk = 0; walk < most_walks; ++walk) {
    found.clear();
    size_t bucket = 0, buckets = 0;
    bool same = true;
    do same = walk_on(shard, bucket, buckets, most, useful, found);
    while (same && bucket < buckets);
    if (same) break;
  }
  return found;
}

std::vector<HotKey> Store::hottest(size_t most, bool useful) {
  std::vector<HotKey> heap;
  if (most == 0) return heap;
  for (auto& shard : shards_)
    for (HotKey& key : hottest(*shard, most, useful)) keep(heap, most, std::move(key));
  std::sort(heap.begin(), heap.end(), [](const HotKey& a, const HotKey& b) {
    return a.requests != b.requests ? a.requests > b.requests : a.key < b.key;
  });
  return heap;
}

std::vector<HotKey> Store::top(size_t most) {
  std::vector<HotKey> keys = hottest(std::min(most, most_hot_keys), false);
  for (HotKey& key : keys) key.key = key_for_people(rules(), key.key);
  return keys;
}

// Of a URL's several keys the first counts.
std::vector<std::string> Store::hot_urls(size_t most) {
  std::vector<std::string> urls;
  std::unordered_set<std::string> seen;
  for (const HotKey& key : hottest(std::min(most, most_hot_urls), true))
    if (std::string url = url_of(key.key); seen.insert(url).second) urls.push_back(std::move(url));
  return urls;
}

}  // namespace portolan::edge
