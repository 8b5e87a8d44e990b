#pragma once
// Behind Disk: one job at a time on the executor opens the store, recovers, writes, reclaims and checkpoints, a bounded
// piece after another; reads go beside it on as many threads as there are. What they share are the index (its own locks),
// the queue, counters, and the segments' pins.
#include <condition_variable>
#include <mutex>

#include "edge/disk/checkpoint.hh"
#include "edge/disk/queue.hh"
#include "edge/disk/reclaim.hh"
#include "edge/disk/recovery.hh"
#include "edge/disk/removals.hh"
#include "edge/disk/watched_files.hh"

namespace portolan::edge::disk {

class Disk::Engine : public std::enable_shared_from_this<Disk::Engine> {
 public:
  Engine(const Config& config, FileSystem& files, Executor& executor, const Clock& clock, const Tuning& tuning);
  void start() {
    started_ = true;
    kick();
  }
  void stop();
  const std::string& path() const { return config_.path; }

  bool may_have(Key key) const {
    return readable_.load(std::memory_order_relaxed) && !stalled_.load(std::memory_order_relaxed) &&
           index_.has(Index::name_of(key));
  }
  std::optional<Found> read(Key key);
  FileRef hold(const Spot& spot) const;
  bool waits(Key key) const { return queue_.has(key); }
  void touch(Key key) { index_.touch(Index::name_of(key)); }
  void when_stalled(std::function<void()> tell);
  void watched(const std::function<void()>& read) const;
  bool write(Record record);
  Removed remove(Key key);
  void tick();
  uint64_t last_sequence() const { return counters_.last_sequence.load(); }
  Stats stats() const;
  std::vector<SegmentStats> segments() const;
  std::optional<VerifyReport> verify(const Progress& progress);
  std::vector<Used> most_used(size_t most);

 private:
  enum class Phase : uint8_t { closed, recovering, serving };  // of the worker's own
  enum class Outcome : uint8_t { absent, again, done };

  // The job.
  void kick();
  void run();
  bool step();
  Status open();
  void recover();
  bool write_some();
  Result<bool> append(const Queue::Item& item, unsigned frequency);
  Result<bool> make_room(Kind kind, uint64_t space);
  Status commit();
  void forget_written();
  bool superseded(const Queue::Item& item, unsigned& frequency);
  void give_up(Key key, uint64_t ticket, uint64_t bytes);
  bool erase(Volume* of, Key key);  // false: there was none
  bool reclaim_some();
  bool cover();
  bool mend_some();
  bool checkpoint_some();
  void begin_checkpoint();
  bool step_checkpoint();
  void retry();
  void finish();

  // When the disk fails.
  void write_failed(const Error& error);
  void step_aside(const Error& error, bool readable);
  void close_store();
  void drop_waiting();

  bool sync_due(int64_t now_ms) const;
  void want_sync();
  void sync(std::shared_ptr<Volume> volume);
  Outcome try_read(Volume& volume, Key key, Found& found);
  Outcome lost(Key key, Place place, uint64_t epoch, const SegmentState& segment, bool error);
  std::shared_ptr<Volume> volume() const;

  const Config config_;
  const Tuning tuning_;
  const std::shared_ptr<Watches> watches_;
  WatchedFiles files_;
  Executor& executor_;
  const Clock& clock_;
  Counters counters_;
  Index index_;
  Queue queue_;
  Removals removals_;
  std::atomic<bool> started_{false}, readable_{false}, writable_{false};
  std::atomic<bool> stalled_{false}, writes_stalled_{false};
  std::atomic<Stats::State> state_{Stats::State::starting};
  std::atomic<uint64_t> trust_{1};                    // counts what makes all that was verified doubtful
  std::atomic<int> read_errors_{0}, sync_errors_{0};  // one after the other

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable idle_;
  bool scheduled_ = false, closed_ = false;
  int running_ = 0;
  bool syncing_ = false, sync_wanted_ = false;
  int64_t last_sync_ms_ = -1'000'000;
  std::string reason_, set_aside_;
  std::function<void()> tell_stalled_;
  std::shared_ptr<Volume> volume_;

  // Of the job alone.
  Phase phase_ = Phase::closed;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Recovery> recovery_;
  std::unique_ptr<Reclaimer> reclaimer_;
  std::unique_ptr<Checkpoint> checkpoint_;
  struct Written {
    Key key;
    uint64_t ticket = 0, bytes = 0, sequence = 0, space = 0;
    Place place;
    unsigned frequency = 0;
  };
  std::vector<Written> written_;  // in the log, not flushed yet
  int write_failures_ = 0;        // one after the other
  std::atomic<bool> mended_{false};
  bool cover_wanted_ = false;      // a checkpoint, so that there is something to reclaim
  bool cover_fails_ = false;       // none can be written: until the next is due it goes without
  uint64_t since_checkpoint_ = 0;  // bytes
  std::string buffer_;

  std::atomic<bool> checkpoint_due_{false}, retry_due_{true}, reads_fail_{false};
  std::atomic<int64_t> last_retry_ms_, last_due_ms_;
};

}  // namespace portolan::edge::disk
