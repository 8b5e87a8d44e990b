#include "edge/purge/clock.hh"

#include <algorithm>
#include <bit>

#include "core/http/authority.hh"
#include "edge/purge/digest.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

constexpr size_t first_slots = 64;
constexpr uint64_t pending = UINT64_MAX;  // a purge whose number isn't known yet: it reaches everything

uint64_t never_zero(uint64_t digest) {
  return digest ? digest : 1;
}

}  // namespace

PurgeClock::PurgeClock() = default;
PurgeClock::~PurgeClock() = default;

// ── reading ──

struct PurgeClock::Search {
  const Table* table;
  const Blurry* blurry;
  uint64_t sequence;
  Verdict found = {};

  void judge(uint64_t hard, uint64_t soft, int64_t soft_ms) {
    if (sequence < hard) {
      found.how = Purged::hard;
    } else if (sequence < soft && found.how != Purged::hard) {
      found.at_ms = found.how == Purged::soft ? std::min(found.at_ms, soft_ms) : soft_ms;
      found.how = Purged::soft;
    }
  }
  bool settled() const { return found.how == Purged::hard; }

  // A whole name.
  void look_up(uint64_t digest) {
    if (table) probe(digest);
    if (blurry) judge(blurry->numbers[never_zero(digest) & blurry->mask].load(std::memory_order_acquire), 0, 0);
  }

  void probe(uint64_t digest) {
    digest = never_zero(digest);
    for (size_t i = digest & table->mask;; i = (i + 1) & table->mask) {
      const Slot& slot = table->slots[i];
      uint64_t there = slot.digest.load(std::memory_order_acquire);
      if (there == 0) return;
      if (there != digest) continue;
      // The time stands before the number.
      uint64_t hard = slot.hard.load(std::memory_order_acquire), soft = slot.soft.load(std::memory_order_acquire);
      return judge(hard, soft, slot.soft_ms.load(std::memory_order_relaxed));
    }
  }

  void probe_prefixes(uint64_t host, std::string_view path) {
    for (size_t word = 0; word < table->lengths.size(); ++word) {
      uint64_t bits = table->lengths[word].load(std::memory_order_acquire);
      for (; bits != 0 && !settled(); bits &= bits - 1) {
        size_t length = word * 64 + static_cast<size_t>(std::countr_zero(bits)) + 1;
        if (length > path.size()) return;
        std::string_view prefix = path.substr(0, length);
        probe(prefix_digest(host, prefix, false));
        if (length == path.size() || path[length] == '/') probe(prefix_digest(host, prefix, true));
      }
    }
  }
};

PurgeClock::Verdict PurgeClock::check(std::string_view key, const PurgeTags& tags, uint64_t sequence) const {
  if (sequence > latest()) return {};
  // In this order: a name is in the second before it leaves the first.
  const Table* table = table_.load(std::memory_order_acquire);
  Search search{table, blurry_.load(std::memory_order_acquire), sequence};
  int64_t soft_ms = soft_floor_ms_.load(std::memory_order_acquire);
  search.judge(hard_floor_.load(std::memory_order_acquire), soft_floor_.load(std::memory_order_acquire), soft_ms);
  if (search.settled() || (!search.table && !search.blurry)) return search.found;
  KeyParts parts = split_key(key);
  search.look_up(url_digest(parts.primary));
  for (uint64_t tag : tags.digests) search.look_up(tag);
  bool prefixes = table && table->prefixes.load(std::memory_order_acquire);
  // Purges name a host at every port, or at the one that they give.
  Text storage;
  for (std::string_view name :
       {http::without_port(parts.authority), http::with_port(parts.authority, parts.scheme, storage)}) {
    if (search.settled()) break;
    uint64_t digest = host_digest(name);
    search.look_up(digest);
    if (prefixes) search.probe_prefixes(digest, parts.path);
  }
  return search.found;
}

// ── writing ──

PurgeClock::Slot& PurgeClock::slot_for(Table& table, uint64_t digest) {
  size_t i = digest & table.mask;
  for (;; i = (i + 1) & table.mask) {
    uint64_t there = table.slots[i].digest.load(std::memory_order_relaxed);
    if (there == digest || there == 0) return table.slots[i];
  }
}

PurgeClock::Table& PurgeClock::room_for_one() {
  if (owned_ && owned_->used * 2 < owned_->mask + 1) return *owned_;
  auto larger = std::make_shared<Table>(owned_ ? (owned_->mask + 1) * 2 : first_slots);
  for (size_t i = 0; owned_ && i <= owned_->mask; ++i) {
    const Slot& old = owned_->slots[i];
    uint64_t digest = old.digest.load(std::memory_order_relaxed);
    if (digest == 0) continue;
    Slot& slot = slot_for(*larger, digest);
    slot.hard = old.hard.load(std::memory_order_relaxed);
    slot.soft = old.soft.load(std::memory_order_relaxed);
    slot.soft_ms = old.soft_ms.load(std::memory_order_relaxed);
    slot.digest = digest;
    ++larger->used;
  }
  if (owned_) {
    for (size_t word = 0; word < owned_->lengths.size(); ++word) larger->lengths[word] = owned_->lengths[word].load();
    larger->prefixes = owned_->prefixes.load();
    retired_.push_back(owned_);
  }
  owned_ = std::move(larger);
  table_.store(owned_.get(), std::memory_order_release);
  return *owned_;
}

