// What the engine does for its callers, beside the job.
#include <cerrno>

#include "edge/disk/engine.hh"

namespace portolan::edge::disk {
namespace {

constexpr int most_read_errors = 16;      // one after the other: it isn't this record, it's the disk
constexpr uint64_t warm_bytes = 1 << 20;  // what is sent first

}  // namespace

std::shared_ptr<Volume> Disk::Engine::volume() const {
  std::lock_guard lock(mutex_);
  return volume_;
}

std::optional<Found> Disk::Engine::read(Key key) {
  if (!readable_ || stalled_) return std::nullopt;
  std::shared_ptr<Volume> of = volume();
  if (!of) return std::nullopt;
  Watch::Wait wait(watches_->reads, clock_);
  Found found;
  found.spot.trust = trust_;
  for (int i = 0; i < 4; ++i) {
    Outcome outcome = try_read(*of, key, found);
    if (outcome == Outcome::absent) return std::nullopt;
    if (outcome == Outcome::again) continue;
    read_errors_ = 0;
    ++counters_.reads;
    return found;
  }
  return std::nullopt;
}

// A segment is used anew only when nothing of the index leads there and nobody holds it; so who holds it and finds the
// entry still there reads what was meant.
Disk::Engine::Outcome Disk::Engine::try_read(Volume& volume, Key key, Found& found) {
  Index::Name name = Index::name_of(key);
  auto there = index_.find(name);
  if (!there || there->place.segment >= volume.count()) return Outcome::absent;
  Place place = there->place;
  const SegmentState& segment = volume.segment(place.segment);
  found.file = volume.pin(place.segment);
  there = index_.find(name);
  if (!there || !(there->place == place)) return Outcome::again;
  uint64_t epoch = segment.epoch;
  auto head = volume.read_head(place, epoch);
  if (!head || !*head) return lost(key, place, epoch, segment, !head);
  if (!((*head)->key == key)) return Outcome::absent;
  if (uint64_t{(*head)->body_at} + (*head)->body_bytes > segment.synced) {
    found.bytes = BlockRef::make(std::max<size_t>((*head)->body_bytes, 1));
    auto whole = volume.read_body(place.segment, **head, found.bytes->data());
    if (!whole || !*whole) return lost(key, place, epoch, segment, !whole);
  } else if (!there->verified) {
    std::string buffer(std::min<size_t>((*head)->body_bytes, fragment_bytes), '\0');
    auto whole = volume.check_body(place.segment, **head, buffer);
    if (!whole || !*whole) return lost(key, place, epoch, segment, !whole);
    index_.set_verified(name, place);
  }
  found.sequence = (*head)->sequence;
  found.meta = std::move((*head)->meta);
  found.length = (*head)->body_bytes;
  found.spot.segment = place.segment;
  found.spot.epoch = epoch;
  found.offset = static_cast<off_t>(volume.offset_of(place.segment) + (*head)->body_at);
  uint64_t first = std::min(found.length, warm_bytes);
  if (!found.bytes && there->verified && !in_page_cache(*found.file, found.offset, first) &&
      !volume.data().warm(static_cast<uint64_t>(found.offset), first))
    return lost(key, place, epoch, segment, true);
  return Outcome::done;
}

// A segment is free before anybody looks whether it is held, and of another epoch before it is used again.
FileRef Disk::Engine::hold(const Spot& spot) const {
  if (!readable_ || stalled_) return nullptr;
  std::shared_ptr<Volume> of = volume();
  if (!of || spot.trust != trust_ || spot.segment >= of->count()) return nullptr;
  const SegmentState& segment = of->segment(spot.segment);
  FileRef pin = of->pin(spot.segment);
  if (segment.kind == Kind::free || segment.epoch != spot.epoch) return nullptr;
  return pin;
}

Disk::Engine::Outcome Disk::Engine::lost(Key key, Place place, uint64_t epoch, const SegmentState& segment,
                                         bool error) {
  std::shared_ptr<Volume> of = volume();
  if (segment.epoch != epoch || !of || &of->segment(place.segment) != &segment) return Outcome::again;
  if (!index_.erase(Index::name_of(key), place)) return Outcome::again;
  of->segment(place.segment).live.fetch_sub(1, std::memory_order_relaxed);
  if (!error) {
    ++counters_.damaged;
    return Outcome::absent;
  }
  ++counters_.errors;
  if (++read_errors_ >= most_read_errors) {
    read_errors_ = 0;
    reads_fail_ = true;
    kick();
  }
  return Outcome::absent;
}

bool Disk::Engine::write(Record record) {
  uint64_t least = unit_bytes + footer_fixed_bytes + Log::space_of(record.body.size(), record.meta.size());
  bool fits =
      record.body.size() <= max_body_bytes && record.meta.size() <= max_meta_bytes && least <= tuning_.segment_bytes;
  bool open = state_ == Stats::State::starting || (state_ == Stats::State::serving && writable_);
  const bool stood = index_.find(Index::name_of(record.key)).has_value();
  if (!fits || !open || !started_ || stalled_ || writes_stalled_ || !queue_.add(std::move(record), stood)) {
    ++counters_.refused;
    return false;
  }
  kick();
  return true;
}

Removed Disk::Engine::remove(Key key) {
  std::shared_ptr<Volume> of = volume();
  bool known = readable_ && mended_, stood = false;
  bool waited = queue_.remove(key, [&] { stood = erase(of.get(), key); });
  return waited || stood ? Removed::something : known ? Removed::nothing : Removed::unknown;
}

// `of`: volume(), null where there is none.
bool Disk::Engine::erase(Volume* of, Key key) {
  Index::Name name = Index::name_of(key);
  std::optional<Place> place;
  removals_.remove(name, [&] {
    place = index_.erase(name);
    if (place && of && place->segment < of->count())
      of->segment(place->segment).live.fetch_sub(1, std::memory_order_relaxed);
  });
  return place.has_value();
}

void Disk::Engine::when_stalled(std::function<void()> tell) {
  std::lock_guard lock(mutex_);
  tell_stalled_ = std::move(tell);
}

void Disk::Engine::watched(const std::function<void()>& read) const {
  Watch::Wait wait(watches_->reads, clock_);
  read();
}

void Disk::Engine::tick() {
  int64_t now = clock_.now_ms();
  stalled_ = watches_->reads.longest_ms(clock_) >= tuning_.stall_ms;
  writes_stalled_ = watches_->changes.longest_ms(clock_) >= tuning_.write_stall_ms;
  std::function<void()> tell;
  if (stalled_) {
    std::lock_guard lock(mutex_);
    tell = tell_stalled_;
  }
  if (tell) tell();
  bool due = !queue_.empty();
  if (now - last_retry_ms_ >= tuning_.retry_ms) {
    last_retry_ms_ = now;
    retry_due_ = due = true;
  }
  if (now - last_due_ms_ >= tuning_.checkpoint_ms) {
    last_due_ms_ = now;
    checkpoint_due_ = due = true;
  }
  if (due) kick();
  if (sync_due(now)) want_sync();
}

Stats Disk::Engine::stats() const {
  Stats s;
  s.state = state_;
  bool writes_stalled = writes_stalled_ && s.state == Stats::State::serving;
  if (stalled_ || writes_stalled) s.state = Stats::State::aside;
  std::shared_ptr<Volume> of;
  {
    std::lock_guard lock(mutex_);
    s.set_aside = set_aside_;
    s.reason = stalled_ ? "the disk doesn't answer" : writes_stalled ? "the disk takes nothing" : reason_;
    of = volume_;
  }
  if (s.state != Stats::State::aside) s.reason.clear();
  s.objects = index_.objects();
  s.index_bytes = index_.bytes();
  s.segments_without_room = counters_.without_room;
  s.budget = config_.bytes;
  if (of) {
    s.segments = of->count();
    s.index_bytes += of->count() * sizeof(SegmentState);
    for (uint32_t i = 0; i < of->count(); ++i) {
      s.bytes += of->segment(i).used;
      s.segments_free += of->segment(i).kind == Kind::free;
    }
  }
  s.reads = counters_.reads;
  s.writes = counters_.writes;
  s.written_bytes = counters_.written_bytes;
  s.rewritten_bytes = counters_.rewritten_bytes;
  s.refused = counters_.refused;
  s.damaged = counters_.damaged;
  s.reclaimed = counters_.reclaimed;
  s.evicted = counters_.evicted;
  s.syncs = counters_.syncs;
  s.errors = counters_.errors;
  return s;
}

std::vector<SegmentStats> Disk::Engine::segments() const {
  std::vector<SegmentStats> out;
  std::shared_ptr<Volume> of = volume();
  for (uint32_t i = 0; of && i < of->count(); ++i) {
    const SegmentState& s = of->segment(i);
    out.push_back({s.kind, s.open, s.opened_ms, s.live, s.used});
  }
  return out;
}

}  // namespace portolan::edge::disk
