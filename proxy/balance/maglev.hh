#pragma once
// A table that gives each member its share of all keys, so that only about the keys of a member that comes or goes move
// (Maglev, NSDI 2016 §3.4, with weights). Made of the members' names alone: every node that has the same members makes
// the same table. Immutable; any thread.
#include <cstdint>
#include <string_view>
#include <vector>

namespace portolan::proxy {

class Maglev {
 public:
  struct Entry {
    std::string_view name;
    int64_t share;  // at least 1
  };
  explicit Maglev(const std::vector<Entry>& entries);
  uint32_t find(uint64_t hash) const { return table_[static_cast<size_t>((hash >> 32) * table_.size() >> 32)]; }
  size_t size() const { return table_.size(); }               // a prime
  static uint64_t digest(const std::vector<Entry>& entries);  // of what a table is made of

 private:
  std::vector<uint32_t> table_;  // of `entries`
};

}  // namespace portolan::proxy
