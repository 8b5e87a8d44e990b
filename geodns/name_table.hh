#pragma once
// From names to what is kept under them: a hash table with open addressing, filled once, then read
// by any thread without allocating. Names are wire form in lower case.
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portolan::geodns {

template <class T>
class NameTable {
 public:
  struct Entry {
    std::string name;
    T value;
  };

  // Room for so many, so that fewer come without moving anything.
  void reserve(size_t count) {
    size_t slots = 16;
    while (slots < count * 2) slots *= 2;
    if (slots <= slots_.size()) return;
    slots_.assign(slots, {});
    for (Entry& entry : entries_) place(entry);
  }

  // The value under `name`, a new one where there was none (then true). It keeps its place.
  std::pair<T&, bool> emplace(std::string_view name) {
    if (T* found = const_cast<T*>(std::as_const(*this).find(name))) return {*found, false};
    entries_.push_back({std::string(name), T{}});
    if (entries_.size() * 2 > slots_.size()) {
      slots_.assign(slots_.empty() ? 16 : slots_.size() * 2, {});
      for (Entry& entry : entries_) place(entry);
    } else {
      place(entries_.back());
    }
    return {entries_.back().value, true};
  }

  // Null: not there.
  const T* find(std::string_view name) const {
    if (slots_.empty()) return nullptr;
    const Slot* slots = slots_.data();
    const uint64_t h = hash(name), mask = slots_.size() - 1;
    for (uint64_t i = h & mask; slots[i].entry; i = (i + 1) & mask)
      if (slots[i].hash == h && slots[i].entry->name == name) return &slots[i].entry->value;
    return nullptr;
  }

  std::deque<Entry>& entries() { return entries_; }

 private:
  struct Slot {
    uint64_t hash = 0;
    const Entry* entry = nullptr;
  };

  void place(const Entry& entry) {
    const uint64_t h = hash(entry.name), mask = slots_.size() - 1;
    uint64_t i = h & mask;
    while (slots_[i].entry) i = (i + 1) & mask;
    slots_[i] = {h, &entry};
  }

  // Eight bytes a step. Who asks can't put names into the table, so collisions are not theirs to
  // make.
  static uint64_t hash(std::string_view name) {
    uint64_t h = name.size();
    const auto mix = [&](const char* p, size_t n) {
      uint64_t word = 0;
      std::memcpy(&word, p, n);
      h = (h ^ word) * 0x9e3779b97f4a7c15;
      h ^= h >> 32;
    };
    const char* p = name.data();
    size_t left = name.size();
    for (; left > 8; left -= 8, p += 8) mix(p, 8);
    if (name.size() >= 8) {
      mix(p + left - 8, 8);
    } else {
      mix(p, left);
    }
    return h;
  }

  std::deque<Entry> entries_;
  std::vector<Slot> slots_;  // a power of two, at most half of them taken
};

}  // namespace portolan::geodns
