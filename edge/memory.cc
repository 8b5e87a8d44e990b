#include "edge/memory.hh"

#include <xxhash.h>

#include <algorithm>

#include "edge/collapse/fill.hh"

namespace portolan::edge {
namespace {

constexpr size_t max_shards = 16;
constexpr uint64_t bytes_a_shard = 16ull << 20;  // small caches keep one exact order
constexpr size_t max_variants = 64;              // an entry
constexpr uint32_t note_bytes = sizeof(Variant) + sizeof(Entry) + 256;

std::unique_ptr<Eviction> make_policy(const CacheConfig& config) {
  const EvictionPart* part = Registration<EvictionPart>::find(config.eviction);
  if (!part) part = Registration<EvictionPart>::find("lru");
  return part->make(config.memory_bytes);
}

}  // namespace

Store::Store(const CacheConfig& config, uint64_t seed) : seed_(seed), ledger_(std::make_shared<Ledger>()) {
  all_rules_.push_back(std::make_unique<Rules>(config));
  rules_.store(all_rules_.back().get(), std::memory_order_release);
  ledger_->budget = config.memory_bytes;
  size_t shards = 1;
  while (shards < max_shards && config.memory_bytes / (shards * 2) >= bytes_a_shard) shards *= 2;
  for (size_t i = 0; i < shards; ++i) {
    shards_.push_back(std::make_unique<Shard>());
    shards_.back()->policy = make_policy(config);
  }
}

Store::~Store() = default;

Store::Place Store::place(std::string_view key, size_t primary_length) {
  uint64_t primary = XXH3_64bits_withSeed(key.data(), primary_length, seed_);
  uint64_t whole = primary_length == key.size() ? primary : XXH3_64bits_withSeed(key.data(), key.size(), seed_);
  return {shard_of(primary), {key, whole}};
}

// The high bits choose the shard; the table uses the low ones.
Shard& Store::shard_of(uint64_t primary_hash) {
  return *shards_[(primary_hash >> 48) & (shards_.size() - 1)];
}

Entry& Store::entry_for(Shard& shard, KeyHash key) {
  auto it = shard.entries.find(key);
  if (it != shard.entries.end()) return *it->second;
  auto entry = std::make_unique<Entry>();
  entry->key = key.key;
  entry->hash = key.hash;
  Entry& e = *entry;
  shard.entries.emplace(KeyHash{e.key, e.hash}, std::move(entry));
  return e;
}

void Store::drop_if_idle(Shard& shard, Entry& entry) {
  if (entry.idle()) shard.entries.erase(KeyHash{entry.key, entry.hash});
}

void Store::remove(Shard& shard, Variant& variant, Graveyard& graves) {
  if (variant.validator) variant.validator->served_ = nullptr;
  if (variant.resident) shard.policy->forget(variant);
  Entry& entry = *variant.entry;
  if (&variant == entry.note.get()) {
    graves.push_back(std::move(entry.note));
    return;
  }
  auto at =
      std::find_if(entry.variants.begin(), entry.variants.end(), [&](const auto& v) { return v.get() == &variant; });
  graves.push_back(std::move(*at));
  entry.variants.erase(at);
  counters_.objects.fetch_sub(1, std::memory_order_relaxed);
}

void Store::insert(Shard& shard, Entry& entry, std::unique_ptr<Variant> variant) {
  variant->entry = &entry;
  variant->hash = entry.hash;
  uint64_t bytes = variant->object->content()->charge().held();
  variant->bytes = static_cast<uint32_t>(std::min<uint64_t>(bytes, UINT32_MAX));
  shard.policy->admit(*variant);
  entry.variants.push_back(std::move(variant));
  counters_.objects.fetch_add(1, std::memory_order_relaxed);
}

void Store::unlink(Entry& entry, Fill& fill) {
  Fill*& first = fill.shared_ ? entry.shared_fills : entry.private_fills;
  (fill.previous_ ? fill.previous_->next_ : first) = fill.next_;
  if (fill.next_) fill.next_->previous_ = fill.previous_;
  if (fill.served_) fill.served_->validator = nullptr;
  fill.served_ = nullptr;
  fill.previous_ = fill.next_ = nullptr;
  fill.entry_ = nullptr;
}

void Store::write_note(Shard& shard, Entry& entry, int64_t until_ms, bool only_ranges, Graveyard& graves) {
  if (entry.note) {
    entry.note->only_ranges = entry.note->only_ranges && only_ranges;
    entry.note->note_until_ms = std::max(entry.note->note_until_ms, until_ms);
    return;
  }
  // Notes live on the same account: each carries an empty body that holds its charge.
  auto note = std::make_unique<Variant>();
  auto content = std::make_shared<Content>(ledger_);
  while (!content->charge().try_add(note_bytes + entry.key.size())) {
    Resident* victim = shard.policy->victim();
    if (!victim) return;
    auto& old = static_cast<Variant&>(*victim);
    counters_.evictions.fetch_add(1, std::memory_order_relaxed);
    Entry* touched = old.entry;
    if (!touched) {
      take(shard, static_cast<Fragment&>(old));  // its memory is what is needed
      continue;
    }
    remove(shard, old, graves);
    if (touched != &entry) drop_if_idle(shard, *touched);
    graves.pop_back();
  }
  note->entry = &entry;
  note->hash = entry.hash;
  note->bytes = note_bytes;
  note->note_until_ms = until_ms;
  note->only_ranges = only_ranges;
  note->held = std::move(content);
  shard.policy->admit(*note);
  entry.note = std::move(note);
}

bool Store::announce(Fill& fill, ObjectRef object, std::string names, std::string values) {
  std::lock_guard lock(fill.shard_->mutex);
  if (!fill.entry_) return false;
  fill.entry_->names = names;
  fill.object_ = std::move(object);
  fill.names_ = std::move(names);
  fill.values_ = std::move(values);
  if (Parts* parts = fill.content_->parts().get()) {
    parts->shard_ = fill.shard_;
    parts->entry_key_ = fill.entry_->key;
    parts->entry_hash_ = fill.entry_->hash;
  }
  return true;
}

void Store::commit(Fill& fill) {
  Graveyard graves;
  auto variant = std::make_unique<Variant>();
  std::lock_guard lock(fill.shard_->mutex);
  if (!fill.entry_) return;
  Entry& entry = *fill.entry_;
  Shard& shard = *fill.shard_;
  if (cut(*fill.object_)) {
    unlink(entry, fill);
    return drop_if_idle(shard, entry);
  }
  while (Variant* old = match(entry, fill.request_fields())) {
    variant->hits += old->hits;
    remove(shard, *old, graves);
  }
  if (entry.note) remove(shard, *entry.note, graves);
  if (entry.variants.size() >= max_variants) {
    remove(shard, *entry.variants.front(), graves);
    counters_.evictions.fetch_add(1, std::memory_order_relaxed);
  }
  variant->object = fill.object_;
  variant->names = fill.names_;
  variant->values = fill.values_;
  unlink(entry, fill);
  insert(shard, entry, std::move(variant));
  counters_.fills.fetch_add(1, std::memory_order_relaxed);
}

void Store::replace(Fill& fill, ObjectRef fresh, std::string names) {
  ObjectRef old;
  std::string values;
  vary_values(names, fill.request_fields(), values);
  std::lock_guard lock(fill.shard_->mutex);
  if (!fill.entry_) return;
  Entry& entry = *fill.entry_;
  unlink(entry, fill);
  for (auto v = entry.variants.begin(); v != entry.variants.end(); ++v) {
    if ((*v)->object != fill.stale_) continue;
    old = std::exchange((*v)->object, std::move(fresh));
    (*v)->names = std::move(names);
    (*v)->values = std::move(values);
    fill.shard_->policy->touch(**v);
    std::rotate(v, v + 1, entry.variants.end());  // of several that match, the most recent is used (RFC 9111 §4)
    break;
  }
  drop_if_idle(*fill.shard_, entry);
}

void Store::retire(Fill& fill, int64_t note_until_ms, bool drop_stale, bool only_ranges) {
  Graveyard graves;
  std::lock_guard lock(fill.shard_->mutex);
  if (!fill.entry_) return;
  Entry& entry = *fill.entry_;
  unlink(entry, fill);
  if (drop_stale && fill.stale_) {
    auto at = std::find_if(entry.variants.begin(), entry.variants.end(),
                           [&](const auto& v) { return v->object == fill.stale_; });
    if (at != entry.variants.end()) remove(*fill.shard_, **at, graves);
  }
  if (note_until_ms > 0) write_note(*fill.shard_, entry, note_until_ms, only_ranges, graves);
  drop_if_idle(*fill.shard_, entry);
}

void Store::pause_validation(Fill& fill, int64_t until_ms) {
  std::lock_guard lock(fill.shard_->mutex);
  if (fill.served_) fill.served_->validate_again_ms = until_ms;
}

// ── memory ──

bool Store::reserve(Charge& charge, uint64_t bytes) {
  if (charge.try_add(bytes)) return true;
  // What others take of what is freed here must not make one reservation empty the cache.
  uint64_t limit = std::max<uint64_t>(bytes * 4, 256 << 10);
  for (uint64_t freed = 0; freed < limit;) {
    if (!evict_one(freed)) break;
    if (charge.try_add(bytes)) return true;
  }
  return charge.try_add(bytes);
}

bool Store::evict_one(uint64_t& freed) {
  for (size_t tries = 0; tries < shards_.size(); ++tries) {
    Shard& shard = *shards_[hand_.fetch_add(1, std::memory_order_relaxed) & (shards_.size() - 1)];
    Graveyard graves;
    std::unique_ptr<Fragment> fragment;
    std::lock_guard lock(shard.mutex);
    Resident* victim = shard.policy->victim();
    if (!victim) continue;
    auto& variant = static_cast<Variant&>(*victim);
    freed += variant.bytes;
    counters_.evictions.fetch_add(1, std::memory_order_relaxed);
    if (Entry* entry = variant.entry) {
      remove(shard, variant, graves);
      drop_if_idle(shard, *entry);
    } else {
      fragment = take(shard, static_cast<Fragment&>(variant));
    }
    return true;
  }
  return false;
}

void Store::shrink() {
  uint64_t freed = 0;
  while (ledger_->used.load() > ledger_->budget.load())
    if (!evict_one(freed)) break;
}

void Store::reconfigure(const CacheConfig& config) {
  std::lock_guard lock(reconfigure_mutex_);
  const CacheConfig& old = rules().config;
  if (old == config) return;
  bool other_policy = old.eviction != config.eviction;
  all_rules_.push_back(std::make_unique<Rules>(config));
  rules_.store(all_rules_.back().get(), std::memory_order_release);
  ledger_->budget = config.memory_bytes;
  for (auto& shard : shards_) {
    if (!other_policy) break;
    std::lock_guard held(shard->mutex);
    std::unique_ptr<Eviction> next = make_policy(config);
    while (Resident* r = shard->policy->victim()) {  // the oldest first: the order is kept
      shard->policy->forget(*r);
      r->bits = 0;
      next->admit(*r);
    }
    shard->policy = std::move(next);
  }
  shrink();
}

Stats Store::stats() const {
  Stats s;
  const Counters& c = counters_;
  s.objects = c.objects;
  s.fragments = c.fragments;
  s.bytes = ledger_->used;
  s.budget = ledger_->budget;
  s.filling = c.filling;
  s.passing_bytes = ledger_->passing;
  s.hits = c.hits;
  s.misses = c.misses;
  s.stale = c.stale;
  s.bypasses = c.bypasses;
  s.collapsed = c.collapsed;
  s.fills = c.fills;
  s.validated = c.validated;
  s.evictions = c.evictions;
  s.purged = c.purged;
  s.too_large = c.too_large;
  return s;
}

}  // namespace portolan::edge
