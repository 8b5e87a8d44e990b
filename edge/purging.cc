// Purges, and what they are asked about.
#include <algorithm>

#include "edge/collapse/fill.hh"
#include "edge/memory.hh"
#include "edge/purge/digest.hh"

namespace portolan::edge {
namespace {

constexpr size_t buckets_a_turn = 256;  // looked at under one hold of a shard's lock
constexpr int most_walks = 4;           // of a shard whose table grows meanwhile

std::string key_of_url(const Rules& rules, std::string_view text) {
  std::string key;
  std::optional<Url> url = parse_url(text);
  if (!url) return key;
  std::optional<std::string_view> query;
  if (url->query) query = *url->query;
  compose_url_key(rules, url->scheme, url->authority, url->path, query, key);
  return key;
}

}  // namespace

void Store::begin_purges() {
  Purges::Hooks hooks;
  hooks.next_sequence = [this] { return next_sequence(); };
  hooks.begin_sequence = [this](uint64_t at_least) { begin_sequence(at_least); };
  hooks.oldest_stored = [this] { return oldest_stored(); };
  hooks.wait_for_readers = [this] {
    for (auto& shard : shards_) std::lock_guard lock(shard->mutex);
  };
  hooks.url_digest = [this](const std::string& url) { return url_digest(key_of_url(rules(), url)); };
  purges_.use(std::move(hooks));
}

void Store::begin_sequence(uint64_t at_least) {
  uint64_t now = sequence_.load(std::memory_order_acquire);
  while (now < at_least && !sequence_.compare_exchange_weak(now, at_least, std::memory_order_acq_rel)) {
  }
}

PurgeReceipt Store::purge(const Purge& purge, int64_t now_ms, std::function<void(Status)> durable) {
  PurgeReceipt receipt;
  receipt.number = purges_.add(purge, now_ms, std::move(durable)).number;
  if (purge.kind == PurgeKind::url && !purge.soft) {
    receipt.removed = purge_key(key_of_url(rules(), purge.value));
    counters_.purged.fetch_add(receipt.removed, std::memory_order_relaxed);
  }
  return receipt;
}

void Store::keep_purges(PurgeLog::Opened opened) {
  purges_.attach(std::move(opened), [weak = weak_from_this()]() -> std::optional<PurgeImage> {
    if (auto store = weak.lock()) return store->purges_.image();
    return std::nullopt;
  });
}

PurgeClock::Verdict Store::fate(std::string_view key, const Object& object) const {
  if (groups_.cut(object.groups(), object.sequence())) return {Purged::hard, 0};
  return purges_.clock().check(key, object.tags(), object.sequence());
}

bool Store::survives_purges(Variant& variant, int64_t now_ms) {
  uint64_t generation = purges_.clock().generation();
  PurgeClock::Verdict found = fate(variant.entry->key, *variant.object);
  if (found.how == Purged::hard) {
    counters_.purged.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (found.how == Purged::soft)
    variant.object = ObjectBuilder::stale_since(variant.object, std::min(found.at_ms, now_ms));
  variant.purges_seen = generation;
  return true;
}

bool Store::stale_is_gone(const Fill& fill) const {
  std::lock_guard lock(fill.shard_->mutex);
  return fill.entry_ && fate(fill.entry_->key, *fill.stale_).how == Purged::hard;
}

// ── what purges needn't be remembered for ──

// Of some buckets, the lock held: the oldest that is left when what was purged is gone.
void Store::sweep(Shard& shard, size_t from, size_t to, uint64_t& oldest, Graveyard& graves) {
  std::vector<Variant*> purged;
  for (; from < to; ++from)
    for (auto it = shard.entries.begin(from); it != shard.entries.end(from); ++it) {
      const Entry& e = *it->second;
      for (const auto& v : e.variants) {
        bool gone = fate(e.key, *v->object).how == Purged::hard;
        if (gone) purged.push_back(v.get());
        if (!gone) oldest = std::min(oldest, v->object->sequence());
      }
      for (const Fill* fills : {e.shared_fills, e.private_fills})
        for (const Fill* f = fills; f; f = f->next_)
          oldest = std::min({oldest, f->sequence_, f->stale_ ? f->stale_->sequence() : f->sequence_});
    }
  for (Variant* v : purged) {
    Entry& entry = *v->entry;
    remove(*v, graves);
    drop_if_idle(shard, entry);
  }
  counters_.purged.fetch_add(purged.size(), std::memory_order_relaxed);
}

// False: the table grew meanwhile, and all of it has to be looked at again.
bool Store::find_oldest(Shard& shard, uint64_t& oldest) {
  size_t buckets = 0;
  for (size_t bucket = 0;;) {
    Graveyard graves;
    std::lock_guard lock(shard.mutex);
    if (bucket == 0) buckets = shard.entries.bucket_count();
    if (buckets != shard.entries.bucket_count()) return false;
    size_t end = std::min(bucket + buckets_a_turn, buckets);
    sweep(shard, std::exchange(bucket, end), end, oldest, graves);
    if (bucket == buckets) return true;
  }
}

uint64_t Store::oldest_stored() {
  uint64_t oldest = sequence_.load(std::memory_order_acquire) + 1;
  for (auto& shard : shards_) {
    bool whole = false;
    for (int walk = 0; walk < most_walks && !whole; ++walk) whole = find_oldest(*shard, oldest);
    if (!whole) return 0;
  }
  return oldest;
}

}  // namespace portolan::edge
