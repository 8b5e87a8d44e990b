// Store::find and what removes on request.
#include <vector>

#include "edge/collapse/fill.hh"
#include "edge/encodings.hh"
#include "edge/memory.hh"

namespace portolan::edge {

Variant* Store::match(Entry& entry, const http::Fields& request) {
  thread_local std::string values;
  const std::string* names = nullptr;  // those that `values` are of: most variants have the same
  for (auto at = entry.variants.rbegin(); at != entry.variants.rend(); ++at) {
    Variant& v = **at;
    if (v.names.empty()) return &v;
    if (!names || *names != v.names) {
      names = &v.names;
      values.clear();
      vary_values(v.names, request, values);
    }
    if (values == v.values) return &v;
  }
  return nullptr;
}

Variant* Store::select(Entry& entry, const http::Fields& request) {
  if (Variant* exact = match(entry, request)) return exact;
  for (auto at = entry.variants.rbegin(); at != entry.variants.rend(); ++at)
    if (speaks_the_language((*at)->names, (*at)->object->fields(), request)) return at->get();
  return nullptr;
}

Fill* Store::followable(Entry& entry, const RequestFacts& facts, const RequestView& request) {
  thread_local std::string mine, theirs;
  for (Fill* f = entry.shared_fills; f; f = f->next_) {
    const std::string& names = f->object_ ? f->names_ : entry.names;
    mine.clear();
    vary_values(names, request.head.fields, mine);
    if (f->object_) {
      bool fits = mine == f->values_ && judge(*f->object_, facts, request.now_ms) == Use::serve;
      if (fits && fits_profile(rules(), *f->object_) && !cut(entry.key, *f->object_)) return f;
      continue;
    }
    theirs.clear();
    vary_values(names, f->request_fields(), theirs);
    if (mine == theirs && purges_.clock().check(entry.key, {}, f->sequence_).how == Purged::no) return f;
  }
  return nullptr;
}

Lookup Store::find(const RequestView& request) {
  const Rules& rules = this->rules();
  RequestFacts facts = examine(rules, request);
  if (!facts.lookup) {
    counters_.bypasses.fetch_add(1, std::memory_order_relaxed);
    Lookup lookup;
    lookup.forward = facts.forward;
    lookup.detail = facts.detail;
    return lookup;
  }
  thread_local std::string key;
  size_t primary = compose_key(rules, request, key);
  Place at = place(key, primary);
  if (key.size() > primary && !extra_keys_.load(std::memory_order_relaxed)) extra_keys_ = true;
  std::shared_ptr<Fill> led;
  Lookup lookup = look(at, rules, facts, request, led);
  if (led && !reserve(led->content().charge(), led->cost())) {
    led->abort(request.now_ms, 0);
    lookup.writer.reset();
    if (lookup.outcome != Outcome::hit) {
      lookup = Lookup{};
      lookup.forward = Forward::bypass;
      lookup.detail = "memory";
    }
  }
  lookup.eligible = true;
  switch (lookup.outcome) {
    case Outcome::hit:
      if (lookup.object->encodings()) lookup.object = coded(rules, facts, request, std::move(lookup.object));
      counters_.hits.fetch_add(1, std::memory_order_relaxed);
      break;
    case Outcome::follow:
      if (lookup.loading) break;
      counters_.collapsed.fetch_add(1, std::memory_order_relaxed);
      break;
    case Outcome::stale:
      counters_.stale.fetch_add(1, std::memory_order_relaxed);
      break;
    case Outcome::bypass:
      counters_.bypasses.fetch_add(1, std::memory_order_relaxed);
      break;
    case Outcome::miss:
    case Outcome::only_if_cached_miss:
      counters_.misses.fetch_add(1, std::memory_order_relaxed);
      break;
  }
  return lookup;
}

ObjectRef Store::coded(const Rules& rules, const RequestFacts& facts, const RequestView& request, ObjectRef plain) {
  if (facts.range || facts.no_transform) return plain;  // RFC 9111 §5.2.1.6
  http::Coding coding = http::AcceptedCodings(request.head.fields).choose(rules.config.compress.codings);
  if (coding == http::Coding::identity) return plain;
  if (const ObjectRef* made = plain->encodings()->ready(coding)) return *made;
  const CompressConfig& config = rules.config.compress;
  Encodings::Work work;
  work.executor = executor_.load(std::memory_order_acquire);
  work.reserve = [this](Charge& charge, uint64_t bytes) { return reserve(charge, bytes); };
  work.levels = config.levels;
  work.least = config.min_bytes;
  work.most = config.max_bytes;
  work.now_ms = request.now_ms;
  return plain->encodings()->get(coding, plain, work);
}

Lookup Store::look(Place& at, const Rules& rules, const RequestFacts& facts, const RequestView& request,
                   std::shared_ptr<Fill>& led) {
  Lookup l;
  l.forward = Forward::uri_miss;
  bool shared = !facts.authorization;
  bool noted = false;
  Variant* variant = nullptr;
  Graveyard graves;
  std::lock_guard lock(at.shard.mutex);
  auto it = at.shard.entries.find(at.key);
  Entry* entry = it == at.shard.entries.end() ? nullptr : it->second.get();
  if (entry) {
    ++entry->requests;
    variant = select(*entry, request.head.fields);
  }
  if (variant && !(fits_profile(rules, *variant->object) && stands(*variant) && survives(*variant, request.now_ms))) {
    remove(*std::exchange(variant, nullptr), graves);
    if (entry->idle()) drop_if_idle(at.shard, *std::exchange(entry, nullptr));
  }
  const bool whole = variant && variant->object->parts() && goes_whole(*variant->object, facts, request);
  if (whole) l.forward = Forward::partial;
  if (variant && !whole) {
    Use use = judge(*variant->object, facts, request.now_ms);
    if (use <= Use::serve_and_validate) {
      residents_.touch(*variant);
      used(*variant);
      l.outcome = Outcome::hit;
      l.forward = Forward::none;
      l.object = variant->object;
      if (use == Use::serve_and_validate) validate_beside(at, rules, facts, request, *variant, l, led);
      return l;
    }
    l.forward = use == Use::validate_stale ? Forward::stale : Forward::request;
    // An answer that is never fresh can't serve those who wait for it, either.
    const Freshness& f = variant->object->freshness();
    if (f.no_cache || f.lifetime_ms == 0) shared = false;
  }
  if (entry) {
    if (!variant && !entry->variants.empty()) l.forward = Forward::vary_miss;
    noted = entry->note && entry->note->note_until_ms > request.now_ms;
    if (noted && (facts.range || !entry->note->only_ranges)) shared = false;
    Fill* fill = shared ? followable(*entry, facts, request) : nullptr;
    bool known = fill && fill->object_;
    bool may_wait = !facts.head && (!facts.range || rules.config.fragments) && !facts.only_if_cached;
    if (fill && (known || may_wait)) {
      l.outcome = Outcome::follow;
      l.reader = fill->follower(request);
      return l;
    }
  }
  if (!variant && !noted && (l.reader = load(at, entry, request))) {
    l.outcome = Outcome::follow;
    l.loading = true;
    return l;
  }
  if (facts.only_if_cached) {
    l.outcome = Outcome::only_if_cached_miss;
    return l;
  }
  if (may_lead(rules, facts, noted, variant ? variant->object.get() : nullptr)) {
    lead(at, rules, facts, request, whole ? nullptr : variant, shared, l, led);
  } else {
    l.detail = facts.head ? "head" : facts.range ? "range" : "no-store";
  }
  return l;
}

// A part for one who is authorised is hardly ever kept, and to learn that from the answer is to ask twice.
bool Store::may_lead(const Rules& rules, const RequestFacts& facts, bool noted, const Object* stale) {
  if (!facts.may_store || facts.head) return false;
  if (!facts.range) return true;
  if (stale) return !facts.authorization || !stale->parts();
  return rules.config.fragments && !noted && !facts.authorization;
}

bool Store::goes_whole(const Object& object, const RequestFacts& facts, const RequestView& request) {
  if (!object.parts()->troubled()) return false;
  bool asks_whole = facts.may_store && !facts.range && !facts.head && !facts.only_if_cached;
  return asks_whole && !not_modified(request.head, object);
}

// RFC 5861 §3: one fetch for all who are served the stale object; nobody follows it.
void Store::validate_beside(Place& at, const Rules& rules, const RequestFacts& facts, const RequestView& request,
                            Variant& variant, Lookup& l, std::shared_ptr<Fill>& led) {
  if (variant.validator || variant.validate_again_ms > request.now_ms) return;
  if (!facts.may_store || facts.head || facts.only_if_cached) return;
  lead(at, rules, facts, request, &variant, false, l, led);
  l.outcome = Outcome::hit;
  l.reader.reset();
  led->served_ = &variant;
  variant.validator = led.get();
}

void Store::lead(Place& at, const Rules& rules, const RequestFacts& facts, const RequestView& request, Variant* stale,
                 bool shared, Lookup& l, std::shared_ptr<Fill>& led) {
  led = std::make_shared<Fill>(shared_from_this(), rules, facts, request);
  Fill& fill = *led;
  if (stale) {
    fill.stale_ = l.object = stale->object;
    fill.stale_names_ = stale->names;
    fill.stale_values_ = stale->values;
  }
  if (facts.range && rules.config.fragments && (!stale || stale->object->parts()))
    fill.range_ = aligned_range(request.head.fields);
  Entry& entry = entry_for(at.shard, at.key);
  if (entry.requests == 0) entry.requests = 1;
  if (entry.vary.since == 0) recall_vary(at.shard, entry);
  fill.key_bytes_ = at.key.key.size();
  fill.shard_ = &at.shard;
  fill.entry_ = &entry;
  fill.shared_ = shared;
  Fill*& first = shared ? entry.shared_fills : entry.private_fills;
  fill.next_ = first;
  if (first) first->previous_ = &fill;
  first = &fill;
  l.outcome = stale ? Outcome::stale : Outcome::miss;
  l.reader = fill.leader();
  l.writer = std::unique_ptr<Writer>(new Writer(led));
}

// ── removal ──

size_t Store::clear(Shard& shard, Entry& entry, Graveyard& graves, std::vector<std::shared_ptr<Content>>& cut) {
  size_t removed = entry.variants.size();
  while (!entry.variants.empty()) remove(*entry.variants.back(), graves);
  if (entry.note) remove(*entry.note, graves);
  for (Fill* Entry::*list : {&Entry::shared_fills, &Entry::private_fills}) {
    while (Fill* fill = entry.*list) {
      cut.push_back(fill->content_);
      unlink(entry, *fill);
    }
  }
  drop_if_idle(shard, entry);
  return removed;
}

size_t Store::purge_key(std::string_view primary, std::vector<uint64_t>* groups) {
  Place at = place(primary, primary.size());
  Graveyard graves;
  std::vector<std::shared_ptr<Content>> cut;
  size_t removed = 0;
  {
    std::lock_guard lock(at.shard.mutex);
    std::vector<Entry*> doomed;
    if (auto it = at.shard.entries.find(at.key); it != at.shard.entries.end()) doomed.push_back(it->second.get());
    auto [other, end] = at.shard.by_url.equal_range(at.key.hash);
    for (; other != end; ++other)
      if (other->second->key.starts_with(primary)) doomed.push_back(other->second);
    for (Entry* e : doomed) removed += clear(at.shard, *e, graves, cut);
  }
  for (size_t i = 0; groups && i < graves.size(); ++i)
    if (const ObjectRef& object = graves[i]->object)
      groups->insert(groups->end(), object->groups().begin(), object->groups().end());
  // Those who read along keep their bytes; nothing of them is stored.
  for (auto& content : cut) content->window();
  return removed;
}

void Store::invalidate(const RequestView& request, const http::ResponseHead& response) {
  if (http::asks_safely(request.head) || response.status < 200 || response.status >= 400) return;
  std::string key;
  std::optional<std::string_view> query;
  if (request.head.has_query) query = request.head.query;
  compose_url_key(rules(), request.scheme, request.authority, request.head.path, query, key);
  // RFC 9875 §2.2.1, §3: those that share a group with what goes, and the groups the answer names. Neither goes further.
  auto groups = group_hashes(response.fields, cache_group_invalidation, origin_hash(request.scheme, request.authority));
  purge_key(key, &groups);
  std::string url = std::string(request.scheme) + "://" + std::string(request.authority);
  size_t origin = url.size();
  url += request.head.path;
  if (query) url.append("?").append(*query);
  invalidate_on_disk(key, url, request.now_ms);
  for (http::FieldId id : {http::FieldId::location, http::FieldId::content_location}) {
    std::optional<std::string_view> where = response.fields.find(id);
    if (!where) continue;
    std::optional<Url> other = resolve(request, *where);
    if (!other || other->scheme != request.scheme || other->authority != request.authority) continue;
    key.clear();
    query.reset();
    if (other->query) query = *other->query;
    compose_url_key(rules(), other->scheme, other->authority, other->path, query, key);
    purge_key(key, &groups);
    url.replace(origin, std::string::npos, other->path);
    if (other->query) url.append("?").append(*other->query);
    invalidate_on_disk(key, url, request.now_ms);
  }
  if (groups.empty()) return;
  groups_.invalidate(groups, next_sequence());
  invalidate_on_disk(groups, request.now_ms);
}

}  // namespace portolan::edge
