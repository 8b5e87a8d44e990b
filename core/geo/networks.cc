#include "core/geo/networks.hh"

#include <algorithm>
#include <bit>
#include <limits>

namespace portolan::geo {
namespace {

unsigned leading_zeros(uint32_t n) {
  return static_cast<unsigned>(std::countl_zero(n));
}
unsigned leading_zeros(Number128 n) {
  const auto high = static_cast<uint64_t>(n >> 64);
  return static_cast<unsigned>(high ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<uint64_t>(n)));
}

template <class Number>
Number number_of(const IpAddress& address) {
  Number n = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) n = n << 8 | address.bytes[i];
  return n;
}

// Of a network; the whole space has no number of its own, but only its last address is asked for.
template <class Number>
Number last_of(const IpNetwork& network) {
  const unsigned host = sizeof(Number) * 8 - network.length;
  const Number mask = host == 0 ? 0 : static_cast<Number>(~Number{0}) >> network.length;
  return number_of<Number>(network.address) | mask;
}

}  // namespace

template <class Number>
void Networks::Ranges<Number>::add(Number start, uint32_t value) {
  if (!starts.empty() && starts.back() == start) {
    values.back() = value;
    if (values.size() > 1 && values[values.size() - 2] == value) {
      starts.pop_back();
      values.pop_back();
    }
  } else if (values.empty() || values.back() != value) {
    starts.push_back(start);
    values.push_back(value);
  }
}

// Networks are sorted by address, the shorter first: the open ones contain each other.
template <class Number>
void Networks::Ranges<Number>::build(const std::vector<std::pair<IpNetwork, uint32_t>>& sorted) {
  constexpr Number beyond = static_cast<Number>(~Number{0});
  struct Open {
    Number last;
    uint32_t value;
  };
  std::vector<Open> open;
  const auto close_before = [&](Number next, bool all) {
    while (!open.empty() && (all || open.back().last < next)) {
      const Number last = open.back().last;
      open.pop_back();
      if (last != beyond) add(last + 1, open.empty() ? none : open.back().value);
    }
  };
  for (const auto& [network, value] : sorted) {
    if (network.address.size() != sizeof(Number)) continue;
    if (starts.empty()) add(0, none);
    const Number first = number_of<Number>(network.address);
    close_before(first, false);
    add(first, value);
    open.push_back({last_of<Number>(network), value});
  }
  close_before(0, true);
}

template <class Number>
Networks::Found Networks::Ranges<Number>::find(Number address) const {
  if (starts.empty()) return {};
  const auto next = std::upper_bound(starts.begin(), starts.end(), address);
  const auto at = next - 1;
  // The longest aligned block that reaches neither over the range's start nor over its end.
  unsigned length = 0;
  if (*at != 0) length = leading_zeros(static_cast<Number>(address ^ (*at - 1))) + 1;
  if (next != starts.end()) length = std::max(length, leading_zeros(static_cast<Number>(address ^ *next)) + 1);
  return {values[static_cast<size_t>(at - starts.begin())], length};
}

Networks::Networks(std::vector<std::pair<IpNetwork, uint32_t>> list) {
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  list.erase(std::unique(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first == b.first; }),
             list.end());
  v4_.build(list);
  v6_.build(list);
}

Networks::Found Networks::find(const IpAddress& address) const {
  if (address.is_v4()) return v4_.find(number_of<uint32_t>(address));
  if (address.is_v6()) return v6_.find(number_of<Number128>(address));
  return {};
}

size_t Networks::memory_bytes() const {
  return v4_.starts.capacity() * 8 + v6_.starts.capacity() * (sizeof(Number128) + 4);
}

}  // namespace portolan::geo
