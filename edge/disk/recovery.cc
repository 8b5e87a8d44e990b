#include "edge/disk/recovery.hh"

#include <algorithm>

namespace portolan::edge::disk {
namespace {

constexpr uint64_t epochs_left_out = 1024;  // after a power cut the table may not know the newest
constexpr uint32_t blocks_a_step = 8;

uint64_t number_of(Place place) {
  return uint64_t{place.segment} << Index::unit_bits | place.unit;
}

}  // namespace

bool Recovery::step() {
  switch (stage_) {
    case Stage::segments:
      sort_segments();
      choose_checkpoint();
      stage_ = Stage::checkpoint;
      return true;
    case Stage::checkpoint:
      if (load_blocks()) return true;
      if (has_checkpoint_ && !damaged_) store_.covered = head_.next_order;
      stage_ = Stage::open;
      return true;
    case Stage::open:
      if (open_.empty()) {
        finish_numbers();
        stage_ = Stage::recent;
        return true;
      }
      take_open(open_.back());
      open_.pop_back();
      return true;
    case Stage::recent:
      if (recent_.empty()) {
        if (damaged_) {
          auto both = [&](const std::deque<uint32_t>& sealed) {
            mend_.insert(mend_.end(), sealed.begin(), sealed.end());
          };
          both(store_.probation);
          both(store_.main);
        }
        stage_ = Stage::mend;
        return true;
      }
      (void)replay(recent_.back());  // a segment that can't be read is one that has nothing
      recent_.pop_back();
      return true;
    case Stage::mend:
      if (mend_.empty()) {
        stage_ = Stage::done;
        return false;
      }
      (void)replay(mend_.back());
      mend_.pop_back();
      return true;
    case Stage::done:
      return false;
  }
  return false;
}

void Recovery::sort_segments() {
  Volume& volume = *store_.volume;
  std::vector<uint32_t> used;
  for (uint32_t i = 0; i < volume.count(); ++i) {
    SegmentState& segment = volume.segment(i);
    if (segment.kind == Kind::free) {
      store_.free.push_back(i);
    } else if (segment.open || !segment.known) {
      open_.push_back(i);
    } else {
      used.push_back(i);
    }
  }
  auto by_epoch = [&](uint32_t a, uint32_t b) { return volume.segment(a).epoch < volume.segment(b).epoch; };
  std::sort(open_.begin(), open_.end(), by_epoch);
  std::sort(used.begin(), used.end(), by_epoch);
  for (uint32_t i : used) store_.sealed(volume.segment(i).kind).push_back(i);
}

// A segment that the table says is open, or of which it says nothing. The newest of a kind goes on; others are sealed as
// they are.
void Recovery::take_open(uint32_t number) {
  Volume& volume = *store_.volume;
  SegmentState& segment = volume.segment(number);
  auto footer = volume.read_footer(number, segment.epoch);
  bool sealed = footer && footer->has_value();
  Volume::Scanned contents{sealed ? std::move(**footer) : Footer(), sealed};
  if (!sealed) contents = volume.scan(number, segment.epoch);
  Footer& found = contents.footer;
  if (found.entries.empty()) found.first_order = segment.first_order;
  segment.first_order = found.first_order;
  segment.max_sequence = found.max_sequence;
  segment.used = found.used;
  segment.entries = static_cast<uint32_t>(found.entries.size());
  segment.last_order = segment.first_order;
  for (const FooterEntry& entry : found.entries) {
    segment.last_order = std::max(segment.last_order, segment.first_order + entry.order);
    offer(entry, number, segment.first_order + entry.order);
  }
  store_.counters.saw(segment.max_sequence);
  Kind kind = segment.kind;
  bool goes_on = !sealed && contents.complete && segment.open && !store_.log.is_open(kind);
  if (goes_on) {
    store_.log.resume(kind, number, std::move(found));
    return;
  }
  segment.open = false;
  segment.known = true;
  (void)volume.write_row(number);  // or it is found out again
  auto& queue = store_.sealed(kind);
  auto by_epoch = [&](uint32_t a, uint32_t b) { return volume.segment(a).epoch < volume.segment(b).epoch; };
  queue.insert(std::upper_bound(queue.begin(), queue.end(), number, by_epoch), number);
}

void Recovery::choose_checkpoint() {
  for (const char* name : {"/index.a", "/index.b"}) {
    auto file = files_.open(store_.volume->path() + name, FileSystem::Open::read);
    if (!file) continue;
    std::string bytes(checkpoint_head_bytes, '\0');
    auto n = (*file)->read_at(bytes, 0);
    if (!n) continue;  // as good as none
    auto head = parse_checkpoint_head(std::string_view(bytes).substr(0, *n), store_.volume->secret());
    if (!head) continue;
    generation_ = std::max(generation_, head->generation);
    if (has_checkpoint_ && head->generation < head_.generation) continue;
    head_ = std::move(*head);
    checkpoint_ = std::move(*file);
    has_checkpoint_ = true;
  }
  if (has_checkpoint_) store_.counters.saw(head_.max_sequence);
  for (const auto* queue : {&store_.probation, &store_.main})
    for (uint32_t i : *queue) {
      const SegmentState& segment = store_.volume->segment(i);
      store_.counters.saw(segment.max_sequence);
      if (!knows(i) || was_open(i)) recent_.push_back(i);
    }
  auto by_epoch = [&](uint32_t a, uint32_t b) {
    return store_.volume->segment(a).epoch < store_.volume->segment(b).epoch;
  };
  std::sort(recent_.begin(), recent_.end(), by_epoch);
  for (uint32_t i = 0; i < store_.volume->count(); ++i) {
    SegmentState& segment = store_.volume->segment(i);
    segment.in_checkpoint = knows(i) && !segment.open && !was_open(i);
  }
  if (!has_checkpoint_) std::swap(recent_, mend_);
}

// The checkpoint was written in this life of the segment.
bool Recovery::knows(uint32_t number) const {
  const SegmentState& segment = store_.volume->segment(number);
  return has_checkpoint_ && segment.kind != Kind::free && segment.epoch < head_.epoch_limit;
}

bool Recovery::was_open(uint32_t number) const {
  return std::find(head_.open.begin(), head_.open.end(), number) != head_.open.end();
}

void Recovery::finish_numbers() {
  uint64_t epoch = has_checkpoint_ ? head_.epoch_limit : 0, order = has_checkpoint_ ? head_.next_order : 0;
  for (uint32_t i = 0; i < store_.volume->count(); ++i) {
    const SegmentState& segment = store_.volume->segment(i);
    epoch = std::max(epoch, segment.epoch + 1);
    order = std::max(order, segment.last_order + 1);
  }
  store_.log.set_next(epoch + epochs_left_out, order + 1);
}

bool Recovery::load_blocks() {
  if (!has_checkpoint_ || block_ >= head_.blocks) return false;
  buffer_.resize(block_bytes);
  for (uint32_t i = 0; i < blocks_a_step && block_ < head_.blocks; ++i, ++block_) {
    auto n = checkpoint_->read_at(buffer_, checkpoint_head_bytes + uint64_t{block_} * block_bytes);
    std::vector<Piece> pieces;
    if (!n || *n != block_bytes || !parse_block(buffer_, store_.volume->secret(), head_.generation, block_, pieces)) {
      damaged_ = true;
      continue;
    }
    for (const Piece& piece : pieces) take(piece);
  }
  return true;
}

// Of segments that were open the replay says what is there, and the checkpoint which of it counted.
void Recovery::take(const Piece& piece) {
  Volume& volume = *store_.volume;
  if (piece.shard >= Index::shards) return;
  constexpr uint64_t verified = 1ull << Index::verified_at;
  std::vector<uint64_t> entries, left_over;
  entries.reserve(piece.entries.size());
  for (uint64_t packed : piece.entries) {
    Place place = Index::unpack(packed).place;
    if (place.segment >= volume.count() || place.unit == 0) continue;
    SegmentState& segment = volume.segment(place.segment);
    if (segment.in_checkpoint)
      entries.push_back(packed & ~verified);
    else if (knows(place.segment))
      named_.emplace(number_of(place), Index::unpack(packed).frequency);
  }
  removals_.enter([&](auto was_removed) {
    std::erase_if(entries, [&](uint64_t packed) { return was_removed({piece.shard, Index::tag_of(packed)}); });
    for (uint64_t packed : entries)
      volume.segment(Index::unpack(packed).place.segment).live.fetch_add(1, std::memory_order_relaxed);
    store_.index.fill(piece.shard, entries, left_over);
  });
  for (uint64_t packed : left_over) {
    Index::Entry entry = Index::unpack(packed);
    store_.left(entry.place);
    offer({piece.shard, Index::tag_of(packed)}, entry);
  }
}

Status Recovery::replay(uint32_t number) {
  Volume& volume = *store_.volume;
  SegmentState& segment = volume.segment(number);
  if (segment.kind == Kind::free || segment.open || segment.leaving) return {};  // it was reclaimed meanwhile
  uint64_t epoch = segment.epoch;
  auto contents = volume.contents(number);
  if (!contents) return contents.error();
  if (contents->epoch != epoch) return {};
  for (const FooterEntry& entry : contents->entries) offer(entry, number, contents->first_order + entry.order);
  store_.counters.saw(contents->max_sequence);
  return {};
}

void Recovery::offer(const FooterEntry& entry, uint32_t segment, uint64_t order) {
  Place place{segment, entry.unit};
  auto named = named_.find(number_of(place));
  bool before = knows(segment) && !damaged_ && order < head_.next_order;
  if (before && named == named_.end()) return;
  offer(Index::name_of(entry.key), {place, named == named_.end() ? 0 : named->second, false});
}

void Recovery::offer(Index::Name name, const Index::Entry& entry) {
  auto there = store_.index.find(name);
  if (there && (there->place == entry.place || !older(there->place, entry.place))) return;
  removals_.enter([&](auto was_removed) {
    if (!was_removed(name)) store_.enter(name, entry);
  });
}

// Whether what stands at `there` is older than what stands at `place`.
bool Recovery::older(Place there, Place place) {
  Volume& volume = *store_.volume;
  if (there.segment == place.segment) return there.unit < place.unit;
  const SegmentState &one = volume.segment(there.segment), &two = volume.segment(place.segment);
  if (one.last_order < two.first_order) return true;
  if (two.last_order < one.first_order) return false;
  auto head = volume.read_head(there, one.epoch);
  if (!head || !*head) return true;
  auto other = volume.read_head(place, two.epoch);
  if (!other || !*other) return false;
  const Head &a = **head, &b = **other;
  if (a.key == b.key && a.sequence != b.sequence) return a.sequence < b.sequence;
  return a.order < b.order;
}

}  // namespace portolan::edge::disk
