#include "edge/disk/engine.hh"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace portolan::edge::disk {
namespace {

constexpr int steps_a_job = 4;
constexpr uint64_t write_step_bytes = 4 << 20;
constexpr uint64_t checkpoint_share = 32;  // of what is written, one part may be checkpoints
constexpr int64_t least_between_syncs_ms = 300, most_between_syncs_ms = 2000;
constexpr int most_write_failures = 3;      // and of syncs
constexpr size_t segments_tried_again = 8;  // of those without room, while it serves

uint64_t index_limit(const Config& config, const Tuning& tuning) {
  uint64_t bytes = tuning.index_bytes ? tuning.index_bytes : config.bytes / 1000;
  return std::max<uint64_t>(bytes, 1 << 20);
}

// Up to where it is written, where not all of that is synced and a sync may still say so; else 0.
uint32_t unsynced(const Volume& volume, const SegmentState& s) {
  if (s.kind == Kind::free || s.doubtful) return 0;
  const uint32_t written = s.open ? s.used.load() : static_cast<uint32_t>(volume.segment_bytes());
  return written > s.synced ? written : 0;
}

// Reads on through a body's slices and file ranges.
class BodyReader {
 public:
  explicit BodyReader(const Body& body) : segment_(body.begin()), end_(body.end()) {}
  bool operator()(std::span<char> out) {
    while (!out.empty()) {
      if (segment_ == end_) return false;
      uint64_t size = std::min<uint64_t>(out.size(), segment_->length - at_);
      if (!copy(out.first(size))) return false;
      out = out.subspan(size);
      at_ += size;
      if (at_ == segment_->length) {
        ++segment_;
        at_ = 0;
      }
    }
    return true;
  }

 private:
  bool copy(std::span<char> out) {
    if (!segment_->file) {
      std::memcpy(out.data(), segment_->bytes.data + at_, out.size());
      return true;
    }
    for (size_t done = 0; done < out.size();) {
      auto at = static_cast<off_t>(static_cast<uint64_t>(segment_->offset) + at_ + done);
      ssize_t n = ::pread(segment_->file->fd(), out.data() + done, out.size() - done, at);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      done += static_cast<size_t>(n);
    }
    return true;
  }
  const Segment* segment_;
  const Segment* end_;
  uint64_t at_ = 0;  // in the segment
};

}  // namespace

Disk::Engine::Engine(const Config& config, FileSystem& files, Executor& executor, const Clock& clock,
                     const Tuning& tuning)
    : config_(config),
      tuning_(tuning),
      watches_(std::make_shared<Watches>(clock)),
      files_(files, watches_),
      executor_(executor),
      clock_(clock),
      index_(index_limit(config, tuning)),
      last_retry_ms_(clock.now_ms()),
      last_due_ms_(clock.now_ms()) {}

void Disk::Engine::kick() {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || scheduled_ || !started_) return;
    scheduled_ = true;
  }
  auto self = shared_from_this();
  if (executor_.submit([self] { self->run(); })) return;
  std::lock_guard lock(mutex_);
  scheduled_ = false;  // the next tick tries again
}

void Disk::Engine::run() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    ++running_;
  }
  bool more = true;
  for (int i = 0; i < steps_a_job && more; ++i) more = step();
  {
    std::lock_guard lock(mutex_);
    --running_;
    scheduled_ = false;
    more = more || !queue_.empty();
    idle_.notify_all();
  }
  if (more) kick();
}

bool Disk::Engine::step() {
  if (reads_fail_.exchange(false)) step_aside({"cannot read " + config_.path, EIO}, false);
  if (sync_errors_ >= most_write_failures && phase_ == Phase::serving) {
    sync_errors_ = 0;
    step_aside({"cannot sync " + config_.path, EIO}, true);
  }
  if (retry_due_.exchange(false)) retry();
  if (phase_ == Phase::closed) {
    drop_waiting();
    return false;
  }
  if (phase_ == Phase::recovering) {
    recover();
    return true;
  }
  bool more = reclaim_some();
  more = write_some() || more;
  more = mend_some() || more;
  return checkpoint_some() || more;
}

