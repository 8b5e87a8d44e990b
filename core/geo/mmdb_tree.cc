#include "core/geo/mmdb_tree.hh"

#include <fmt/format.h>

#include <array>

namespace portolan::geo {

MmdbTree::MmdbTree(const MmdbLayout& layout, RecordReader& records, Trie& trie)
    : layout_(layout), records_(records), trie_(trie), visited_(layout.node_count) {}

Result<Trie::Roots> MmdbTree::walk() {
  Trie::Roots roots;
  if (layout_.ip_version == 4) {
    auto v4 = subtree(0, 0, 32, no_node);
    if (!v4) return v4.error();
    roots.v4 = *v4;
    return roots;
  }
  find_ipv4_part();
  bool is_node = ipv4_record_ < layout_.node_count;
  auto v6 = subtree(0, 0, 128, is_node ? ipv4_record_ : no_node);
  if (!v6) return v6.error();
  roots.v6 = *v6;
  auto v4 = is_node ? subtree(ipv4_record_, 96, 128, no_node) : leaf(ipv4_record_, 0);
  if (!v4) return v4.error();
  roots.v4 = *v4;
  return roots;
}

void MmdbTree::find_ipv4_part() {
  for (unsigned i = 0; i < 96 && ipv4_record_ < layout_.node_count; ++i)
    ipv4_record_ = layout_.record(ipv4_record_, false);
}

Status MmdbTree::enter(uint32_t node) {
  if (visited_[node]) return Error{fmt::format("search tree: node {} is reached twice (a cycle or an overlap)", node)};
  visited_[node] = true;
  return {};
}

Result<Trie::Ref> MmdbTree::subtree(uint32_t start, unsigned depth, unsigned max_depth, uint32_t alias) {
  struct Frame {
    uint32_t node = 0;
    bool right = false;
    Trie::Ref left = 0;
  };
  std::array<Frame, 128> frames;
  unsigned top = 0;
  if (Status entered = enter(start); !entered) return entered.error();
  frames[0].node = start;
  for (;;) {
    uint32_t node = frames[top].node;
    uint32_t record = layout_.record(node, frames[top].right);
    unsigned below = depth + top + 1;
    if (record < layout_.node_count && record != alias) {
      if (below >= max_depth) return Error{fmt::format("search tree: node {} is deeper than an address", record)};
      if (Status entered = enter(record); !entered) return entered.error();
      frames[++top] = {record, false, 0};
      continue;
    }
    Trie::Ref done = Trie::alias;
    if (record == alias) {
      if (below > 96) return Error{fmt::format("search tree: node {} overlaps IPv4", node)};
    } else {
      auto reached = leaf(record, node);
      if (!reached) return reached;
      done = *reached;
    }
    while (frames[top].right) {
      done = trie_.join(frames[top].left, done);
      if (top == 0) return done;
      --top;
    }
    frames[top].left = done;
    frames[top].right = true;
  }
}

Result<Trie::Ref> MmdbTree::leaf(uint32_t record, uint32_t node) {
  if (record == layout_.node_count) return Trie::Ref{Trie::nothing};
  uint64_t past_tree = uint64_t{record} - layout_.node_count;
  if (past_tree < mmdb_separator_bytes)
    return Error{fmt::format("search tree: node {} points into the separator", node)};
  uint64_t offset = past_tree - mmdb_separator_bytes;
  if (offset >= layout_.data.size)
    return Error{fmt::format("search tree: node {} points out of the data ({})", node, offset)};
  if (const uint32_t* known = leaves_.find(static_cast<uint32_t>(offset))) return Trie::Ref{*known};
  auto location = records_.read(static_cast<uint32_t>(offset));
  if (!location) return location.error();
  auto ref = trie_.leaf(*location);
  if (ref) leaves_.put(static_cast<uint32_t>(offset), *ref);
  return ref;
}

}  // namespace portolan::geo
