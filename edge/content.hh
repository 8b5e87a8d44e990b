#pragma once
// A body as blocks of memory: growing while it is filled, immutable once complete. It also is the
// meeting point of one fetch and those who follow it: readers wait here for the head of the answer,
// too.
//
// Stored bodies keep every byte and never slow their producer. A windowed body (one that isn't
// stored, or no longer) drops what all its readers have passed and holds its producer back when it
// is `window_bytes` ahead of the slowest. Who holds others up for long is cut: cut_slow().
//
// Threads: any. Once complete and not windowed, reading takes no lock.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/body.hh"
#include "core/base/io.hh"
#include "core/http/message.hh"
#include "edge/disk/disk.hh"
#include "edge/object.hh"
#include "edge/page_file.hh"

namespace portolan::edge {

class Parts;
class Reader;

// The account of one cache: shared by all its contents, which give back what they hold when they
// die. So memory that a slow reader keeps alive after eviction still counts.
struct Ledger {
  std::atomic<uint64_t> used{0};  // never pushed above budget
  std::atomic<uint64_t> budget{0};
  std::atomic<uint64_t> slack{0};    // what the heap holds beyond what was asked of it: makes room for itself, too
  std::atomic<uint64_t> passing{0};  // in windows
  std::shared_ptr<PageFile> pages = std::make_shared<PageFile>();
};

class Charge {
 public:
  explicit Charge(std::shared_ptr<Ledger> ledger) : ledger_(std::move(ledger)) {}
  ~Charge() { release(); }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  bool try_add(uint64_t bytes);       // false: it would exceed the budget; nothing was added
  bool try_add_lean(uint64_t bytes);  // the same, leaving aside what the heap wastes
  void force(uint64_t bytes);         // whatever the budget says
  void give_back(uint64_t bytes);
  void release();
  uint64_t held() const { return held_.load(std::memory_order_relaxed); }
  Ledger& ledger() { return *ledger_; }
  const std::shared_ptr<Ledger>& account() const { return ledger_; }

 private:
  std::shared_ptr<Ledger> ledger_;
  bool add_below(uint64_t limit, uint64_t bytes);
  std::atomic<uint64_t> held_{0};
};

// Wakers gathered under a lock and fired when this goes out of scope: declare it before the lock.
struct Wakes {
  ~Wakes() {
    for (auto& w : list) w->wake();
  }
  std::vector<std::shared_ptr<Waker>> list;
};

class Content {
 public:
  static constexpr uint64_t window_bytes = 1 << 20;
  // Whole bodies of these sizes move to pages (PageFile). Smaller ones are copied to the socket as fast; larger ones
  // would hold their producer's loop up for more than a millisecond or so.
  static constexpr uint64_t least_paged = 32 << 10;
  static constexpr uint64_t most_paged = 4 << 20;
  enum class Phase : uint8_t { growing, complete, failed };
  // What a waiting reader is told of the head.
  struct Settlement {
    enum class Kind : uint8_t { object, released, retry, failed } kind = Kind::released;
    ObjectRef object;
    int status = 0;
    bool validated = false;
    bool stale_on_error = false;
    bool dropped = false;
    bool asked_disk = false;
    bool let_down = false;
  };

  explicit Content(std::shared_ptr<Ledger> ledger);
  ~Content();

  // ── the producer ──
  // Memory that appending `bytes` will newly occupy.
  uint64_t cost_of(const Slice& bytes) const;
  void declare(std::optional<uint64_t> length);  // before the first append
  void append(Slice bytes);
  void window();
  bool writable() const;
  bool wanted() const;  // stored, or read by somebody
  void wait_writable(std::shared_ptr<Waker> waker);
  // The window is full, and a reader waits at its head for one that is a whole window behind.
  bool held_up() const;
  // Where that is so: those behind are cut, and the producer may go on.
  void cut_slow();
  void complete(const http::Fields& trailers);
  // Complete at once, with its bytes on a disk: nothing was appended. `reader`: who reads what the page cache doesn't have,
  // so that no loop waits for it; both outlive everybody who reads.
  void complete_on(const disk::Disk* disk, const disk::Found& found, Executor* reader);
  void fail();
  // Answers every reader that still waits for the head.
  void settle(const std::function<Settlement(const Reader&)>& decide);
  Charge& charge() { return charge_; }
  const std::shared_ptr<Ledger>& ledger() const { return charge_.account(); }
  // What the head and the index entry cost, charged already: kept when complete() gives back what
  // was too much.
  void set_fixed_cost(uint64_t bytes) { fixed_cost_ = bytes; }
  // Before anybody else sees it: the bytes are not here, but in these. It stays empty.
  void set_parts(std::shared_ptr<Parts> parts) { parts_ = std::move(parts); }

  // ── anybody ──
  bool windowed() const { return windowed_.load(std::memory_order_acquire); }
  Phase phase() const { return phase_.load(std::memory_order_acquire); }
  uint64_t size() const { return size_.load(std::memory_order_acquire); }
  std::optional<uint64_t> declared() const { return declared_; }
  const http::Fields& trailers() const { return trailers_; }  // once complete
  const std::shared_ptr<Parts>& parts() const { return parts_; }
  bool paged() const {
    return immutable() && (paged_ || on_disk());
  }  // read at once: it takes no memory of the reader's
  // Its bytes are on a disk: before sendfile(2) takes a part of them, it has to be in the page cache.
  bool on_disk() const { return disk_reader_ != nullptr; }
  bool in_page_cache(const FileRef& held, uint64_t from, uint64_t count) const;         // probes, without a wait
  void read_into_page_cache(const FileRef& held, uint64_t from, uint64_t count) const;  // waits for the disk
  // For the time of one answer; null: the disk has used its place anew, and all of this is gone.
  FileRef hold() const { return disk_->hold(spot_); }
  // All of it, for the one who writes it elsewhere; complete and not in parts. False: it is gone.
  bool copy_all(Body& out) const;

 private:
  friend class Reader;
  struct Piece {
    uint64_t start;
    Slice bytes;
  };
  bool immutable() const { return phase() == Phase::complete && !windowed(); }
  void link(Reader& reader);  // these four: lock held
  void unlink(Reader& reader);
  void drop_passed(Wakes& wakes);
  uint64_t slowest() const;
  bool holds_up() const;
  void wake_readers(Wakes& wakes);
  void push(Slice bytes);
  void copy_in(std::string_view bytes);
  void trim_tail();
  void move_to_pages();
  void settle_charge();
  uint64_t copy_out(uint64_t from, uint64_t count, Body& out, const FileRef& held = nullptr) const;

  mutable std::mutex mutex_;
  std::atomic<Phase> phase_{Phase::growing};
  std::atomic<bool> windowed_{false};
  std::atomic<uint64_t> size_{0};
  uint64_t base_ = 0;  // first byte still held
  size_t first_ = 0;   // first piece still held
  std::vector<Piece> pieces_;
  size_t tail_used_ = 0;  // of the last piece's block when it is our own
  bool tail_own_ = false;
  FileRef paged_;  // set: the whole body is there, and there are no pieces
  off_t paged_offset_ = 0;
  Executor* disk_reader_ = nullptr;
  const disk::Disk* disk_ = nullptr;
  disk::Spot spot_;
  std::optional<uint64_t> declared_;
  std::shared_ptr<Parts> parts_;
  Reader* readers_ = nullptr;
  std::shared_ptr<Waker> producer_;
  http::Fields trailers_;
  std::string trailer_text_;
  Charge charge_;
  uint64_t fixed_cost_ = 0;
};

}  // namespace portolan::edge
