#pragma once
// Records that wait to be written, in the order they came; of a key the one of the highest sequence
// counts, and of those of one sequence the last. Any thread; short locks.
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
    bool stood = false;  // the store had one of the key when this came
    uint64_t ticket = 0;
    uint64_t bytes = 0;
  };

  // False: too much waits. What is older than what waits is taken and forgotten.
  bool add(Record record, bool stood);
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
    if (it == latest_.end() || it->second.ticket != ticket) return;
    latest_.erase(it);
    enter();
  }
  void drop(Key key, uint64_t ticket, uint64_t bytes) {
    done(key, ticket, bytes, [] {});
  }
  // Forgets the key; `erase` is called before anybody enters anything.
  // True: it waited.
  template <class F>
  bool remove(Key key, F&& erase) {
    std::lock_guard lock(mutex_);
    bool waited = latest_.erase(key) > 0;
    erase();
    return waited;
  }
  // Those not taken; how many. `dropped(key)` for each that still counted, before anybody enters anything.
  size_t drop_all(const std::function<void(Key)>& dropped);
  bool empty() const;
  bool has(Key key) const;  // it waits, or is being written

 private:
  struct Hash {
    size_t operator()(const Key& key) const { return key.low; }
  };
  mutable std::mutex mutex_;
  std::deque<Item> waiting_;
  struct Latest {
    uint64_t ticket = 0, sequence = 0;
  };
  std::unordered_map<Key, Latest, Hash> latest_;
  uint64_t bytes_ = 0, next_ticket_ = 1;
};

}  // namespace portolan::edge::disk
