// The parts of format.hh that a checkpoint is made of.
#include <algorithm>
#include <cstring>

#include "core/crypto/crc32c.hh"
#include "edge/disk/format.hh"

namespace portolan::edge::disk {
namespace {

constexpr std::string_view magic = "portolan-index\r\n";
constexpr size_t most_open = 8;
constexpr uint64_t head_name = ~0ull;
constexpr uint64_t checkpoint_epoch = ~2ull;

template <class T>
T get(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void put(std::string& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

uint64_t name_of(const crypto::HashKey& secret, uint64_t generation, uint64_t number) {
  uint64_t words[3] = {checkpoint_epoch, generation, number};
  return crypto::keyed_hash(secret, {reinterpret_cast<const char*>(words), sizeof words});
}

}  // namespace

std::string encode(const CheckpointHead& head, const crypto::HashKey& secret) {
  std::string bytes(checkpoint_head_bytes, '\0');
  bytes.replace(0, magic.size(), magic);
  put(bytes, 16, name_of(secret, head.generation, head_name));
  put(bytes, 24, head.generation);
  put(bytes, 32, head.epoch_limit);
  put(bytes, 40, head.next_order);
  put(bytes, 48, head.max_sequence);
  put(bytes, 56, head.entries);
  put(bytes, 64, head.blocks);
  size_t open = std::min(head.open.size(), most_open);
  put(bytes, 68, static_cast<uint32_t>(open));
  for (size_t i = 0; i < open; ++i) put(bytes, 72 + 4 * i, head.open[i]);
  put(bytes, bytes.size() - 4, crypto::crc32c(std::string_view(bytes).substr(0, bytes.size() - 4)));
  return bytes;
}

std::optional<CheckpointHead> parse_checkpoint_head(std::string_view bytes, const crypto::HashKey& secret) {
  if (bytes.size() != checkpoint_head_bytes || bytes.substr(0, magic.size()) != magic) return std::nullopt;
  if (get<uint32_t>(bytes, bytes.size() - 4) != crypto::crc32c(bytes.substr(0, bytes.size() - 4))) return std::nullopt;
  CheckpointHead head;
  head.generation = get<uint64_t>(bytes, 24);
  if (get<uint64_t>(bytes, 16) != name_of(secret, head.generation, head_name)) return std::nullopt;
  head.epoch_limit = get<uint64_t>(bytes, 32);
  head.next_order = get<uint64_t>(bytes, 40);
  head.max_sequence = get<uint64_t>(bytes, 48);
  head.entries = get<uint64_t>(bytes, 56);
  head.blocks = get<uint32_t>(bytes, 64);
  auto open = get<uint32_t>(bytes, 68);
  if (open > most_open) return std::nullopt;
  for (size_t i = 0; i < open; ++i) head.open.push_back(get<uint32_t>(bytes, 72 + 4 * i));
  return head;
}

void BlockBuilder::clear() {
  bytes_.assign(block_bytes, '\0');
  used_ = block_head_bytes;
}

size_t BlockBuilder::add(uint32_t shard, std::span<const uint64_t> entries) {
  if (block_bytes - used_ < piece_head_bytes + 8) return 0;
  size_t count = std::min(entries.size(), (block_bytes - used_ - piece_head_bytes) / 8);
  if (count == 0) return 0;
  put(bytes_, used_, shard);
  put(bytes_, used_ + 4, static_cast<uint32_t>(count));
  std::memcpy(bytes_.data() + used_ + piece_head_bytes, entries.data(), count * 8);
  used_ += piece_head_bytes + count * 8;
  return count;
}

// Head: mark 8, used 4, sum 4, number 4.
std::string_view BlockBuilder::close(const crypto::HashKey& secret, uint64_t generation, uint32_t number) {
  put(bytes_, 0, name_of(secret, generation, number));
  put(bytes_, 8, static_cast<uint32_t>(used_));
  put(bytes_, 16, number);
  put<uint32_t>(bytes_, 12, 0);
  put(bytes_, 12, crypto::crc32c(bytes_));
  return bytes_;
}

bool parse_block(std::string_view bytes, const crypto::HashKey& secret, uint64_t generation, uint32_t number,
                 std::vector<Piece>& out) {
  if (bytes.size() != block_bytes || get<uint64_t>(bytes, 0) != name_of(secret, generation, number)) return false;
  uint32_t sum = crypto::crc32c(bytes.substr(0, 12));
  sum = crypto::crc32c(std::string_view("\0\0\0\0", 4), sum);
  if (get<uint32_t>(bytes, 12) != crypto::crc32c(bytes.substr(16), sum)) return false;
  auto used = get<uint32_t>(bytes, 8);
  if (used < block_head_bytes || used > bytes.size()) return false;
  for (size_t at = block_head_bytes; at < used;) {
    if (used - at < piece_head_bytes) return false;
    Piece piece{get<uint32_t>(bytes, at), {}};
    uint64_t count = get<uint32_t>(bytes, at + 4);
    at += piece_head_bytes;
    if (count == 0 || count > (used - at) / 8) return false;
    piece.entries.resize(count);
    std::memcpy(piece.entries.data(), bytes.data() + at, count * 8);
    at += count * 8;
    out.push_back(std::move(piece));
  }
  return true;
}

}  // namespace portolan::edge::disk
