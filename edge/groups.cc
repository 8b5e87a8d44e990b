#include "edge/groups.hh"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "core/http/structured.hh"

namespace portolan::edge {

uint64_t origin_hash(std::string_view scheme, std::string_view authority) {
  return XXH3_64bits_withSeed(authority.data(), authority.size(), scheme.size());
}

std::vector<uint64_t> group_hashes(const http::Fields& response, std::string_view field, uint64_t origin) {
  std::vector<uint64_t> out;
  std::string joined;
  for (const http::Field& f : response) {
    if (f.id != http::FieldId::other || !http::equal_ignoring_case(f.name, field)) continue;
    joined.append(joined.empty() ? "" : ", ").append(f.value);
  }
  if (joined.empty()) return out;
  auto names = http::parse_sf_list(joined);
  if (!names) return out;
  for (const http::SfItem& name : *names) {
    if (name.type != http::SfItem::Type::string) return {};
    out.push_back(XXH3_64bits_withSeed(name.text.data(), name.text.size(), origin));
  }
  return out;
}

std::string group_tag(uint64_t group) {
  return " group " + std::to_string(group);
}

void GroupClock::invalidate(const std::vector<uint64_t>& groups, uint64_t now) {
  for (uint64_t group : groups) {
    std::atomic<uint64_t>& last = last_[group % slots];
    uint64_t seen = last.load(std::memory_order_relaxed);
    while (seen < now && !last.compare_exchange_weak(seen, now, std::memory_order_acq_rel)) {
    }
  }
}

bool GroupClock::cut(const std::vector<uint64_t>& groups, uint64_t since) const {
  return std::any_of(groups.begin(), groups.end(),
                     [&](uint64_t group) { return last_[group % slots].load(std::memory_order_acquire) > since; });
}

}  // namespace portolan::edge
