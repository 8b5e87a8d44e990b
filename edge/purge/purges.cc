#include "edge/purge/purges.hh"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "core/base/log.hh"
#include "edge/purge/digest.hh"

namespace portolan::edge {
namespace {

constexpr uint64_t record_bytes = 34;                 // of a log, beside the value
constexpr uint64_t small_log = 256 << 10;             // not compacted
constexpr uint64_t entry_overhead = 2 * 64 + 2 * 48;  // its share of the clock's table, nodes
constexpr size_t copied_at_once = 4096;

}  // namespace

uint64_t Purges::cost(const PurgeEntry& entry) {
  return sizeof(Kept) + sizeof(std::string) + 2 * entry.purge.value.size() + entry_overhead;
}

std::string Purges::name(const Purge& purge) {
  return std::string{static_cast<char>('0' + static_cast<int>(purge.kind)), purge.soft ? 's' : 'h'} + purge.value;
}

PurgeClock::Mark Purges::mark_of(const PurgeEntry& entry) const {
  PurgeClock::Mark mark{0, 0, entry.purge.soft, entry.at_ms};
  std::string_view value = entry.purge.value;
  switch (entry.purge.kind) {
    case PurgeKind::url:
      mark.digest = hooks_.url_digest(entry.purge.value);
      break;
    case PurgeKind::host:
      mark.digest = host_digest(value);
      break;
    case PurgeKind::tag:
      mark.digest = tag_digest(value);
      break;
    case PurgeKind::prefix: {
      size_t slash = std::min(value.find('/'), value.size());
      std::string_view path = value.substr(slash);
      bool characters = path.ends_with('*') || path.ends_with('/');
      if (path.ends_with('*')) path.remove_suffix(1);
      mark.digest = prefix_digest(host_digest(value.substr(0, slash)), path, !characters);
      mark.path = static_cast<uint32_t>(path.size());
      break;
    }
    case PurgeKind::all:
      break;
  }
  return mark;
}

// ── the list ──

void Purges::forget(List::iterator kept) {
  const PurgeEntry& entry = kept->second.entry;
  bytes_ -= cost(entry);
  log_live_ -= record_bytes + entry.purge.value.size();
  numbers_.erase(name(entry.purge));
  list_.erase(kept);
}

void Purges::keep(PurgeEntry entry, const PurgeClock::Mark& mark) {
  uint64_t number = entry.number;
  auto [known, fresh] = numbers_.emplace(name(entry.purge), number);
  if (!fresh) {
    forget(list_.find(known->second));
    numbers_.emplace(name(entry.purge), number);
  }
  bytes_ += cost(entry);
  log_live_ += record_bytes + entry.purge.value.size();
  last_number_ = std::max(last_number_, number);
  list_.emplace(number, Kept{std::move(entry), mark});
}

void Purges::let_readers_go() {
  auto retired = clock_.take_retired();
  if (!retired.empty()) hooks_.wait_for_readers();
}

void Purges::rebuild(const PurgeClock::Floors& floors) {
  clock_.rebuild(floors, [this](PurgeClock& clock) {
    for (const auto& [number, kept] : list_)
      if (kept.entry.purge.kind != PurgeKind::all) clock.restore(kept.mark, kept.entry.sequence);
  });
  let_readers_go();
}

uint64_t Purges::room() const {
  return budget_ - std::min(budget_, clock_.blurred_bytes());
}

// First goes what is older than all that is stored; where that isn't enough, the oldest share slots.
void Purges::stay_within() {
  if (bytes_ <= room()) return;
  uint64_t oldest = log_ ? 0 : hooks_.oldest_stored();  // with a log there is more, on the disk
  PurgeClock::Floors floors = clock_.floors();
  oldest = std::max(oldest, floors.hard);
  for (auto it = list_.begin(); it != list_.end();) {
    auto kept = it++;
    if (kept->second.entry.sequence > oldest) break;
    trimmed_ = std::max(trimmed_, kept->first);
    forget(kept);
    ++forgotten_;
  }
  if (bytes_ > room() / 4 * 3) merge();
  rebuild(clock_.floors());
  if (log_) log_->compact();
}

// The oldest half: exact names are let go of where a slot that they share will do, and where none will, all that is older
// counts as purged.
void Purges::merge() {
  uint64_t merged = 0;
  const uint64_t wanted = room() / 2;
  const size_t slots = std::bit_floor(std::max<uint64_t>(budget_ / 4 / sizeof(uint64_t), 64));
  for (auto it = list_.begin(); it != list_.end() && bytes_ > wanted;) {
    auto kept = it++;
    const PurgeEntry& entry = kept->second.entry;
    const PurgeKind kind = entry.purge.kind;
    if (entry.purge.soft || kind == PurgeKind::prefix || kind == PurgeKind::all) continue;
    clock_.blur(kept->second.mark.digest, entry.sequence, slots);
    trimmed_ = std::max(trimmed_, entry.number);
    forget(kept);
    ++merged;
  }
  PurgeClock::Floors floors = clock_.floors();
  for (; !list_.empty() && bytes_ > wanted; ++merged) {
    const PurgeEntry& first = list_.begin()->second.entry;
    if (first.purge.soft) {
      floors.soft = std::max(floors.soft, first.sequence);
      floors.soft_ms = first.at_ms;
    } else {
      floors.hard = std::max(floors.hard, first.sequence);
    }
    trimmed_ = std::max(trimmed_, first.number);
    forget(list_.begin());
  }
  clock_.raise(floors);
  ++merged_;
  log::warning(
      "purges merged",
      {{"entries", merged}, {"reason", "purge_memory is full: some of what is older than these counts as purged"}});
}

// ── in use ──

PurgeEntry Purges::add(const Purge& purge, int64_t now_ms, Done done) {
  PurgeEntry entry{0, 0, now_ms, purge};
  Status refused;
  bool told = false;
  {
    std::lock_guard lock(mutex_);
    const PurgeClock::Mark mark = mark_of(entry);
    entry.sequence = purge.kind == PurgeKind::all ? clock_.add_all(purge.soft, now_ms, hooks_.next_sequence)
                                                  : clock_.add(mark, hooks_.next_sequence);
    entry.number = last_number_ + 1;
    ++made_;
    bool reaches_all = purge.kind == PurgeKind::all && !purge.soft;
    while (reaches_all && !list_.empty()) forget(list_.begin());
    keep(entry, mark);
    reaches_all ? rebuild({}) : let_readers_go();
    if (log_) {
      told = log_->append(entry, done);
      if (!told) refused = Error{"too much waits for the disk", EAGAIN};
      if (log_->stats().bytes > 2 * log_live_ + small_log) log_->compact();
    }
    stay_within();
  }
  if (!told && done) done(refused);
  return entry;
}

void Purges::attach(PurgeLog::Opened opened, PurgeLog::Source source) {
  std::lock_guard lock(mutex_);
  std::vector<PurgeEntry> before;  // of this process
  for (auto& [number, kept] : list_) before.push_back(std::move(kept.entry));
  list_.clear();
  numbers_.clear();
  bytes_ = log_live_ = 0;
  const bool numbered_alike = log_ != nullptr;  // from the wall clock on, as what is on the disk
  hooks_.begin_sequence(opened.image.began);
  began_ = opened.image.began;
  last_number_ = opened.image.last_number;
  trimmed_ = opened.lost ? last_number_ : opened.image.trimmed;
  const bool more = clock_.blurred() > 0 || clock_.floors().hard > opened.image.floors.hard ||
                    clock_.floors().soft > opened.image.floors.soft;  // of this process
  clock_.raise(opened.image.floors);
  for (PurgeEntry& entry : opened.image.entries) {
    if (entry.purge.kind == PurgeKind::all) {
      PurgeClock::Floors floors;
      (entry.purge.soft ? floors.soft : floors.hard) = entry.sequence;
      if (entry.purge.soft) floors.soft_ms = entry.at_ms;
      clock_.raise(floors);
    }
    const PurgeClock::Mark mark = mark_of(entry);
    if (entry.purge.kind != PurgeKind::all) clock_.restore(mark, entry.sequence);
    keep(std::move(entry), mark);
  }
  log_ = std::move(opened.log);
  log_->compact_from(std::move(source));
  for (PurgeEntry& entry : before) {  // they reach what is on the disk, too
    const PurgeClock::Mark mark = mark_of(entry);
    if (!numbered_alike)
      entry.sequence = entry.purge.kind == PurgeKind::all
                           ? clock_.add_all(entry.purge.soft, entry.at_ms, hooks_.next_sequence)
                           : clock_.add(mark, hooks_.next_sequence);
    entry.number = last_number_ + 1;
    keep(entry, mark);
    log_->append(entry, {});
  }
  if (more) log_->compact();
  let_readers_go();
  stay_within();
}

std::string Purges::log_directory() const {
  std::lock_guard lock(mutex_);
  return log_ ? log_->directory() : std::string();
}

// A piece at a time, as others wait for the lock. What comes meanwhile has a higher number and is in a later piece.
std::optional<PurgeImage> Purges::image() const {
  PurgeImage image;
  for (uint64_t upto = 0;;) {
    std::lock_guard lock(mutex_);
    auto it = list_.upper_bound(upto);
    for (size_t n = 0; it != list_.end() && n < copied_at_once; ++it, ++n) {
      image.entries.push_back(it->second.entry);
      upto = it->first;
    }
    if (it != list_.end()) continue;
    image.floors = clock_.floors();
    // Slots aren't written down: after a start whatever is older than what they stand for counts as purged.
    image.floors.hard = std::max(image.floors.hard, clock_.blurred());
    image.began = began_;
    image.last_number = last_number_;
    image.trimmed = trimmed_;
    return image;
  }
}

void Purges::set_budget(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  budget_ = bytes;
  stay_within();
}

// By old digests and by new ones: a configuration may come back.
void Purges::rules_changed() {
  std::lock_guard lock(mutex_);
  PurgeClock::Floors floors;
  floors.hard = clock_.blurred();  // of these nobody knows which URLs they were
  clock_.raise(floors);
  for (auto& [number, kept] : list_) {
    if (kept.entry.purge.kind != PurgeKind::url) continue;
    kept.mark = mark_of(kept.entry);
    clock_.restore(kept.mark, kept.entry.sequence);
  }
  let_readers_go();
}

std::optional<Purges::Since> Purges::entries_after(uint64_t number, size_t most) const {
  std::lock_guard lock(mutex_);
  if (number < trimmed_ || number > last_number_) return std::nullopt;
  Since since;
  since.upto = last_number_;
  for (auto it = list_.upper_bound(number); it != list_.end(); ++it) {
    if (since.entries.size() == most) {
      since.upto = since.entries.empty() ? number : since.entries.back().number;
      break;
    }
    since.entries.push_back(it->second.entry);
  }
  return since;
}

Purges::Stats Purges::stats() const {
  std::lock_guard lock(mutex_);
  Stats s;
  s.made = made_;
  s.entries = list_.size();
  s.bytes = bytes_;
  s.budget = budget_;
  s.forgotten = forgotten_;
  s.merged = merged_;
  s.last_number = last_number_;
  s.logged = log_ != nullptr;
  if (log_) {
    PurgeLog::Stats l = log_->stats();
    s.durable = l.durable;
    s.log_bytes = l.bytes;
    s.log_errors = l.errors;
    s.log_error = l.error;
  }
  return s;
}

}  // namespace portolan::edge
