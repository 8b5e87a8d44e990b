#pragma once
// Where each record stands, in RAM: eight bytes an object and what a hash table leaves empty. An entry holds 39 bits of the
// key (13 say in which shard it is), the place, how often it was used, and whether its body was verified since the start.
// Keys that agree in those 39 bits displace each other; the record's head tells them apart. What was buried leaves a ghost
// of itself: a tag has one slot, be it an entry's or a ghost's. A shard grows by a quarter when an entry finds both its
// buckets full, so that memory follows the number of objects in small steps and no growth takes longer than some ten
// microseconds; at its limit an entry of little use gives way.
//
// Thread-safe: short locks, a stripe of the shards each. No I/O.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "edge/disk/format.hh"

namespace portolan::edge::disk {

class Index {
 public:
  static constexpr unsigned shard_bits = 13, tag_bits = 26;
  static constexpr uint32_t shards = 1u << shard_bits;
  static constexpr unsigned most_frequency = 3;
  // An entry, from the top: the tag, whether verified, the frequency, the segment, the unit. Unit 0 is no record's, so no
  // entry is 0.
  static constexpr unsigned unit_bits = 16, segment_bits = 19, frequency_at = unit_bits + segment_bits,
                            verified_at = frequency_at + 2;
  static_assert(verified_at + 1 + tag_bits == 64);

  // What is kept of a key.
  struct Name {
    uint32_t shard = 0, tag = 0;
  };
  static Name name_of(Key key) {
    return {static_cast<uint32_t>(key.high >> (64 - shard_bits)),
            static_cast<uint32_t>(key.high >> (64 - shard_bits - tag_bits)) & ((1u << tag_bits) - 1)};
  }

  struct Entry {
    Place place;
    unsigned frequency = 0;
    bool verified = false;
  };
  static uint64_t pack(uint32_t tag, const Entry& entry);
  static Entry unpack(uint64_t packed);
  static uint32_t tag_of(uint64_t packed) { return static_cast<uint32_t>(packed >> (64 - tag_bits)); }

  explicit Index(uint64_t most_bytes) : most_bytes_(most_bytes) {}
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  std::optional<Entry> find(Name name) const;
  bool has(Name name) const { return find(name).has_value(); }
  // What was there of this name before, and what had to give way.
  struct Displaced {
    std::optional<Place> before, evicted;
  };
  Displaced put(Name name, const Entry& entry);
  // All of a shard's entries at once, of names that aren't there yet; those that are, and those for which something had to
  // give way, are added to `left_over`.
  void fill(uint32_t shard, std::span<const uint64_t> entries, std::vector<uint64_t>& left_over);
  // The entry, if it still is the one at `from`. False: it is not.
  bool move(Name name, Place from, const Entry& to);
  bool erase(Name name, Place from);
  std::optional<Place> erase(Name name);
  uint64_t erase_segment(uint32_t segment);  // all that lead there; walks the whole index
  // As erase(), but remembers that it went, and at which turn (1 to most_turns - 1, counted round). went_at() tells, until
  // the place is needed; 0: nothing is known.
  bool bury(Name name, Place from, uint32_t turn);
  uint32_t went_at(Name name) const;
  static constexpr uint32_t most_turns = 1u << 19;
  void touch(Name name);
  void set_verified(Name name, Place place);
  void forget_verified();  // of all
  // The entries of a shard as they are kept; 0 is none of them.
  void copy(uint32_t shard, std::vector<uint64_t>& out) const;
  void clear();
  uint64_t objects() const { return objects_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return sizeof *this + table_bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr unsigned slots = 8, stripes = 256;
  struct alignas(64) Bucket {
    std::array<uint64_t, slots> entries{};
  };
  struct Shard {
    std::unique_ptr<Bucket[]> buckets;
    uint32_t count = 0;  // of buckets
  };
  static std::pair<uint32_t, uint32_t> buckets_of(uint32_t tag, uint32_t count);
  static uint64_t* slot_of(const Shard& shard, uint32_t tag);
  static uint64_t* entry_of(const Shard& shard, uint32_t tag);
  static bool is_ghost(uint64_t packed) { return packed != 0 && (packed & ((1u << unit_bits) - 1)) == 0; }
  static bool place_in(Shard& shard, uint64_t packed);
  bool grow(Shard& shard, uint64_t packed);
  bool resize(Shard& shard, uint32_t count, uint64_t packed);
  static uint64_t evict_for(Shard& shard, uint64_t packed);
  std::mutex& lock_of(uint32_t shard) const { return locks_[shard % stripes].mutex; }

  struct alignas(64) Lock {
    std::mutex mutex;
  };
  mutable std::array<Lock, stripes> locks_;
  std::array<Shard, shards> shards_;
  const uint64_t most_bytes_;
  std::atomic<uint64_t> objects_{0}, table_bytes_{0};
};

}  // namespace portolan::edge::disk
