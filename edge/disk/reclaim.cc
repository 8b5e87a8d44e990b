#include "edge/disk/reclaim.hh"

#include <algorithm>

namespace portolan::edge::disk {
namespace {

constexpr double rewritten_share = 0.2;  // of what is written
constexpr uint64_t step_bytes = 1 << 20;
// Of the segments. A tenth, as S3-FIFO has it, keeps a little more of steady traffic, but less than LRU where six in ten of
// what is popular change by the time that six times the store's bytes were written: the main queue moves slowly here, by
// as much as the budget lets in.
constexpr double probation_share = 0.15;

}  // namespace

void Reclaimer::earned(uint64_t bytes) {
  // What filling the store for the first time earned is there when it first runs out of room.
  double most = rewritten_share * static_cast<double>(store_.volume->segment_bytes() * store_.volume->count());
  budget_ = std::min(most, budget_ + rewritten_share * static_cast<double>(bytes));
}

std::optional<Reclaimer::Victim> Reclaimer::choose() const {
  double in_use = static_cast<double>(store_.probation.size() + store_.main.size());
  bool probation_first = static_cast<double>(store_.probation.size()) > probation_share * in_use;
  auto unheld = [this](uint32_t number) { return store_.volume->segment(number).pins.load() == 0; };
  for (auto* queue :
       {probation_first ? &store_.probation : &store_.main, probation_first ? &store_.main : &store_.probation})
    if (auto at = std::find_if(queue->begin(), queue->end(), unheld); at != queue->end()) return Victim{queue, at};
  return std::nullopt;
}

bool Reclaimer::covers(uint32_t number) const {
  const SegmentState& segment = store_.volume->segment(number);
  return segment.entries == 0 || segment.last_order < store_.covered;
}

bool Reclaimer::covered() const {
  if (busy_) return true;
  auto victim = choose();
  return !victim || covers(*victim->at);
}

bool Reclaimer::uncovered_soon() const {
  const auto& queue = store_.probation;
  return store_.free.size() <= reserve() && queue.size() >= 4 && !covers(queue[queue.size() / 4]);
}

bool Reclaimer::begin() {
  auto victim = choose();
  if (!victim) return false;
  victim_ = *victim->at;
  victim->queue->erase(victim->at);
  busy_ = true;
  moves_.clear();
  SegmentState& segment = store_.volume->segment(victim_);
  segment.leaving = true;
  if (segment.kind == Kind::probation) store_.next_turn();
  if (segment.live.load() == 0) return true;
  auto contents = store_.volume->contents(victim_);
  if (contents) {
    sort_out(*contents);
  } else {
    ++store_.counters.errors;
  }
  return true;
}

// Which of the victim's records move on; the others go at once.
void Reclaimer::sort_out(const Footer& contents) {
  int64_t now_s = store_.clock.wall_ms() / 1000;
  const bool from_main = store_.volume->segment(victim_).kind == Kind::main;
  for (const FooterEntry& entry : contents.entries) {
    Index::Name name = Index::name_of(entry.key);
    Place place{victim_, entry.unit};
    auto there = store_.index.find(name);
    if (!there || !(there->place == place)) continue;
    bool useful = entry.useless_s > now_s;
    if (there->frequency > 0 && useful)
      moves_.push_back({entry, there->frequency});
    else if (useful && !from_main ? store_.bury(name, place) : store_.leave(name, place))
      ++store_.counters.evicted;
  }
  std::stable_sort(moves_.begin(), moves_.end(),
                   [](const Move& a, const Move& b) { return a.frequency < b.frequency; });
  double left = budget_;
  auto over = moves_.end();
  while (over != moves_.begin() && left >= (over - 1)->entry.body_bytes) left -= (--over)->entry.body_bytes;
  for (auto it = moves_.begin(); it != over; ++it)
    if (store_.leave(Index::name_of(it->entry.key), {victim_, it->entry.unit})) ++store_.counters.evicted;
  moves_.erase(moves_.begin(), over);
}

Result<bool> Reclaimer::step() {
  if (!busy_ && !begin()) return false;
  if (!moves_.empty()) {
    Status moved = move_some();
    if (moved) moved = commit();
    if (!moved) {
      moved_.clear();
      store_.give_up(Kind::main);
      return moved.error();
    }
    return true;
  }
  finish();
  return true;
}

Status Reclaimer::move_some() {
  uint64_t before = store_.log.written_bytes();
  for (int n = 0; n < 256 && !moves_.empty() && store_.log.written_bytes() - before < step_bytes; ++n) {
    Move next = moves_.back();
    moves_.pop_back();
    auto moved = move(next);
    if (!moved) return moved.error();
    if (!*moved && store_.leave(Index::name_of(next.entry.key), {victim_, next.entry.unit})) ++store_.counters.evicted;
  }
  return {};
}

// False: it can't be moved, and goes.
Result<bool> Reclaimer::move(const Move& next) {
  Volume& volume = *store_.volume;
  Place from{victim_, next.entry.unit};
  // A later one was written since this segment's turn began, or it was removed: appended now, this would be the latest.
  auto there = store_.index.find(Index::name_of(next.entry.key));
  if (!there || !(there->place == from)) return false;
  auto head = volume.read_head(from, volume.segment(victim_).epoch);
  if (!head) ++store_.counters.errors;
  if (head && !*head) ++store_.counters.damaged;
  if (!head || !*head) return false;
  Head& record = **head;
  uint64_t space = Log::space_of(record.body_bytes, record.meta.size());
  if (!store_.log.fits(Kind::main, space)) {
    if (Status s = commit(); !s) return s.error();
    if (Status s = store_.seal(Kind::main); !s) return s.error();
    if (store_.free.empty()) return false;
    auto opened = store_.open_segment(Kind::main);
    if (!opened) return opened.error();
    if (!*opened) return false;
  }
  uint64_t at = volume.offset_of(victim_) + record.body_at;
  auto source = [&](std::span<char> out) {
    auto n = volume.data().read_at(out, at);
    at += out.size();
    return n && *n == out.size();
  };
  uint64_t bytes = record.body_bytes;
  auto appended = store_.log.append(Kind::main, std::move(record), true, source);
  if (!appended) return appended.error();
  if (!appended->whole) {
    ++store_.counters.damaged;
    return false;
  }
  budget_ -= static_cast<double>(bytes);
  store_.counters.rewritten_bytes += space;
  moved_.push_back({next, appended->place});
  return true;
}

Status Reclaimer::commit() {
  if (moved_.empty()) return {};
  if (Status s = store_.log.flush(Kind::main); !s) return s;
  for (const Moved& m : moved_) {
    Index::Name name = Index::name_of(m.move.entry.key);
    SegmentState& to = store_.volume->segment(m.to.segment);
    to.live.fetch_add(1, std::memory_order_relaxed);
    Place from{victim_, m.move.entry.unit};
    if (store_.index.move(name, from, {m.to, 0, false}))
      store_.left(from);
    else
      store_.left(m.to);
  }
  moved_.clear();
  return {};
}

// Nothing leads there any more: whoever looked a record up before and goes on to read it holds the segment.
void Reclaimer::finish() {
  SegmentState& segment = store_.volume->segment(victim_);
  // What the segment's own account has lost.
  if (segment.live.load() > 0) {
    uint64_t gone = store_.index.erase_segment(victim_);
    segment.live.fetch_sub(static_cast<uint32_t>(gone));
    store_.counters.evicted += gone;
  }
  segment.leaving = false;
  segment.kind = Kind::free;
  segment.used = 0;
  segment.entries = 0;
  (void)store_.volume->write_row(victim_);  // a start that doesn't know finds records that are no more
  store_.emptied.push_back(victim_);
  store_.collect();
  ++store_.counters.reclaimed;
  busy_ = false;
}

}  // namespace portolan::edge::disk
