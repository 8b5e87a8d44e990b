#pragma once
// Which of a list of networks an address is in: the longest counts. Immutable; any thread.
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/address.hh"

namespace portolan::geo {

__extension__ using Number128 = unsigned __int128;

class Networks {
 public:
  static constexpr uint32_t none = UINT32_MAX;
  struct Found {
    uint32_t value = none;
    // Every address that shares this many leading bits with the one asked gets the same value, and no shorter prefix is
    // like that.
    unsigned prefix_length = 0;
  };

  Networks() = default;
  // Each network with its value. Of equal ones the first counts.
  explicit Networks(std::vector<std::pair<IpNetwork, uint32_t>> list);

  bool empty() const { return v4_.starts.empty() && v6_.starts.empty(); }
  Found find(const IpAddress& address) const;  // no allocation
  size_t memory_bytes() const;

 private:
  // Neighbouring ranges differ. Range i goes from starts[i] to before starts[i + 1]; the first begins at 0.
  template <class Number>
  struct Ranges {
    std::vector<Number> starts;
    std::vector<uint32_t> values;
    void build(const std::vector<std::pair<IpNetwork, uint32_t>>& sorted);
    void add(Number start, uint32_t value);
    Found find(Number address) const;
  };
  Ranges<uint32_t> v4_;
  Ranges<Number128> v6_;
};

}  // namespace portolan::geo
