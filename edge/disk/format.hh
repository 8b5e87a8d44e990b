#pragma once
// What stands on the disk, byte for byte (docs/cache-store.md draws it). All numbers are little-endian. Everything that is read
// back is parsed here and nowhere else; what isn't whole and right is no value. Pure; any thread.
//
// Every part carries a mark: a keyed hash of where it stands and of which life of its segment it belongs to, under the
// store's secret. So neither bytes of an earlier life, nor of another place, nor any that a client sent as a body are ever
// taken for one.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/keyed_hash.hh"
#include "edge/disk/disk.hh"

namespace portolan::edge::disk {

using Kind = SegmentReport::Kind;

constexpr uint32_t format_version = 1;
constexpr uint32_t unit_bytes = 512;             // heads begin at a multiple of it
constexpr uint32_t fragment_bytes = 256u << 10;  // of a body, a checksum each
constexpr uint32_t most_segments = 1u << 19;     // 16 TiB
constexpr uint32_t units_of_segment = 1u << 16;  // at most

// Where a record's head stands: a segment, and a unit in it. Unit 0 is the segment's own head.
struct Place {
  uint32_t segment = 0, unit = 0;
  bool operator==(const Place&) const = default;
};

struct Superblock {
  uint32_t version = format_version;
  uint64_t segment_bytes = 0;
  crypto::HashKey secret;
  int64_t made_ms = 0;
};
constexpr size_t superblock_bytes = 8192;  // two copies
enum class Judgement : uint8_t { ours, other_version, unknown };
std::string encode(const Superblock& block);
Judgement parse(std::string_view bytes, Superblock& block);

uint64_t mark_of(const crypto::HashKey& secret, uint64_t epoch, Place place);

// A record's head. It follows the body, at the next unit; written last, it is the commit.
struct Head {
  Key key;
  uint64_t sequence = 0;
  uint64_t order = 0;  // of all that was ever appended to the log; of two records of a key the later one counts
  int64_t useless_ms = 0;
  uint32_t body_at = 0;  // in the segment
  uint32_t body_bytes = 0;
  std::vector<uint32_t> fragments;  // their CRC-32C
  std::string meta;
};
constexpr uint32_t head_fixed_bytes = 80;
constexpr uint32_t fragments_of(uint64_t body_bytes) {
  return static_cast<uint32_t>((body_bytes + fragment_bytes - 1) / fragment_bytes);
}
constexpr uint64_t head_bytes_of(uint64_t body_bytes, uint64_t meta_bytes) {
  return head_fixed_bytes + 4ull * fragments_of(body_bytes) + meta_bytes;
}
std::string encode(const Head& head, uint64_t mark);
// How long the head is that begins so; 0: it is none. At least head_fixed_bytes are needed.
uint32_t head_length(std::string_view start, uint64_t mark);
std::optional<Head> parse_head(std::string_view bytes, uint64_t mark, uint32_t unit);

// What stands at the beginning of a segment in use.
struct SegmentHead {
  uint64_t epoch = 0, first_order = 0;
  int64_t opened_ms = 0;
  Kind kind = Kind::free;
};
std::string encode(const SegmentHead& head, const crypto::HashKey& secret, uint32_t segment);
std::optional<SegmentHead> parse_segment_head(std::string_view bytes, const crypto::HashKey& secret, uint32_t segment);

// What stands at the end of a sealed one.
struct FooterEntry {
  Key key;
  uint32_t useless_s = 0;  // all bits set: never
  uint32_t unit = 0;
  uint32_t body_bytes = 0;
  uint32_t order = 0;  // since first_order
};
struct Footer {
  uint64_t epoch = 0, first_order = 0, max_sequence = 0;
  uint32_t used = 0;  // bytes
  std::vector<FooterEntry> entries;
};
constexpr uint32_t footer_entry_bytes = 32, footer_fixed_bytes = 64;
constexpr uint64_t footer_bytes_of(uint64_t entries) {
  return footer_fixed_bytes + entries * footer_entry_bytes;
}
// Without the epoch: where a segment's head and row are lost, the footer is what tells it.
uint64_t footer_mark(const crypto::HashKey& secret, uint32_t segment);
std::string encode(const Footer& footer, uint64_t mark);
// How long the footer is that ends so; 0: it is none. `end` are the last footer_fixed_bytes.
uint64_t footer_length(std::string_view end, uint64_t mark);
std::optional<Footer> parse_footer(std::string_view bytes, uint64_t mark, uint64_t segment_bytes);
uint32_t useless_seconds(int64_t useless_ms);

// A row of the table of segments: what a start would else have to gather from all over the disk.
struct Row {
  uint64_t epoch = 0, first_order = 0, last_order = 0, max_sequence = 0;
  int64_t opened_ms = 0;
  uint32_t used = 0, entries = 0;
  Kind kind = Kind::free;
  bool open = false;
};
constexpr uint32_t row_bytes = 64;
std::string encode(const Row& row, const crypto::HashKey& secret, uint32_t segment);
std::optional<Row> parse_row(std::string_view bytes, const crypto::HashKey& secret, uint32_t segment);

// A checkpoint of the index: a head of a page, then blocks. It knows of all that was in segments whose epoch is lower than
// its limit and that were not open then.
struct CheckpointHead {
  uint64_t generation = 0, epoch_limit = 0, next_order = 0, max_sequence = 0, entries = 0;
  uint32_t blocks = 0;
  std::vector<uint32_t> open;  // segments, at most 8
};
constexpr uint32_t checkpoint_head_bytes = 4096, block_bytes = 256u << 10, block_head_bytes = 32, piece_head_bytes = 8;
std::string encode(const CheckpointHead& head, const crypto::HashKey& secret);
std::optional<CheckpointHead> parse_checkpoint_head(std::string_view bytes, const crypto::HashKey& secret);

// Entries of one shard of the index, as they are in RAM.
struct Piece {
  uint32_t shard = 0;
  std::vector<uint64_t> entries;
};
// Fills a block's space behind its head; close() makes the block of it.
class BlockBuilder {
 public:
  BlockBuilder() { clear(); }
  // Takes as many of the entries as there is room for, and says how many.
  size_t add(uint32_t shard, std::span<const uint64_t> entries);
  bool empty() const { return used_ == block_head_bytes; }
  std::string_view close(const crypto::HashKey& secret, uint64_t generation, uint32_t number);
  void clear();

 private:
  std::string bytes_;
  size_t used_ = 0;
};
// One block; false: damaged, and what was appended so far counts for nothing.
bool parse_block(std::string_view bytes, const crypto::HashKey& secret, uint64_t generation, uint32_t number,
                 std::vector<Piece>& out);

}  // namespace portolan::edge::disk
