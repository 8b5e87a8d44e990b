#include "edge/purge/log.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace portolan::edge {
namespace {

constexpr uint64_t second = uint64_t{1} << 32;  // of the sequence, whose high half goes with the wall clock
constexpr uint64_t largest_file = 1ull << 30;

Result<std::string> read_all(FileSystem& files, const std::string& path) {
  auto file = files.open(path, FileSystem::Open::read);
  if (!file) return file.error();
  auto size = (*file)->size();
  if (!size) return size.error();
  if (*size > largest_file) return Error{path + " is too large", EFBIG};
  std::string bytes(*size, '\0');
  auto got = (*file)->read_at(bytes, 0);
  if (!got) return got.error();
  bytes.resize(*got);
  return bytes;
}

}  // namespace

PurgeLog::PurgeLog(std::string directory, FileSystem& files, Executor& executor)
    : directory_(std::move(directory)), path_(directory_ + "/" + file_name), files_(files), executor_(executor) {}

PurgeLog::Opened PurgeLog::open(const std::string& directory, const std::string& node, FileSystem& files,
                                Executor& executor, int64_t wall_ms, uint64_t at_least) {
  Opened opened;
  opened.log = std::shared_ptr<PurgeLog>(new PurgeLog(directory, files, executor));
  PurgeLog& log = *opened.log;
  log.node_ = node;
  Status made = files.make_directories(directory);
  if (made) made = log.take_lock();
  auto bytes = made ? read_all(files, log.path_) : made.error();
  ParsedPurges parsed;
  if (bytes) {
    parsed = parse_purges(*bytes);
    opened.lost = !parsed.known || parsed.damaged;
    if (!parsed.known) {
      std::string aside = fmt::format("{}.{}", log.path_, wall_ms / 1000);
      opened.note = log.path_ + " is not a list of purges, or of another version";
      opened.note += files.rename(log.path_, aside) ? "; it is " + aside + " now" : "";
    } else if (parsed.damaged) {
      opened.note = log.path_ + " is damaged";
    } else if (parsed.dropped > 0) {
      opened.note = fmt::format("the last {} bytes of {} were never acknowledged", parsed.dropped, log.path_);
    }
  } else {
    opened.fresh = bytes.error().code == ENOENT;
    opened.lost = !opened.fresh;
    if (opened.lost) opened.note = bytes.error().text;
  }
  PurgeImage& image = opened.image = std::move(parsed.image);
  uint64_t last = std::max(image.floors.hard, image.floors.soft);
  for (const PurgeEntry& entry : image.entries) last = std::max(last, entry.sequence);
  auto wall = static_cast<uint64_t>(std::max<int64_t>(0, wall_ms / 1000)) * second;
  image.began = std::max({wall, image.began + second, last + 1, at_least + 1});
  image.node = node;
  if (opened.lost || opened.fresh) {
    image.floors.hard = image.began;
    // Numbers grow, even where nobody knows the last one.
    image.last_number = std::max(image.last_number, static_cast<uint64_t>(std::max<int64_t>(0, wall_ms)));
    if (opened.fresh) image.last_number = 0;
  }
  Status written = made ? log.rewrite(image) : made;
  if (!written) {
    log.broken_ = true;
    log.stats_.error = written.error().text;
    ++log.stats_.errors;
    if (opened.note != written.error().text) opened.note += (opened.note.empty() ? "" : "; ") + written.error().text;
  }
  return opened;
}

// ── writing: one at a time, on the executor ──

Status PurgeLog::take_lock() {
  if (lock_) return {};
  const std::string path = directory_ + "/" + lock_name;
  auto file = files_.open(path, FileSystem::Open::create);
  if (!file) return file.error();
  Status locked = (*file)->lock();
  if (!locked) return locked.error().code == EWOULDBLOCK ? Error{path_ + " is in use", EWOULDBLOCK} : locked;
  lock_ = std::move(*file);
  return {};
}

