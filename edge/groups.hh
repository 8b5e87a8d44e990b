#pragma once
// Cache groups (RFC 9875): responses of one origin that go together when one of them goes. Nothing is searched for: an
// invalidated group is a number, and what began before it is of no use.
#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/message.hh"

namespace portolan::edge {

inline constexpr std::string_view cache_groups = "Cache-Groups";
inline constexpr std::string_view cache_group_invalidation = "Cache-Group-Invalidation";

// Names alike of two origins are two groups.
uint64_t origin_hash(std::string_view scheme, std::string_view authority);
// The groups a field names, each a hash; none where it is no list of strings (RFC 9875 §2).
std::vector<uint64_t> group_hashes(const http::Fields& response, std::string_view field, uint64_t origin);

// The group as a tag that no answer's field can name, for purges that are to outlive the process.
std::string group_tag(uint64_t group);

// When each group was invalidated last. Any thread; memory of a fixed size, for which groups share slots: an
// invalidation may reach a few of its neighbours, never less than its own.
class GroupClock {
 public:
  // `now`: a number of the sequence objects have theirs from.
  void invalidate(const std::vector<uint64_t>& groups, uint64_t now);
  // True: one of them was invalidated later than `since`.
  bool cut(const std::vector<uint64_t>& groups, uint64_t since) const;

 private:
  static constexpr size_t slots = 8192;
  std::array<std::atomic<uint64_t>, slots> last_{};
};

}  // namespace portolan::edge
