// Any bytes as a checkpoint's head and as one of its blocks: what a block yields stays inside it.
#include <algorithm>

#include "tests/fuzz/disk_repair.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan;
  using namespace portolan::edge::disk;
  using namespace portolan::edge::disk::fuzz;
  auto [repaired, bytes] = input_of(data, size);
  std::string head_text = bytes, block_text = bytes;
  if (repaired) {
    head_text.resize(checkpoint_head_bytes);
    std::string sample = encode(CheckpointHead{}, secret);
    head_text.replace(0, 32, sample.substr(0, 32));  // magic, mark, generation
    seal(head_text, checkpoint_head_bytes - 4, checkpoint_head_bytes - 4);
    block_text.resize(block_bytes);
    BlockBuilder builder;
    std::string empty(builder.close(secret, 2, 3));
    block_text.replace(0, 8, empty.substr(0, 8));
    seal(block_text, 12);
  }
  if (auto head = parse_checkpoint_head(head_text, secret)) {
    check(head->open.size() <= 8);
    auto again = parse_checkpoint_head(encode(*head, secret), secret);
    check(again && again->generation == head->generation && again->open == head->open && again->blocks == head->blocks);
  }
  std::vector<Piece> pieces;
  if (parse_block(block_text, secret, 2, 3, pieces)) {
    size_t used = block_head_bytes;
    BlockBuilder builder;
    for (const Piece& piece : pieces) {
      check(!piece.entries.empty());
      used += piece_head_bytes + piece.entries.size() * 8;
      check(builder.add(piece.shard, piece.entries) == piece.entries.size());
    }
    check(used <= block_bytes);
    std::vector<Piece> again;
    check(parse_block(builder.close(secret, 2, 3), secret, 2, 3, again) && again.size() == pieces.size());
    check(!parse_block(block_text, secret, 2, 4, again));
  }
  return 0;
}