Status PurgeLog::rewrite(const PurgeImage& image) {
  if (Status s = take_lock(); !s) return s;
  const std::string beside = path_ + ".new";
  std::string bytes = render_purges(image);
  auto file = files_.open(beside, FileSystem::Open::create);
  if (!file) return file.error();
  if (Status s = (*file)->resize(0); !s) return s;
  if (Status s = (*file)->write_at(bytes, 0); !s) return s;
  if (Status s = (*file)->sync(); !s) return s;
  if (Status s = files_.rename(beside, path_); !s) return s;
  broken_ = true;  // which of the two a crash leaves isn't known until the directory is synced
  if (Status s = files_.sync_directory(directory_); !s) return s;
  file_ = std::move(*file);
  slot_ = {2, bytes.size(), image.last_number};
  broken_ = false;
  std::lock_guard lock(mutex_);
  stats_.bytes = slot_.end;
  stats_.durable = std::max(stats_.durable, image.last_number);
  ++stats_.rewrites;
  ++stats_.syncs;
  return {};
}

Status PurgeLog::write_behind(const std::vector<Waiting>& batch) {
  std::string bytes;
  for (const Waiting& w : batch)
    if (w.entry.number > slot_.number) append_record(w.entry, bytes);  // else it came while the file was written anew
  if (bytes.empty()) return {};
  if (Status s = file_->write_at(bytes, slot_.end); !s) return s;
  if (Status s = file_->sync(); !s) return s;
  slot_ = {slot_.stamp + 1, slot_.end + bytes.size(), batch.back().entry.number};
  std::string slot = render_slot(slot_);
  if (Status s = file_->write_at(slot, slot_offset(slot_.stamp)); !s) return s;
  std::lock_guard lock(mutex_);
  stats_.bytes = slot_.end;
  stats_.durable = slot_.number;
  ++stats_.syncs;
  return {};
}

void PurgeLog::finish(std::vector<Waiting>& batch, const Status& written) {
  {
    std::lock_guard lock(mutex_);
    stats_.error = written ? std::string() : written.error().text;
    if (!written) ++stats_.errors;
  }
  for (Waiting& w : batch)
    if (w.done) w.done(written);
}

bool PurgeLog::turn() {
  std::vector<Waiting> batch;
  Source source;
  bool anew = false;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.empty() && !rewrite_asked_) {
      running_ = false;
      return false;
    }
    batch.swap(waiting_);
    anew = std::exchange(rewrite_asked_, false) || broken_;
    source = source_;
  }
  // What fails once may have left anything there: then all that is known is written to a new file.
  std::optional<PurgeImage> image;
  if (anew && source) image = source();
  Status written;
  if (image) {
    image->node = node_;
    written = rewrite(*image);
  } else if (broken_) {
    written = Error{"cannot write " + path_, EIO};
  } else if (!batch.empty()) {
    written = write_behind(batch);
  }
  if (!written) broken_ = true;
  finish(batch, written);
  return true;
}

void PurgeLog::run() {
  while (turn()) {
  }
}

bool PurgeLog::append(const PurgeEntry& entry, Done done) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({entry, std::move(done)});
    if (std::exchange(running_, true)) return true;
  }
  if (executor_.submit([self = shared_from_this()] { self->run(); })) return true;
  std::lock_guard lock(mutex_);
  running_ = false;
  rewrite_asked_ = true;  // with it, whenever that is
  waiting_.pop_back();
  return false;
}

void PurgeLog::compact_from(Source source) {
  std::lock_guard lock(mutex_);
  source_ = std::move(source);
}

void PurgeLog::compact() {
  {
    std::lock_guard lock(mutex_);
    rewrite_asked_ = true;
    if (std::exchange(running_, true)) return;
  }
  if (executor_.submit([self = shared_from_this()] { self->run(); })) return;
  std::lock_guard lock(mutex_);
  running_ = false;  // with the next append
}

PurgeLog::Stats PurgeLog::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace portolan::edge
