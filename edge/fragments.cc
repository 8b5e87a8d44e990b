// The store's fragments: in the shards by their own keys, evicted like any other resident.
#include <xxhash.h>

#include <algorithm>

#include "edge/collapse/run.hh"
#include "edge/memory.hh"

namespace portolan::edge {

Shard& Store::shard_of(FragmentKey key, uint64_t& hash) {
  uint64_t words[2] = {key.object, key.number};
  hash = XXH3_64bits_withSeed(words, sizeof words, seed_);
  return shard_of(hash);
}

Store::FragmentFound Store::find_fragment(FragmentKey key) {
  uint64_t hash = 0;
  Shard& shard = shard_of(key, hash);
  std::unique_ptr<Fragment> gone;  // dies after the lock
  std::lock_guard lock(shard.mutex);
  auto it = shard.fragments.find(key);
  if (it == shard.fragments.end()) return {};
  Fragment& fragment = *it->second;
  if (fragment.held->on_disk() && !fragment.held->hold()) {  // its place on the disk is another's by now
    gone = take(shard, fragment);
    return {};
  }
  if (fragment.whole) {
    residents_.touch(fragment);
    used(fragment);
  }
  return {fragment.held, fragment.run.lock()};
}

bool Store::has_fragment(FragmentKey key) {
  uint64_t hash = 0;
  Shard& shard = shard_of(key, hash);
  std::lock_guard lock(shard.mutex);
  return shard.fragments.contains(key);
}

bool Store::begin_fragment(FragmentKey key, std::shared_ptr<Content> content, const std::shared_ptr<Run>& run) {
  auto fragment = std::make_unique<Fragment>();
  fragment->key = key;
  fragment->run = run;
  fragment->held = std::move(content);
  fragment->loading = !run;
  Shard& shard = shard_of(key, fragment->hash);
  std::lock_guard lock(shard.mutex);
  return shard.fragments.try_emplace(key, std::move(fragment)).second;
}

void Store::keep_fragment(FragmentKey key, const Content& content) {
  if (content.phase() != Content::Phase::complete) return;  // nobody waited for the disk any more
  if (!content.on_disk()) save_fragment(key, content);
  uint64_t hash = 0;
  Shard& shard = shard_of(key, hash);
  std::lock_guard lock(shard.mutex);
  auto it = shard.fragments.find(key);
  if (it == shard.fragments.end() || it->second->held.get() != &content) return;
  Fragment& fragment = *it->second;
  fragment.run.reset();
  fragment.bytes = static_cast<uint32_t>(std::min<uint64_t>(fragment.held->charge().held(), UINT32_MAX));
  fragment.whole = true;
  fragment.shard = shard.number;
  residents_.admit(fragment);
  counters_.fragments.fetch_add(1, std::memory_order_relaxed);
}

void Store::drop_fragment(FragmentKey key, const Content& content) {
  uint64_t hash = 0;
  Shard& shard = shard_of(key, hash);
  std::unique_ptr<Fragment> gone;  // dies after the lock
  std::lock_guard lock(shard.mutex);
  auto it = shard.fragments.find(key);
  if (it != shard.fragments.end() && it->second->held.get() == &content) gone = take(shard, *it->second);
}

std::unique_ptr<Fragment> Store::take(Shard& shard, Fragment& fragment) {
  if (fragment.whole) {
    residents_.forget(fragment);
    counters_.fragments.fetch_sub(1, std::memory_order_relaxed);
  }
  auto it = shard.fragments.find(fragment.key);
  std::unique_ptr<Fragment> taken = std::move(it->second);
  shard.fragments.erase(it);
  return taken;
}

Variant* Store::head_of(const Parts& parts) {
  auto it = parts.shard_->entries.find(KeyHash{parts.entry_key_, parts.entry_hash_});
  if (it == parts.shard_->entries.end()) return nullptr;
  for (const auto& variant : it->second->variants)
    if (variant->object->parts().get() == &parts) return variant.get();
  return nullptr;
}

void Store::touch(Parts& parts) {
  if (!parts.shard_) return;
  std::lock_guard lock(parts.shard_->mutex);
  Variant* head = head_of(parts);
  if (!head) return;
  residents_.keep(*head);
  if (++parts.touches_ % hits_a_touch == 0) touch_on_disk(*head);
}

void Store::outdate(Parts& parts) {
  if (parts.outdated_.exchange(true) || !parts.shard_) return;
  Graveyard graves;
  std::lock_guard lock(parts.shard_->mutex);
  Variant* head = head_of(parts);
  if (!head) return;
  Entry& entry = *head->entry;
  remove(*head, graves);
  drop_if_idle(*parts.shard_, entry);
}

}  // namespace portolan::edge