// What is due now and then: another try where the tier is aside, else a look whether the store is there at all.
void Disk::Engine::retry() {
  if (phase_ == Phase::closed) {
    if (Status s = open(); !s) step_aside(s.error(), false);
    return;
  }
  if (!store_->volume->still_there(files_)) return step_aside({config_.path + " is gone", ENOENT}, false);
  if (phase_ != Phase::serving) return;
  store_->try_again(writable_ ? segments_tried_again : store_->unbacked.size());
  if (writable_) return;
  write_failures_ = most_write_failures - 1;
  writable_ = true;
  state_ = Stats::State::serving;
}

Status Disk::Engine::open() {
  auto opened = Volume::open(files_, config_, tuning_.segment_bytes, clock_.wall_ms());
  if (!opened) return opened.error();
  ++trust_;
  {
    std::lock_guard lock(mutex_);
    volume_ = *opened;
    reason_.clear();
    if (!volume_->set_aside().empty()) set_aside_ = volume_->set_aside();
  }
  store_ = std::make_unique<Store>(*opened, index_, counters_, clock_);
  recovery_ = std::make_unique<Recovery>(*store_, files_, removals_);
  reclaimer_ = std::make_unique<Reclaimer>(*store_);
  phase_ = Phase::recovering;
  cover_wanted_ = cover_fails_ = false;
  mended_ = false;
  write_failures_ = 0;
  since_checkpoint_ = 0;
  state_ = Stats::State::starting;
  readable_ = true;
  writable_ = true;
  return {};
}

void Disk::Engine::recover() {
  recovery_->step();
  if (!recovery_->ready()) return;
  checkpoint_ = std::make_unique<Checkpoint>(*store_, files_, recovery_->generation());
  phase_ = Phase::serving;
  state_ = Stats::State::serving;
}

bool Disk::Engine::mend_some() {
  if (!recovery_) return false;
  if (recovery_->step()) return true;
  if (recovery_->mended() && index_.objects() > 0) {
    since_checkpoint_ += config_.bytes;  // so that the next start has less to do
    checkpoint_due_ = true;
  }
  recovery_.reset();
  removals_.forget();
  mended_ = true;
  want_sync();  // nobody knows what the process before had synced
  return true;
}

bool Disk::Engine::reclaim_some() {
  bool any = false;
  for (int i = 0; writable_ && reclaimer_->wanted() && (i < 2 || store_->free.empty()); ++i) {
    if (!cover_fails_ && !reclaimer_->covered() && !cover()) break;
    auto done = reclaimer_->step();
    if (!done) write_failed(done.error());
    if (!done || !*done) break;
    any = true;
  }
  return any;
}

// False: what is to be reclaimed has to wait for a checkpoint, which comes. Nobody waits for one while there is room.
bool Disk::Engine::cover() {
  cover_wanted_ = true;
  if (!store_->free.empty()) return false;
  while (!mended_) mend_some();
  while (!cover_fails_ && !reclaimer_->covered()) {
    if (!checkpoint_->busy()) begin_checkpoint();
    while (checkpoint_->busy()) step_checkpoint();
  }
  return true;
}

bool Disk::Engine::write_some() {
  if (!writable_) {
    drop_waiting();
    return false;
  }
  std::vector<Queue::Item> items = queue_.take(write_step_bytes);
  for (const Queue::Item& item : items) {
    unsigned frequency = 0;
    bool open = store_ && writable_;
    if (!queue_.wanted(item) || (open && superseded(item, frequency))) {
      queue_.drop(item.record.key, item.ticket, item.bytes);
      continue;
    }
    auto appended = open ? append(item, frequency) : Result<bool>(false);
    if (!appended) write_failed(appended.error());
    if (!appended || !*appended) give_up(item.record.key, item.ticket, item.bytes);
  }
  if (written_.empty()) return !items.empty();
  if (Status s = commit(); !s) write_failed(s.error());
  return true;
}

// False: it can't be written.
Result<bool> Disk::Engine::append(const Queue::Item& item, unsigned frequency) {
  const Record& record = item.record;
  uint64_t space = Log::space_of(record.body.size(), record.meta.size());
  Kind kind = store_->went_lately(Index::name_of(record.key)) ? Kind::main : Kind::probation;
  if (!store_->log.fits(kind, space)) {
    auto room = make_room(kind, space);
    if (!room) return room.error();
    if (!*room) {
      ++counters_.refused;
      return false;
    }
  }
  Head head;
  head.key = record.key;
  head.sequence = record.sequence;
  head.useless_ms = record.useless_ms;
  head.body_bytes = static_cast<uint32_t>(record.body.size());
  head.meta = record.meta;
  auto appended = store_->log.append(kind, std::move(head), false, BodyReader(record.body));
  if (!appended) return appended.error();
  if (!appended->whole) return false;
  written_.push_back({record.key, item.ticket, item.bytes, record.sequence, space, appended->place, frequency});
  return true;
}