void PurgeClock::set(Slot& slot, const Mark& mark, uint64_t sequence) {
  if (mark.soft) {
    slot.soft_ms.store(mark.at_ms, std::memory_order_release);
    slot.soft.store(sequence, std::memory_order_release);
  } else {
    slot.hard.store(sequence, std::memory_order_release);
  }
}

void PurgeClock::note_path(Table& table, uint32_t path) {
  if (path == 0) return;
  table.lengths[(path - 1) / 64].fetch_or(uint64_t{1} << ((path - 1) % 64), std::memory_order_acq_rel);
  table.prefixes.store(true, std::memory_order_release);
}

void PurgeClock::see(uint64_t sequence, int64_t at_ms) {
  latest_.store(std::max(latest(), sequence), std::memory_order_release);
  latest_ms_.store(std::max(latest_ms(), at_ms), std::memory_order_release);
}

// In two steps: first it reaches everything, then what is below its number. Between them a number was taken; so there is
// none above it whose owner could miss the mark.
uint64_t PurgeClock::add(const Mark& mark, const std::function<uint64_t()>& next) {
  uint64_t digest = never_zero(mark.digest), before = latest();
  Table& table = room_for_one();
  Slot& slot = slot_for(table, digest);
  set(slot, mark, pending);
  if (slot.digest.load(std::memory_order_relaxed) == 0) {
    slot.digest.store(digest, std::memory_order_release);
    ++table.used;
  }
  note_path(table, mark.path);
  latest_.store(pending, std::memory_order_release);
  changed();
  uint64_t sequence = next();
  set(slot, mark, sequence);
  latest_.store(std::max(before, sequence), std::memory_order_release);
  see(sequence, mark.at_ms);
  changed();
  return sequence;
}

uint64_t PurgeClock::add_all(bool soft, int64_t at_ms, const std::function<uint64_t()>& next) {
  uint64_t before = latest();
  if (soft) soft_floor_ms_.store(at_ms, std::memory_order_release);
  (soft ? soft_floor_ : hard_floor_).store(pending, std::memory_order_release);
  latest_.store(pending, std::memory_order_release);
  changed();
  uint64_t sequence = next();
  (soft ? soft_floor_ : hard_floor_).store(sequence, std::memory_order_release);
  latest_.store(std::max(before, sequence), std::memory_order_release);
  see(sequence, at_ms);
  changed();
  return sequence;
}

void PurgeClock::blur(uint64_t digest, uint64_t sequence, size_t slots) {
  if (!blurry_owned_) blurry_owned_ = std::make_unique<Blurry>(slots);
  std::atomic<uint64_t>& number = blurry_owned_->numbers[never_zero(digest) & blurry_owned_->mask];
  number.store(std::max(number.load(std::memory_order_relaxed), sequence), std::memory_order_release);
  blurred_ = std::max(blurred_, sequence);
  blurry_.store(blurry_owned_.get(), std::memory_order_release);
  see(sequence, 0);
}

void PurgeClock::restore(const Mark& mark, uint64_t sequence) {
  uint64_t digest = never_zero(mark.digest);
  Table& table = room_for_one();
  Slot& slot = slot_for(table, digest);
  if ((mark.soft ? slot.soft : slot.hard).load(std::memory_order_relaxed) < sequence) set(slot, mark, sequence);
  if (slot.digest.load(std::memory_order_relaxed) == 0) {
    slot.digest.store(digest, std::memory_order_release);
    ++table.used;
  }
  note_path(table, mark.path);
  see(sequence, mark.at_ms);
  changed();
}

void PurgeClock::raise(const Floors& floors) {
  if (floors.hard > hard_floor_.load()) hard_floor_.store(floors.hard, std::memory_order_release);
  if (floors.soft > soft_floor_.load()) {
    soft_floor_ms_.store(floors.soft_ms, std::memory_order_release);
    soft_floor_.store(floors.soft, std::memory_order_release);
  }
  see(std::max(floors.hard, floors.soft), 0);
  changed();
}

PurgeClock::Floors PurgeClock::floors() const {
  return {hard_floor_.load(), soft_floor_.load(), soft_floor_ms_.load()};
}

void PurgeClock::rebuild(const Floors& floors, const std::function<void(PurgeClock&)>& fill) {
  raise(floors);
  // Readers keep to the old table until the new one is whole.
  auto old = std::exchange(owned_, nullptr);
  PurgeClock fresh;
  fill(fresh);
  owned_ = std::move(fresh.owned_);
  table_.store(owned_.get(), std::memory_order_release);
  if (old) retired_.push_back(std::move(old));
  changed();
}

uint64_t PurgeClock::bytes() const {
  return owned_ ? (owned_->mask + 1) * sizeof(Slot) + sizeof(Table) : 0;
}

}  // namespace portolan::edge
