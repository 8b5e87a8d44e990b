#include "edge/memory.hh"

#include <xxhash.h>

#include <algorithm>

#include "core/base/heap.hh"
#include "edge/collapse/fill.hh"

namespace portolan::edge {
namespace {

constexpr uint16_t shard_count = 16;
constexpr size_t max_variants = 64;  // an entry
constexpr uint32_t note_bytes = sizeof(Variant) + sizeof(Entry) + 256;

const EvictionPart& part_of(const CacheConfig& config) {
  const EvictionPart* part = Registration<EvictionPart>::find(config.eviction);
  return part ? *part : *Registration<EvictionPart>::find("lru");
}

}  // namespace

Store::Store(const CacheConfig& config, uint64_t seed)
    : seed_(seed),
      ledger_(std::make_shared<Ledger>()),
      residents_(part_of(config), config.memory_bytes),
      residents_charge_(ledger_),
      purges_(config.purge_memory_bytes) {
  all_rules_.push_back(std::make_unique<Rules>(config));
  rules_.store(all_rules_.back().get(), std::memory_order_release);
  ledger_->budget = config.memory_bytes;
  residents_charge_.force(residents_.own_bytes());
  for (uint16_t i = 0; i < shard_count; ++i) {
    shards_.push_back(std::make_unique<Shard>());
    shards_.back()->number = i;
  }
  begin_purges();
}

Store::~Store() = default;

Store::Place Store::place(std::string_view key, size_t primary_length) {
  uint64_t primary = XXH3_64bits_withSeed(key.data(), primary_length, seed_);
  uint64_t whole = primary_length == key.size() ? primary : XXH3_64bits_withSeed(key.data(), key.size(), seed_);
  return {shard_of(primary), {key, whole}};
}

// The high bits choose the shard; the table uses the low ones.
Shard& Store::shard_of(uint64_t primary_hash) {
  return *shards_[(primary_hash >> 48) & (shard_count - 1)];
}

Entry& Store::entry_for(Shard& shard, KeyHash key) {
  auto it = shard.entries.find(key);
  if (it != shard.entries.end()) return *it->second;
  auto entry = std::make_unique<Entry>();
  entry->key = key.key;
  entry->hash = key.hash;
  Entry& e = *entry;
  shard.entries.emplace(KeyHash{e.key, e.hash}, std::move(entry));
  if (auto url = hash_of_url(e)) shard.by_url.emplace(*url, &e);
  return e;
}

// nullopt: the key is the URL's, and found by that.
std::optional<uint64_t> Store::hash_of_url(const Entry& entry) const {
  if (!extra_keys_.load(std::memory_order_relaxed)) return std::nullopt;
  const std::string_view url = split_key(entry.key).primary;
  if (url.size() == entry.key.size()) return std::nullopt;
  return XXH3_64bits_withSeed(url.data(), url.size(), seed_);
}

void Store::drop_if_idle(Shard& shard, Entry& entry) {
  if (!entry.idle()) return;
  if (auto url = hash_of_url(entry)) {
    auto [at, end] = shard.by_url.equal_range(*url);
    while (at != end && at->second != &entry) ++at;
    if (at != end) shard.by_url.erase(at);
  }
  shard.entries.erase(KeyHash{entry.key, entry.hash});
}

void Store::remove(Variant& variant, Graveyard& graves) {
  if (variant.validator) variant.validator->served_ = nullptr;
  residents_.forget(variant);
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
  variant->hash = entry.hash ^ XXH3_64bits(variant->values.data(), variant->values.size());
  variant->shard = shard.number;
  uint64_t bytes = variant->object->content()->charge().held();
  variant->bytes = static_cast<uint32_t>(std::min<uint64_t>(bytes, UINT32_MAX));
  residents_.admit(*variant);
  // By when their heads came, not their ends: of several that match, the most recent is used (RFC 9111 §4).
  int64_t came_ms = variant->object->freshness().response_ms;
  auto later = std::find_if(entry.variants.begin(), entry.variants.end(),
                            [&](const auto& v) { return v->object->freshness().response_ms > came_ms; });
  entry.variants.insert(later, std::move(variant));
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

// Notes live on the same account: each carries an empty body that holds its charge.
std::unique_ptr<Variant> Store::make_note(Fill& fill, int64_t until_ms, bool only_ranges) {
  {
    std::lock_guard lock(fill.shard_->mutex);
    if (!fill.entry_) return nullptr;
    if (Variant* note = fill.entry_->note.get()) {
      note->only_ranges = note->only_ranges && only_ranges;
      note->note_until_ms = std::max(note->note_until_ms, until_ms);
      return nullptr;
    }
  }
  auto note = std::make_unique<Variant>();
  note->held = std::make_shared<Content>(ledger_);
  note->bytes = note_bytes + static_cast<uint32_t>(fill.key_bytes_);
  if (!reserve(note->held->charge(), note->bytes)) return nullptr;
  note->ordinary = true;
  note->note_until_ms = until_ms;
  note->only_ranges = only_ranges;
  return note;
}

bool Store::announce(Fill& fill, ObjectRef object, std::string names, std::string values) {
  std::lock_guard lock(fill.shard_->mutex);
  if (!fill.entry_ || cut(fill.entry_->key, *object)) return false;
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
  Keepsake kept;
  commit(fill, kept);
  save(kept);
}

void Store::commit(Fill& fill, Keepsake& kept) {
  Graveyard graves;
  auto variant = std::make_unique<Variant>();
  std::lock_guard lock(fill.shard_->mutex);
  if (!fill.entry_) return;
  Entry& entry = *fill.entry_;
  Shard& shard = *fill.shard_;
  if (fate(entry.key, *fill.object_).how == Purged::hard) {
    unlink(entry, fill);
    return drop_if_idle(shard, entry);
  }
  while (Variant* old = match(entry, fill.request_fields())) {
    variant->hits.fetch_add(old->hits.load(std::memory_order_relaxed), std::memory_order_relaxed);
    remove(*old, graves);
  }
  if (entry.note) remove(*entry.note, graves);
  if (entry.variants.size() >= max_variants) {
    remove(*entry.variants.front(), graves);
    counters_.evictions.fetch_add(1, std::memory_order_relaxed);
  }
  variant->object = fill.object_;
  variant->names = fill.names_;
  variant->values = fill.values_;
  outdate_load(shard, entry.hash);
  if (tier()) kept = {&shard, entry.hash, entry.key, fill.object_, fill.names_, fill.values_};
  unlink(entry, fill);
  insert(shard, entry, std::move(variant));
  counters_.fills.fetch_add(1, std::memory_order_relaxed);
}

void Store::replace(Fill& fill, ObjectRef fresh, std::string names) {
  Keepsake kept;
  replace(fill, std::move(fresh), std::move(names), kept);
  save(kept);
}

void Store::replace(Fill& fill, ObjectRef fresh, std::string names, Keepsake& kept) {
  Graveyard graves;
  ObjectRef old;
  std::string values;
  vary_values(names, fill.request_fields(), values);
  std::lock_guard lock(fill.shard_->mutex);
  if (!fill.entry_) return;
  Entry& entry = *fill.entry_;
  unlink(entry, fill);
  outdate_load(*fill.shard_, entry.hash);
  auto v = std::find_if(entry.variants.begin(), entry.variants.end(),
                        [&](const auto& known) { return known->object == fill.stale_; });
  const DiskTier* tier = this->tier();
  bool elsewhere = fill.stale_names_ != names || fill.stale_values_ != values;
  if (tier && elsewhere) outdate(*tier, entry.key, fill.stale_names_, fill.stale_values_, fresh->sequence());
  Variant* variant = nullptr;
  if (v != entry.variants.end()) {
    variant = v->get();
    if (elsewhere || !stands_for(*variant->object, *fresh)) variant->on_disk = 0;
    old = std::exchange(variant->object, std::move(fresh));
    variant->purges_seen = 0;
    variant->names = std::move(names);
    variant->values = std::move(values);
    residents_.touch(*variant);
    std::rotate(v, v + 1, entry.variants.end());  // of several that match, the most recent is used (RFC 9111 §4)
  } else if (const Variant* other = match(entry, fill.request_fields());
             !(other && other->object->sequence() > fill.sequence_) && fate(entry.key, *fresh).how != Purged::hard) {
    // It was evicted meanwhile.
    auto again = std::make_unique<Variant>();
    variant = again.get();
    variant->object = std::move(fresh);
    variant->names = std::move(names);
    variant->values = std::move(values);
    insert(*fill.shard_, entry, std::move(again));
  }
  if (variant && tier && variant->on_disk != tier->store)
    kept = {fill.shard_, entry.hash, entry.key, variant->object, variant->names, variant->values};
  if (variant) drop_older(entry, fill, variant, graves);
  drop_if_idle(*fill.shard_, entry);
}

void Store::drop_older(Entry& entry, const Fill& fill, const Variant* keep, Graveyard& graves) {
  const DiskTier* tier = this->tier();
  std::string values;
  for (size_t i = entry.variants.size(); i-- > 0;) {
    Variant& v = *entry.variants[i];
    values.clear();
    vary_values(v.names, fill.request_fields(), values);
    bool older = values == v.values && v.object->sequence() < fill.sequence_;
    if (&v == keep || !(older || v.object == fill.stale_)) continue;
    if (tier) outdate(*tier, entry.key, v.names, v.values, fill.sequence_);
    remove(v, graves);
  }
}

void Store::retire(Fill& fill, int64_t note_until_ms, bool drop_stale, bool only_ranges) {
  Graveyard graves;
  std::unique_ptr<Variant> note;
  if (note_until_ms > 0) note = make_note(fill, note_until_ms, only_ranges);
  std::lock_guard lock(fill.shard_->mutex);
  if (!fill.entry_) return;
  Entry& entry = *fill.entry_;
  unlink(entry, fill);
  if (drop_stale && fill.stale_) {
    outdate_load(*fill.shard_, entry.hash);
    drop_older(entry, fill, nullptr, graves);
    // It may have left memory meanwhile.
    if (const DiskTier* tier = this->tier())
      outdate(*tier, entry.key, fill.stale_names_, fill.stale_values_, fill.sequence_);
  }
  if (note && !entry.note) {
    note->entry = &entry;
    note->hash = entry.hash;
    note->shard = fill.shard_->number;
    residents_.admit(*note);
    entry.note = std::move(note);
  }
  drop_if_idle(*fill.shard_, entry);
}

void Store::pause_validation(Fill& fill, int64_t until_ms) {
  std::lock_guard lock(fill.shard_->mutex);
  if (fill.served_) fill.served_->validate_again_ms = until_ms;
}

// ── memory ──

void Store::weigh(uint64_t bytes) {
  if (unweighed_.fetch_add(bytes, std::memory_order_relaxed) + bytes < weigh_every_bytes) return;
  unweighed_.store(0, std::memory_order_relaxed);
  uint64_t slack = heap_slack_bytes();
  uint64_t budget = ledger_->budget.load(std::memory_order_relaxed);
  uint64_t borne = std::max(budget / slack_borne, least_slack_borne);
  ledger_->slack.store(slack > borne ? std::min(slack - borne, budget / 8 * 7) : 0, std::memory_order_relaxed);
}

bool Store::reserve(Charge& charge, uint64_t bytes) {
  weigh(bytes);
  if (charge.try_add(bytes)) return true;
  // What others take of what is freed here must not make one reservation empty the cache.
  uint64_t limit = std::max<uint64_t>(bytes * 4, 256 << 10);
  for (uint64_t freed = 0; freed < limit;) {
    if (!evict_one(freed)) break;
    if (charge.try_add(bytes)) return true;
  }
  return charge.try_add_lean(bytes);  // what the heap wastes goes little by little, and is no reason to refuse
}

bool Store::evict_one(uint64_t& freed) {
  Residents::Choice choice = residents_.choose();
  if (!choice.resident) return false;
  Graveyard graves;
  std::unique_ptr<Fragment> fragment;
  std::lock_guard lock(shards_[choice.shard]->mutex);
  if (!residents_.claim(choice)) return true;
  auto& variant = static_cast<Variant&>(*choice.resident);
  freed += variant.bytes;
  if (Entry* entry = variant.entry) {
    demote(*shards_[choice.shard], variant);
    remove(variant, graves);
    drop_if_idle(*shards_[choice.shard], *entry);
  } else {
    fragment = take(*shards_[choice.shard], static_cast<Fragment&>(variant));
  }
  counters_.evictions.fetch_add(1, std::memory_order_relaxed);
  return true;
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
  all_rules_.push_back(std::make_unique<Rules>(config));
  rules_.store(all_rules_.back().get(), std::memory_order_release);
  ledger_->budget = config.memory_bytes;
  residents_.change(part_of(config), config.memory_bytes);
  residents_charge_.release();
  residents_charge_.force(residents_.own_bytes());
  purges_.set_budget(config.purge_memory_bytes);
  purges_.rules_changed();
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
  s.promoted = c.promoted;
  Purges::Stats p = purges_.stats();
  s.purges = p.made;
  s.purge_entries = p.entries;
  s.purges_merged = p.merged;
  s.purge_log_errors = p.log_errors;
  if (const DiskTier* tier = this->tier()) s.disk = tier->disk->stats();
  return s;
}

}  // namespace portolan::edge
