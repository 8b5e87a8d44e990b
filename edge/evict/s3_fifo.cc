// S3-FIFO (Yang et al., SOSP '23), made aware of sizes. New ones go to a small queue of a tenth of the memory, and from
// there to the main queue when they were used meanwhile, or out; who comes back soon after that goes to main at once. Main
// takes its oldest, and puts it at the end again as often as it was used.
//
// What is the oldest is a matter of size: each of the two is a set of queues, one for every half power of two, and an
// entry's rank is the rank of what left last when it came plus what it is worth, one use a byte (as in GDSF). So a small one
// stays longer than a large one. Where all have one size there is one queue, and the order is S3-FIFO's.
#include <algorithm>
#include <bit>

#include "edge/evict/ghost.hh"
#include "edge/evict/policy.hh"

namespace portolan::edge {
namespace {

class Side {
 public:
  bool empty() const { return used_ == 0; }
  uint64_t bytes() const { return bytes_; }
  uint64_t count() const { return count_; }

  void push(Resident& r, uint64_t worth_bytes) {
    size_t size_class = class_of(r.bytes);
    r.rank = rank_ + (uint64_t{1} << 40) / worth_bytes;
    queues_[size_class].push(r);
    used_ |= uint64_t{1} << size_class;
    bytes_ += r.bytes;
    ++count_;
  }

  void remove(Resident& r) {
    size_t size_class = class_of(r.bytes);
    queues_[size_class].remove(r);
    if (!queues_[size_class].oldest()) used_ &= ~(uint64_t{1} << size_class);
    bytes_ -= r.bytes;
    --count_;
  }

  // The lowest in rank of the oldest; there must be one.
  Resident& take() {
    Resident* least = nullptr;
    for (uint64_t left = used_; left; left &= left - 1) {
      Resident* r = queues_[std::countr_zero(left)].oldest();
      if (!least || r->rank <= least->rank) least = r;
    }
    remove(*least);
    rank_ = std::max(rank_, least->rank);
    return *least;
  }

 private:
  static size_t class_of(uint32_t bytes) {
    uint32_t b = std::max<uint32_t>(bytes, 2);
    size_t top = static_cast<size_t>(std::bit_width(b)) - 1;
    return top * 2 + (b >> (top - 1) & 1);
  }

  ResidentQueue queues_[64];
  uint64_t used_ = 0;  // a bit a queue that isn't empty
  uint64_t rank_ = 0;
  uint64_t bytes_ = 0;
  uint64_t count_ = 0;
};

class S3Fifo final : public Eviction {
 public:
  explicit S3Fifo(uint64_t budget_bytes) : ghost_(budget_bytes / budget_a_ghost) {}

  void admit(Resident& r) override { push(ghost_.take(r.hash) ? main : small, r); }

  Resident* take() override {
    for (int spared = 0;; ++spared) {
      bool from_small = small_is_due();
      Side& side = sides_[from_small ? small : main];
      if (side.empty()) return nullptr;
      Resident& r = side.take();
      uint8_t uses = r.uses.load(std::memory_order_relaxed);
      if (uses == 0 || spared == most_spared) {
        if (from_small) ghost_.add(r.hash, (count() + 1) * ghosts_a_resident);
        return &r;
      }
      r.uses.store(from_small ? 0 : uses - 1, std::memory_order_relaxed);
      push(main, r);
    }
  }

  void forget(Resident& r) override { sides_[r.queue].remove(r); }
  void resize(uint64_t budget_bytes) override { ghost_ = Ghost(budget_bytes / budget_a_ghost); }
  uint64_t own_bytes() const override { return ghost_.own_bytes(); }

 private:
  enum : uint8_t { small, main };
  static constexpr uint64_t budget_a_ghost = 128;  // room for two a resident of 2 KiB
  static constexpr uint64_t least_queue = 32;      // a tenth of few is too short a trial
  static constexpr uint64_t ghosts_a_resident = 2;
  static constexpr int most_spared = 64;  // in a row: the lock is held meanwhile

  uint64_t bytes() const { return sides_[small].bytes() + sides_[main].bytes(); }
  uint64_t count() const { return sides_[small].count() + sides_[main].count(); }

  void push(uint8_t queue, Resident& r) {
    r.queue = queue;
    uint64_t average = count() ? bytes() / count() : r.bytes;
    sides_[queue].push(r, std::max<uint64_t>(r.ordinary ? average : r.bytes, 1));
  }

  bool small_is_due() const {
    const Side& s = sides_[small];
    if (sides_[main].empty()) return true;
    return s.bytes() * 10 > bytes() && (s.count() > least_queue || s.bytes() * 2 > bytes());
  }

  Side sides_[2];
  Ghost ghost_;
};

const Registration<EvictionPart> registered{
    {"s3-fifo", [](uint64_t budget) -> std::unique_ptr<Eviction> { return std::make_unique<S3Fifo>(budget); }}};

}  // namespace
}  // namespace portolan::edge
