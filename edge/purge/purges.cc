#include "edge/purge/purges.hh"

#include <algorithm>
#include <cerrno>

#include "core/base/log.hh"
#include "edge/purge/digest.hh"

namespace portolan::edge {
namespace {

constexpr uint64_t record_bytes = 34;                 // of a log, beside the value
constexpr uint64_t small_log = 256 << 10;             // not compacted
constexpr uint64_t entry_overhead = 2 * 64 + 2 * 48;  // its share of the clock's table, nodes

}  // namespace

uint64_t Purges::cost(const PurgeEntry& entry) {
  return sizeof(PurgeEntry) + sizeof(std::string) + 2 * entry.purge.value.size() + entry_overhead;
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

void Purges::forget(List::iterator entry) {
  bytes_ -= cost(entry->second);
  log_live_ -= record_bytes + entry->second.purge.value.size();
  numbers_.erase(name(entry->second.purge));
  list_.erase(entry);
}

void Purges::keep(PurgeEntry entry) {
  uint64_t number = entry.number;
  auto [known, fresh] = numbers_.emplace(name(entry.purge), number);
  if (!fresh) {
    forget(list_.find(known->second));
    numbers_.emplace(name(entry.purge), number);
  }
  bytes_ += cost(entry);
  log_live_ += record_bytes + entry.purge.value.size();
  last_number_ = std::max(last_number_, number);
  list_.emplace(number, std::move(entry));
}

void Purges::let_readers_go() {
  auto retired = clock_.take_retired();
  if (!retired.empty()) hooks_.wait_for_readers();
}

void Purges::rebuild(const PurgeClock::Floors& floors) {
  clock_.rebuild(floors, [this](PurgeClock& clock) {
    for (const auto& [number, entry] : list_)
      if (entry.purge.kind != PurgeKind::all) clock.restore(mark_of(entry), entry.sequence);
  });
  let_readers_go();
}

// First goes what is older than all that is stored; where that isn't enough, the oldest become one purge of all.
void Purges::stay_within() {
  if (bytes_ <= budget_) return;
  uint64_t oldest = log_ ? 0 : hooks_.oldest_stored();  // with a log there is more, on the disk
  PurgeClock::Floors floors = clock_.floors();
  oldest = std::max(oldest, floors.hard);
  for (auto it = list_.begin(); it != list_.end();) {
    auto entry = it++;
    if (entry->second.sequence > oldest) break;
    trimmed_ = entry->first;
    forget(entry);
    ++forgotten_;
  }
  uint64_t merged = 0;
  if (bytes_ > budget_ / 4 * 3) {
    while (!list_.empty() && bytes_ > budget_ / 2) {
      const PurgeEntry& first = list_.begin()->second;
      if (first.purge.soft) {
        floors.soft = std::max(floors.soft, first.sequence);
        floors.soft_ms = first.at_ms;
      } else {
        floors.hard = std::max(floors.hard, first.sequence);
      }
      trimmed_ = first.number;
      forget(list_.begin());
      ++merged;
    }
  }
  if (merged > 0) {
    ++merged_;
    log::warning("purges merged", {{"entries", merged},
                                   {"reason", "purge_memory is full: everything older than these counts as purged"}});
  }
  rebuild(floors);
  if (log_) log_->compact();
}

// ── in use ──

PurgeEntry Purges::add(const Purge& purge, int64_t now_ms, Done done) {
  PurgeEntry entry{0, 0, now_ms, purge};
  Status refused;
  bool told = false;
  {
    std::lock_guard lock(mutex_);
    entry.sequence = purge.kind == PurgeKind::all ? clock_.add_all(purge.soft, now_ms, hooks_.next_sequence)
                                                  : clock_.add(mark_of(entry), hooks_.next_sequence);
    entry.number = last_number_ + 1;
    ++made_;
    bool reaches_all = purge.kind == PurgeKind::all && !purge.soft;
    while (reaches_all && !list_.empty()) forget(list_.begin());
    keep(entry);
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
  for (auto& [number, entry] : list_) before.push_back(std::move(entry));
  list_.clear();
  numbers_.clear();
  bytes_ = log_live_ = 0;
  const bool numbered_alike = log_ != nullptr;  // from the wall clock on, as what is on the disk
  hooks_.begin_sequence(opened.image.began);
  began_ = opened.image.began;
  last_number_ = opened.image.last_number;
  trimmed_ = opened.lost ? last_number_ : 0;
  clock_.raise(opened.image.floors);
  for (PurgeEntry& entry : opened.image.entries) {
    if (entry.purge.kind == PurgeKind::all) {
      PurgeClock::Floors floors;
      (entry.purge.soft ? floors.soft : floors.hard) = entry.sequence;
      if (entry.purge.soft) floors.soft_ms = entry.at_ms;
      clock_.raise(floors);
    } else {
      clock_.restore(mark_of(entry), entry.sequence);
    }
    keep(std::move(entry));
  }
  log_ = std::move(opened.log);
  log_->compact_from(std::move(source));
  for (PurgeEntry& entry : before) {  // they reach what is on the disk, too
    if (!numbered_alike)
      entry.sequence = entry.purge.kind == PurgeKind::all
                           ? clock_.add_all(entry.purge.soft, entry.at_ms, hooks_.next_sequence)
                           : clock_.add(mark_of(entry), hooks_.next_sequence);
    entry.number = last_number_ + 1;
    keep(entry);
    log_->append(entry, {});
  }
  let_readers_go();
  stay_within();
}

std::string Purges::log_directory() const {
  std::lock_guard lock(mutex_);
  return log_ ? log_->directory() : std::string();
}

std::optional<PurgeImage> Purges::image() const {
  std::lock_guard lock(mutex_);
  PurgeImage image;
  image.floors = clock_.floors();
  image.began = began_;
  image.last_number = last_number_;
  for (const auto& [number, entry] : list_) image.entries.push_back(entry);
  return image;
}

void Purges::set_budget(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  budget_ = bytes;
  stay_within();
}

// By old digests and by new ones: a configuration may come back.
void Purges::rules_changed() {
  std::lock_guard lock(mutex_);
  for (const auto& [number, entry] : list_)
    if (entry.purge.kind == PurgeKind::url) clock_.restore(mark_of(entry), entry.sequence);
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
    since.entries.push_back(it->second);
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
