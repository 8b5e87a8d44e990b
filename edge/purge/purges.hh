#pragma once
// The purges of one cache: numbers them, keeps their list within its memory, tells the clock and the log. Entries that
// name the same thing are one: the latest.
//
// Threads: any. Its lock is taken with no shard's held; Hooks are called under it.
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/purge/clock.hh"
#include "edge/purge/log.hh"

namespace portolan::edge {

class Purges {
 public:
  struct Hooks {
    std::function<uint64_t()> next_sequence;
    std::function<void(uint64_t at_least)> begin_sequence;  // the next number is higher
    // The lowest sequence of all that is in memory or being fetched, once what was purged is gone; 0: nobody knows. Takes
    // its time.
    std::function<uint64_t()> oldest_stored;
    // Comes back when everybody who holds a shard's lock has let go of it.
    std::function<void()> wait_for_readers;
    // The digest of a URL by the rules of now.
    std::function<uint64_t(const std::string& url)> url_digest;
  };
  using Done = PurgeLog::Done;

  struct Stats {
    uint64_t made = 0;     // since the start
    uint64_t entries = 0;  // kept
    uint64_t bytes = 0, budget = 0;
    uint64_t forgotten = 0;  // older than all that is stored
    uint64_t merged = 0;     // times that memory was short: what shares a slot with the oldest counts as purged, too
    uint64_t last_number = 0, durable = 0, log_bytes = 0, log_errors = 0;
    bool logged = false;  // there is a log
    std::string log_error;
  };

  explicit Purges(uint64_t budget) : budget_(budget) {}
  void use(Hooks hooks) { hooks_ = std::move(hooks); }  // first of all

  const PurgeClock& clock() const { return clock_; }
  // Takes effect at once: what is found from its return on is not older. `purge` is normalised(). `done` is told when it
  // is durable, or that it isn't: at once where there is no log, else on an Executor's thread.
  PurgeEntry add(const Purge& purge, int64_t now_ms, Done done);
  // From here on what is purged is durable. What the log says takes effect, and the sequence begins where it says; what
  // was purged before goes to the log as well. Call it before anything of an earlier process is served. `source` has to
  // outlive nothing: it may find that all is gone. A second log takes the place of the first; not one of the same
  // directory, where both would write.
  void attach(PurgeLog::Opened opened, PurgeLog::Source source);
  std::optional<PurgeImage> image() const;
  std::string log_directory() const;  // empty: there is no log
  void set_budget(uint64_t bytes);
  void rules_changed();  // what URLs' digests come from

  // This node's entries behind `number`, in their order; some may be missing that later ones made needless. nullopt: the
  // list doesn't reach back so far, and who asks has to count everything as purged.
  struct Since {
    std::vector<PurgeEntry> entries;
    uint64_t upto = 0;  // nothing up to this number is missing
  };
  std::optional<Since> entries_after(uint64_t number, size_t most) const;
  Stats stats() const;

 private:
  struct Kept {
    PurgeEntry entry;
    PurgeClock::Mark mark;
  };
  using List = std::map<uint64_t, Kept>;  // by number
  PurgeClock::Mark mark_of(const PurgeEntry& entry) const;
  static uint64_t cost(const PurgeEntry& entry);
  static std::string name(const Purge& purge);
  void keep(PurgeEntry entry, const PurgeClock::Mark& mark);
  void forget(List::iterator kept);
  uint64_t room() const;  // for the list
  void merge();
  void stay_within();
  void rebuild(const PurgeClock::Floors& floors);
  void let_readers_go();

  mutable std::mutex mutex_;
  Hooks hooks_;
  PurgeClock clock_;
  std::shared_ptr<PurgeLog> log_;
  List list_;
  std::unordered_map<std::string, uint64_t> numbers_;  // by name
  uint64_t budget_;
  uint64_t bytes_ = 0;     // of the list
  uint64_t log_live_ = 0;  // of it in the log
  uint64_t last_number_ = 0;
  uint64_t trimmed_ = 0;  // entries up to this number may be gone for good
  uint64_t began_ = 0;
  uint64_t made_ = 0, forgotten_ = 0, merged_ = 0;
};

}  // namespace portolan::edge
