#pragma once
// A rate limit: for each key a token bucket, exact across workers, in a table of fixed size. Outlives snapshots, so that
// a reload which doesn't change the limit gives nobody a full bucket.
//
// A bucket is one word: whose it is (24 bits of a keyed hash) and when it will be full again (40 bits of time). That
// moment is all there is to know of it (the generic cell rate algorithm, ITU-T I.371), so taking a token is one
// compare-and-swap, and a bucket whose moment has passed is as good as none. Keys hash to sets of 16 buckets, of which
// there are twice as many as `entries`; a new key takes an unused or full one, else the one that is nearest to full.
//
// Any thread; no lock; take() allocates nothing.
#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/base/address.hh"
#include "core/crypto/keyed_hash.hh"
#include "core/http/message.hh"
#include "proxy/admit/config.hh"
#include "proxy/admit/slots.hh"

namespace portolan::proxy {

class Limiter {
 public:
  explicit Limiter(const LimitConfig& config);

  // Whom a request counts as, in a form for take().
  uint64_t key_of(const http::RequestHead& head, const IpAddress& client) const;

  // How long to wait until a token is there, in microseconds; 0: one was there and is taken. `now_us` is monotonic and the
  // same clock for all callers, who may read it a little late.
  int64_t take(uint64_t key, int64_t now_us);
  void give_back(uint64_t key, int64_t now_us);  // the last one taken: it was not used

  const LimitConfig& config() const { return config_; }
  size_t capacity() const { return slots_.size(); }

 private:
  static constexpr size_t ways = 16;
  static constexpr unsigned time_bits = 40;
  static constexpr uint64_t time_mask = (uint64_t{1} << time_bits) - 1;
  // Ticks after which what is full is cleared away, long before times of 40 bits could be mistaken for others.
  static constexpr int64_t sweep_ticks = int64_t{1} << 38;

  struct Found {
    uint64_t* slot = nullptr;    // of the key
    uint64_t* second = nullptr;  // of the key as well: two workers met it first at the same time
    uint64_t* victim = nullptr;  // for the key, where it has none
    uint64_t word = 0, second_word = 0, victim_word = 0;
  };
  int64_t ticks(int64_t us) const { return us << shift_; }
  // Ticks until a bucket is full.
  int64_t debt(uint64_t word, int64_t now) const {
    uint64_t ahead = (word - static_cast<uint64_t>(now)) & time_mask;
    return ahead > time_mask / 2 ? 0 : static_cast<int64_t>(ahead);
  }
  uint64_t word_of(uint64_t key, int64_t full_at) const {
    return (key >> time_bits) << time_bits | (static_cast<uint64_t>(full_at) & time_mask);
  }
  Found find(uint64_t key, int64_t now) const;
  void merge(const Found& found, int64_t now);
  void sweep(int64_t now, int64_t last);

  LimitConfig config_;
  crypto::HashKey address_key_, value_key_;
  unsigned shift_ = 0;  // ticks in a microsecond, as a power of two
  int64_t cost_;        // ticks a token takes to come
  int64_t depth_;       // ticks an empty bucket takes to be full
  Slots slots_;
  std::atomic<int64_t> swept_{-1};  // when; -1: nobody has asked yet
};

}  // namespace portolan::proxy
