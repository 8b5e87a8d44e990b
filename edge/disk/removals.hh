#pragma once
// What was removed while nobody knew what a store holds: before its index was read to the end, or while it was aside. What a
// recovery finds of it stays away. Some thousand names cost nothing but these; of very many also others stay away
// (a Bloom filter of 2 MiB, which is there only when it has to be). Any thread; short locks.
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>

#include "edge/disk/index.hh"

namespace portolan::edge::disk {

class Removals {
 public:
  // From here on what is removed is remembered, until forget().
  void watch() {
    std::lock_guard lock(mutex_);
    watching_ = true;
  }
  void forget() {
    std::lock_guard lock(mutex_);
    watching_ = false;
    bits_.reset();
  }
  // `erase` takes it out of the index; no recovery enters it in between or later.
  template <class F>
  void remove(Index::Name name, F&& erase) {
    std::lock_guard lock(mutex_);
    if (watching_) {
      if (!bits_) bits_ = std::make_unique<Bits>();
      for (uint32_t bit : bits_of(name)) (*bits_)[bit / 64] |= 1ull << bit % 64;
    }
    erase();
  }
  // Calls `enter(has)` while nobody removes anything; has(name) says whether it was removed.
  template <class F>
  void enter(F&& enter) const {
    std::lock_guard lock(mutex_);
    enter([this](Index::Name name) {
      if (!bits_) return false;
      for (uint32_t bit : bits_of(name))
        if (((*bits_)[bit / 64] >> bit % 64 & 1) == 0) return false;
      return true;
    });
  }

 private:
  static constexpr unsigned bits_log = 24;
  using Bits = std::array<uint64_t, (1u << bits_log) / 64>;
  static std::array<uint32_t, 3> bits_of(Index::Name name) {
    uint64_t n = (uint64_t{name.shard} << 32 | name.tag) * 0x9E3779B97F4A7C15;
    n = (n ^ (n >> 29)) * 0xBF58476D1CE4E5B9;
    constexpr uint32_t mask = (1u << bits_log) - 1;
    return {static_cast<uint32_t>(n >> 40) & mask, static_cast<uint32_t>(n >> 20) & mask,
            static_cast<uint32_t>(n ^ (n >> 32)) & mask};
  }
  mutable std::mutex mutex_;
  bool watching_ = true;
  std::unique_ptr<Bits> bits_;
};

}  // namespace portolan::edge::disk
