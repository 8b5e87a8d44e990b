#include "edge/disk/index.hh"

#include <algorithm>
#include <utility>

namespace portolan::edge::disk {
namespace {

Place place_in_entry(uint64_t packed) {
  return {static_cast<uint32_t>(packed >> Index::unit_bits) & ((1u << Index::segment_bits) - 1),
          static_cast<uint32_t>(packed) & ((1u << Index::unit_bits) - 1)};
}

}  // namespace

uint64_t Index::pack(uint32_t tag, const Entry& entry) {
  return static_cast<uint64_t>(tag) << (64 - tag_bits) | static_cast<uint64_t>(entry.verified) << verified_at |
         static_cast<uint64_t>(entry.frequency) << frequency_at |
         static_cast<uint64_t>(entry.place.segment) << unit_bits | entry.place.unit;
}

Index::Entry Index::unpack(uint64_t packed) {
  return {place_in_entry(packed), static_cast<unsigned>(packed >> frequency_at) & most_frequency,
          (packed >> verified_at & 1) != 0};
}

std::pair<uint32_t, uint32_t> Index::buckets_of(uint32_t tag, uint32_t count) {
  uint32_t other = tag * 0x9E3779B1u;
  other ^= other >> 15;
  other *= 0x85EBCA77u;
  return {static_cast<uint32_t>(static_cast<uint64_t>(tag) * count >> tag_bits),
          static_cast<uint32_t>(static_cast<uint64_t>(other) * count >> 32)};
}

uint64_t* Index::slot_of(const Shard& shard, uint32_t tag) {
  if (shard.count == 0) return nullptr;
  auto [first, second] = buckets_of(tag, shard.count);
  for (uint32_t at : {first, second})
    for (uint64_t& entry : shard.buckets[at].entries)
      if (tag_of(entry) == tag && entry != 0) return &entry;
  return nullptr;
}

// The same, but no ghost.
uint64_t* Index::entry_of(const Shard& shard, uint32_t tag) {
  uint64_t* slot = slot_of(shard, tag);
  return slot && !is_ghost(*slot) ? slot : nullptr;
}

// Into the emptier of its buckets; where both are full, instead of a ghost.
bool Index::place_in(Shard& shard, uint64_t packed) {
  if (shard.count == 0) return false;
  auto [first, second] = buckets_of(tag_of(packed), shard.count);
  auto& one = shard.buckets[first].entries;
  auto& two = shard.buckets[second].entries;
  auto free = [](const auto& entries) { return std::count(entries.begin(), entries.end(), 0ull); };
  auto& better = free(one) >= free(two) ? one : two;
  if (auto slot = std::find(better.begin(), better.end(), 0ull); slot != better.end()) {
    *slot = packed;
    return true;
  }
  for (auto* bucket : {&one, &two}) {
    auto slot = std::find_if(bucket->begin(), bucket->end(), is_ghost);
    if (slot == bucket->end()) continue;
    *slot = packed;
    return true;
  }
  return false;
}

// With one entry more, or with none if that is 0.
bool Index::resize(Shard& shard, uint32_t least, uint64_t packed) {
  for (uint32_t count = least;; count += std::max(1u, count / 16)) {
    uint64_t more = (count - shard.count) * sizeof(Bucket);
    if (table_bytes_.load(std::memory_order_relaxed) + more + sizeof *this > most_bytes_) return false;
    Shard larger{std::make_unique<Bucket[]>(count), count};
    bool all = packed == 0 || place_in(larger, packed);
    for (uint32_t i = 0; i < shard.count && all; ++i)
      for (uint64_t entry : shard.buckets[i].entries)
        all = all && (entry == 0 || is_ghost(entry) || place_in(larger, entry));
    if (!all) continue;
    table_bytes_.fetch_add(more, std::memory_order_relaxed);
    shard = std::move(larger);
    return true;
  }
}

bool Index::grow(Shard& shard, uint64_t packed) {
  return resize(shard, shard.count + std::max(1u, shard.count / 4), packed);
}

void Index::fill(uint32_t number, std::span<const uint64_t> entries, std::vector<uint64_t>& left_over) {
  std::lock_guard lock(lock_of(number));
  Shard& shard = shards_[number];
  // Buckets filled to four fifths.
  auto wanted = static_cast<uint32_t>(entries.size() * 10 / 64 + 1);
  if (wanted > shard.count) resize(shard, wanted, 0);  // where it can't, it grows as far as it may
  uint64_t added = 0;
  for (uint64_t entry : entries) {
    uint64_t* slot = slot_of(shard, tag_of(entry));
    if (slot ? !is_ghost(*slot) : !place_in(shard, entry) && !grow(shard, entry)) {
      left_over.push_back(entry);
      continue;
    }
    if (slot) *slot = entry;
    ++added;
  }
  objects_.fetch_add(added, std::memory_order_relaxed);
}

// Puts the entry where the least used of its buckets' entries is, and returns that; of nothing else there is, itself.
uint64_t Index::evict_for(Shard& shard, uint64_t packed) {
  if (shard.count == 0) return packed;
  auto [first, second] = buckets_of(tag_of(packed), shard.count);
  uint64_t* least = nullptr;
  for (uint32_t at : {first, second})
    for (uint64_t& entry : shard.buckets[at].entries)
      if (!least || unpack(entry).frequency < unpack(*least).frequency) least = &entry;
  return std::exchange(*least, packed);
}

std::optional<Index::Entry> Index::find(Name name) const {
  std::lock_guard lock(lock_of(name.shard));
  const uint64_t* slot = entry_of(shards_[name.shard], name.tag);
  if (!slot) return std::nullopt;
  return unpack(*slot);
}

Index::Displaced Index::put(Name name, const Entry& entry) {
  std::lock_guard lock(lock_of(name.shard));
  Shard& shard = shards_[name.shard];
  uint64_t packed = pack(name.tag, entry);
  uint64_t* slot = slot_of(shard, name.tag);
  uint64_t before = slot ? std::exchange(*slot, packed) : 0;
  if (slot && !is_ghost(before)) return {place_in_entry(before), std::nullopt};
  if (slot || place_in(shard, packed) || grow(shard, packed)) {
    objects_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  return {std::nullopt, place_in_entry(evict_for(shard, packed))};
}

bool Index::move(Name name, Place from, const Entry& to) {
  std::lock_guard lock(lock_of(name.shard));
  uint64_t* slot = entry_of(shards_[name.shard], name.tag);
  if (!slot || !(place_in_entry(*slot) == from)) return false;
  *slot = pack(name.tag, to);
  return true;
}

bool Index::erase(Name name, Place from) {
  std::lock_guard lock(lock_of(name.shard));
  uint64_t* slot = entry_of(shards_[name.shard], name.tag);
  if (!slot || !(place_in_entry(*slot) == from)) return false;
  *slot = 0;
  objects_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

std::optional<Place> Index::erase(Name name) {
  std::lock_guard lock(lock_of(name.shard));
  uint64_t* slot = entry_of(shards_[name.shard], name.tag);
  if (!slot) return std::nullopt;
  objects_.fetch_sub(1, std::memory_order_relaxed);
  return place_in_entry(std::exchange(*slot, 0));
}

bool Index::bury(Name name, Place from, uint32_t turn) {
  std::lock_guard lock(lock_of(name.shard));
  uint64_t* slot = entry_of(shards_[name.shard], name.tag);
  if (!slot || !(place_in_entry(*slot) == from)) return false;
  *slot = pack(name.tag, {{turn, 0}, 0, false});
  objects_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

uint32_t Index::went_at(Name name) const {
  std::lock_guard lock(lock_of(name.shard));
  const uint64_t* slot = slot_of(shards_[name.shard], name.tag);
  return slot && is_ghost(*slot) ? place_in_entry(*slot).segment : 0;
}

uint64_t Index::erase_segment(uint32_t segment) {
  uint64_t gone = 0;
  for (uint32_t i = 0; i < shards; ++i) {
    std::lock_guard lock(lock_of(i));
    for (uint32_t b = 0; b < shards_[i].count; ++b)
      for (uint64_t& entry : shards_[i].buckets[b].entries)
        if (entry != 0 && !is_ghost(entry) && place_in_entry(entry).segment == segment) {
          entry = 0;
          ++gone;
        }
  }
  objects_.fetch_sub(gone, std::memory_order_relaxed);
  return gone;
}

void Index::touch(Name name) {
  std::lock_guard lock(lock_of(name.shard));
  uint64_t* slot = entry_of(shards_[name.shard], name.tag);
  if (slot && unpack(*slot).frequency < most_frequency) *slot += 1ull << frequency_at;
}

void Index::set_verified(Name name, Place place) {
  std::lock_guard lock(lock_of(name.shard));
  uint64_t* slot = entry_of(shards_[name.shard], name.tag);
  if (slot && place_in_entry(*slot) == place) *slot |= 1ull << verified_at;
}

void Index::forget_verified() {
  for (uint32_t i = 0; i < shards; ++i) {
    std::lock_guard lock(lock_of(i));
    for (uint32_t b = 0; b < shards_[i].count; ++b)
      for (uint64_t& entry : shards_[i].buckets[b].entries) entry &= ~(1ull << verified_at);
  }
}

void Index::copy(uint32_t shard, std::vector<uint64_t>& out) const {
  std::lock_guard lock(lock_of(shard));
  const Shard& from = shards_[shard];
  for (uint32_t i = 0; i < from.count; ++i)
    for (uint64_t entry : from.buckets[i].entries)
      if (entry != 0 && !is_ghost(entry)) out.push_back(entry);
}

void Index::clear() {
  for (uint32_t i = 0; i < shards; ++i) {
    std::lock_guard lock(lock_of(i));
    uint64_t count = 0;
    Shard& shard = shards_[i];
    for (uint32_t b = 0; b < shard.count; ++b)
      for (uint64_t entry : shard.buckets[b].entries) count += entry != 0 && !is_ghost(entry);
    objects_.fetch_sub(count, std::memory_order_relaxed);
    table_bytes_.fetch_sub(shard.count * sizeof(Bucket), std::memory_order_relaxed);
    shard = {};
  }
}

}  // namespace portolan::edge::disk
