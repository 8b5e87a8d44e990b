#pragma once
// What is purged, in memory: for each thing that was purged the number of the latest time. Nothing is searched for; an
// object asks whether something that fits it was purged later than its fetch began. That costs a hash probe for each name
// the object has, and one comparison where nothing was purged since it asked last (generation()).
//
// Exact: names are 64-bit digests in a table without shared slots; only those that memory is short for share some. Threads: check(), generation() any, *with a shard's
// lock held*, whichever: a table that was replaced is freed once every shard's lock has been free for a moment. All else:
// one at a time (Purges has the lock).
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "edge/purge/purge.hh"

namespace portolan::edge {

enum class Purged : uint8_t { no, soft, hard };

class PurgeClock {
 public:
  struct Verdict {
    Purged how = Purged::no;
    int64_t at_ms = 0;  // soft: when, wall clock
  };
  // Everything below these numbers is purged.
  struct Floors {
    uint64_t hard = 0, soft = 0;
    int64_t soft_ms = 0;
    bool operator==(const Floors&) const = default;
  };
  // A name and how it was purged.
  struct Mark {
    uint64_t digest = 0;
    uint32_t path = 0;  // of a prefix: its length
    bool soft = false;
    int64_t at_ms = 0;
  };

  PurgeClock();
  ~PurgeClock();
  PurgeClock(const PurgeClock&) = delete;
  PurgeClock& operator=(const PurgeClock&) = delete;

  // Changes with every purge: who was found unpurged still is while it hasn't.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  // The latest; 0: there never was one.
  uint64_t latest() const { return latest_.load(std::memory_order_acquire); }
  // Wall clock; for what isn't numbered.
  int64_t latest_ms() const { return latest_ms_.load(std::memory_order_acquire); }
  // `key`: an entry's, of compose_key(). `sequence`: Object::sequence(), or that of a fetch.
  Verdict check(std::string_view key, const PurgeTags& tags, uint64_t sequence) const;

  // The number comes from `next`, asked for once the mark is there already: whoever gets a higher one sees it. Returns it.
  uint64_t add(const Mark& mark, const std::function<uint64_t()>& next);
  uint64_t add_all(bool soft, int64_t at_ms, const std::function<uint64_t()>& next);
  // For want of memory: whatever has a name that shares a slot with this one counts as purged, too. `slots` are made when
  // this is called first: a power of two. Not for prefixes, nor for soft ones.
  void blur(uint64_t digest, uint64_t sequence, size_t slots);
  uint64_t blurred() const { return blurred_; }  // the latest number of those; 0: there is none
  // As it was, with its number.
  void restore(const Mark& mark, uint64_t sequence);
  void raise(const Floors& floors);  // never lower than they are
  Floors floors() const;
  // Forgets all marks but those restored by `fill`, once `floors` hold.
  void rebuild(const Floors& floors, const std::function<void(PurgeClock&)>& fill);
  // Tables that were replaced: to be destroyed after every reader of before has let go of its lock.
  std::vector<std::shared_ptr<void>> take_retired() { return std::move(retired_); }
  uint64_t bytes() const;
  uint64_t blurred_bytes() const { return blurry_owned_ ? (blurry_owned_->mask + 1) * sizeof(uint64_t) : 0; }

 private:
  struct Slot {
    std::atomic<uint64_t> digest{0};  // 0: empty; written last
    std::atomic<uint64_t> hard{0}, soft{0};
    std::atomic<int64_t> soft_ms{0};
  };
  struct Table {
    explicit Table(size_t size) : mask(size - 1), slots(new Slot[size]) {}
    size_t mask;
    size_t used = 0;  // by the writer
    std::unique_ptr<Slot[]> slots;
    std::array<std::atomic<uint64_t>, Purge::longest_path / 64> lengths{};  // of prefixes; bit n: n + 1 bytes
    std::atomic<bool> prefixes{false};
  };
  struct Blurry {
    explicit Blurry(size_t size) : mask(size - 1), numbers(new std::atomic<uint64_t>[size] {}) {}
    size_t mask;
    std::unique_ptr<std::atomic<uint64_t>[]> numbers;
  };
  struct Search;
  Slot& slot_for(Table& table, uint64_t digest);
  Table& room_for_one();
  void set(Slot& slot, const Mark& mark, uint64_t sequence);
  void note_path(Table& table, uint32_t path);
  void changed() { generation_.fetch_add(1, std::memory_order_acq_rel); }
  void see(uint64_t sequence, int64_t at_ms);

  std::atomic<uint64_t> generation_{0}, latest_{0};
  std::atomic<int64_t> latest_ms_{0};
  std::atomic<uint64_t> hard_floor_{0}, soft_floor_{0};
  std::atomic<int64_t> soft_floor_ms_{0};
  std::atomic<Table*> table_{nullptr};
  std::shared_ptr<Table> owned_;
  std::atomic<Blurry*> blurry_{nullptr};
  std::unique_ptr<Blurry> blurry_owned_;
  uint64_t blurred_ = 0;
  std::vector<std::shared_ptr<void>> retired_;
};

}  // namespace portolan::edge
