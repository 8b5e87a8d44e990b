#pragma once
// Records that wait to be written, in the order they came; of a key the last one counts. Any thread; short locks.
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "edge/disk/disk.hh"

namespace portolan::edge::disk {

class Queue {
 public:
  static constexpr uint64_t most_bytes = 64ull << 20;
  struct Item {
    Record record;
    uint64_t ticket = 0;
    uint64_t bytes = 0;
  };

  bool add(Record record);  // false: too much waits
  // The next ones, of about `bytes`; they count as waiting until done() or drop() of each.
  std::vector<Item> take(uint64_t bytes);
  // Whether the item still is what is to be written of its key.
  bool wanted(const Item& item) const;
  // The item was written, and `enter` is called if it still counts; nobody removes it in between.
  template <class F>
  void done(Key key, uint64_t ticket, uint64_t bytes, F&& enter) {
    std::lock_guard lock(mutex_);
    bytes_ -= bytes;
    auto it = latest_.find(key);
    if (it == latest_.end() || it->second != ticket) return;
    latest_.erase(it);
    enter();
  }
  void drop(Key key, uint64_t ticket, uint64_t bytes) {
    done(key, ticket, bytes, [] {});
  }
  // Forgets the key; `erase` is called before anybody enters anything.
  template <class F>
  void remove(Key key, F&& erase) {
    std::lock_guard lock(mutex_);
    latest_.erase(key);
    erase();
  }
  // Those not taken; how many. `dropped(key)` for each that still counted, before anybody enters anything.
  size_t drop_all(const std::function<void(Key)>& dropped);
  bool empty() const;

 private:
  struct Hash {
    size_t operator()(const Key& key) const { return key.low; }
  };
  mutable std::mutex mutex_;
  std::deque<Item> waiting_;
  std::unordered_map<Key, uint64_t, Hash> latest_;
  uint64_t bytes_ = 0, next_ticket_ = 1;
};

}  // namespace portolan::edge::disk