// Ends the open segment and opens another one.
Result<bool> Disk::Engine::make_room(Kind kind, uint64_t space) {
  if (Status s = commit(); !s) return s.error();
  if (store_->log.is_open(kind)) {
    if (Status s = store_->seal(kind); !s) return s.error();
    want_sync();
  }
  reclaim_some();
  if (store_->log.fits(kind, space)) return true;  // what was reclaimed moved on to a new one
  auto opened = store_->open_segment(kind);
  if (!opened) return opened.error();
  return *opened && store_->log.fits(kind, space);
}

// Whether a later record of the key is there already, or may have been reclaimed while this one waited.
bool Disk::Engine::superseded(const Queue::Item& item, unsigned& frequency) {
  const Record& record = item.record;
  auto there = index_.find(Index::name_of(record.key));
  if (!there) return item.stood;
  Volume& volume = *store_->volume;
  auto head = volume.read_head(there->place, volume.segment(there->place.segment).epoch);
  if (!head || !*head || !((*head)->key == record.key)) return false;
  frequency = there->frequency;
  return (*head)->sequence > record.sequence;
}

Status Disk::Engine::commit() {
  if (written_.empty()) return {};
  for (Kind kind : {Kind::probation, Kind::main})
    if (Status s = store_->log.flush(kind); !s) return s;
  for (const Written& w : written_) {
    queue_.done(w.key, w.ticket, w.bytes, [&] {
      store_->enter(Index::name_of(w.key), {w.place, w.frequency, false});
      ++counters_.writes;
    });
    counters_.saw(w.sequence);
    counters_.written_bytes += w.space;
    since_checkpoint_ += w.space;
    reclaimer_->earned(w.space);
  }
  written_.clear();
  write_failures_ = 0;
  return {};
}

void Disk::Engine::forget_written() {
  for (const Written& w : written_) give_up(w.key, w.ticket, w.bytes);
  written_.clear();
}

// Of what should have been written nothing older is to be found, either.
void Disk::Engine::give_up(Key key, uint64_t ticket, uint64_t bytes) {
  std::shared_ptr<Volume> of = volume();
  queue_.done(key, ticket, bytes, [&] { erase(of.get(), key); });
}

bool Disk::Engine::checkpoint_some() {
  if (checkpoint_->busy()) return step_checkpoint();
  bool due = checkpoint_due_.exchange(false);
  if (due) cover_fails_ = false;
  if (!mended_ || !writable_) return false;
  if (cover_fails_ || (!cover_wanted_ && !reclaimer_->uncovered_soon())) {
    if (!due || since_checkpoint_ == 0 || since_checkpoint_ < checkpoint_share * 8 * index_.objects()) return false;
  }
  begin_checkpoint();
  return true;
}

void Disk::Engine::begin_checkpoint() {
  since_checkpoint_ = 0;
  cover_wanted_ = false;
  if (Status s = checkpoint_->begin(); s) return;
  ++counters_.errors;
  cover_fails_ = true;
}

bool Disk::Engine::step_checkpoint() {
  if (auto more = checkpoint_->step(); !more) {
    ++counters_.errors;
    cover_fails_ = true;
    checkpoint_->give_up();
  }
  return true;
}

void Disk::Engine::write_failed(const Error& error) {
  ++counters_.errors;
  forget_written();
  store_->give_up(Kind::probation);
  store_->give_up(Kind::main);
  bool hopeless = error.code == EROFS || error.code == ENOSPC || error.code == EDQUOT;
  if (++write_failures_ >= most_write_failures || hopeless) step_aside(error, true);
}

void Disk::Engine::step_aside(const Error& error, bool readable) {
  writable_ = false;
  state_ = Stats::State::aside;
  last_retry_ms_ = clock_.now_ms();
  {
    std::lock_guard lock(mutex_);
    reason_ = error.text;
  }
  if (!readable) close_store();
  drop_waiting();
}

void Disk::Engine::close_store() {
  readable_ = false;
  removals_.watch();
  if (phase_ != Phase::closed) forget_written();
  phase_ = Phase::closed;
  checkpoint_.reset();
  reclaimer_.reset();
  recovery_.reset();
  store_.reset();
  std::shared_ptr<Volume> closed;  // let go outside the lock
  std::lock_guard lock(mutex_);
  closed = std::move(volume_);
  volume_.reset();
  counters_.without_room = 0;
  index_.clear();
}

void Disk::Engine::drop_waiting() {
  std::shared_ptr<Volume> of = volume();
  counters_.refused += queue_.drop_all([&](Key key) { erase(of.get(), key); });
}

// What an open segment holds isn't left until it is full: read with its checksums it costs more than what is synced.
bool Disk::Engine::sync_due(int64_t now_ms) const {
  std::shared_ptr<Volume> of;
  {
    std::lock_guard lock(mutex_);
    if (sync_wanted_) return true;
    if (now_ms - last_sync_ms_ < most_between_syncs_ms) return false;
    of = volume_;
  }
  for (uint32_t i = 0; of && i < of->count(); ++i)
    if (unsynced(*of, of->segment(i))) return true;
  return false;
}

void Disk::Engine::want_sync() {
  std::shared_ptr<Volume> of;
  {
    std::lock_guard lock(mutex_);
    sync_wanted_ = true;
    if (closed_ || syncing_ || !volume_ || clock_.now_ms() - last_sync_ms_ < least_between_syncs_ms) return;
    syncing_ = true;
    sync_wanted_ = false;
    last_sync_ms_ = clock_.now_ms();
    of = volume_;
  }
  auto self = shared_from_this();
  if (executor_.submit([self, of] { self->sync(of); })) return;
  std::lock_guard lock(mutex_);
  syncing_ = false;
  sync_wanted_ = true;
}

void Disk::Engine::sync(std::shared_ptr<Volume> volume) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    ++running_;
  }
  struct Covered {
    uint32_t segment;
    uint64_t epoch;
    uint32_t up_to;
  };
  std::vector<Covered> covered;
  for (uint32_t i = 0; i < volume->count(); ++i) {
    const SegmentState& s = volume->segment(i);
    if (const uint32_t written = unsynced(*volume, s)) covered.push_back({i, s.epoch, written});
  }
  Status synced = volume->data().sync();
  ++counters_.syncs;
  if (!synced) {
    // What the kernel couldn't write it may forget: what was verified is no longer what will be read.
    ++counters_.errors;
    ++sync_errors_;
    ++trust_;
    index_.forget_verified();
    for (uint32_t i = 0; i < volume->count(); ++i)
      if (SegmentState& s = volume->segment(i); unsynced(*volume, s)) s.doubtful = true;
  } else {
    sync_errors_ = 0;
    for (const Covered& c : covered) {
      SegmentState& s = volume->segment(c.segment);
      if (s.epoch != c.epoch) continue;
      s.synced = c.up_to;
      if (s.epoch != c.epoch) s.synced = 0;  // it was used anew just now
    }
  }
  volume.reset();
  std::lock_guard lock(mutex_);
  --running_;
  syncing_ = false;
  idle_.notify_all();
}

void Disk::Engine::stop() {
  {
    std::unique_lock lock(mutex_);
    if (closed_) return;
    closed_ = true;
    state_ = Stats::State::stopped;
    idle_.wait(lock, [this] { return running_ == 0; });
  }
  // What came while it started is written, too.
  if (started_ && phase_ == Phase::closed && !queue_.empty()) (void)open();
  while (phase_ == Phase::recovering && !queue_.empty()) recover();
  if (phase_ == Phase::serving) finish();
  close_store();
  drop_waiting();
  state_ = Stats::State::stopped;
}

void Disk::Engine::finish() {
  while (phase_ == Phase::serving && writable_ && !queue_.empty()) {
    reclaim_some();
    write_some();
  }
  if (phase_ != Phase::serving || !mended_ || !writable_) return;
  if (!checkpoint_->busy()) begin_checkpoint();
  while (checkpoint_->busy()) step_checkpoint();
}

}  // namespace portolan::edge::disk
