#pragma once
// One answer of a server that fills fragments of an object, one after the other. Each stands in the index from before its
// first byte, so that whoever needs it follows instead of fetching; it is stored when it is whole. A run stays a little
// ahead of its fastest reader, ends where it meets a fragment that is there already, and when nobody reads it any more.
// Where its answer breaks amid a fragment, or is shorter than what was asked for (RFC 9110 §15.3.7), the next one goes on
// from there, as long as somebody who followed it holds it.
//
// Threads: the fetch's functions are one thread's; the readers' may be called from any.
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "edge/cache.hh"
#include "edge/content.hh"
#include "edge/parts.hh"

namespace portolan::edge {

class Run : public std::enable_shared_from_this<Run> {
 public:
  // How far ahead of its fastest reader it goes.
  static constexpr uint64_t ahead_bytes = 4 * Parts::fragment_bytes;
  // What brings less than this of a fragment that it doesn't complete has failed.
  static constexpr uint64_t least_progress = 16 << 10;

  Run(std::shared_ptr<Store> store, std::shared_ptr<Parts> parts)
      : store_(std::move(store)), parts_(std::move(parts)) {}
  ~Run();

  // ── before anything is asked ──
  // For a reader that needs `first` and what follows it before `end`; `before`: the run it followed, or null. False:
  // somebody else has begun.
  bool plan(uint64_t first, uint64_t end, const Run* before);
  // For an answer whose head is there already: it brings [first, end). False: no fragment of it can be begun.
  bool expect(uint64_t first, uint64_t end);

  // ── the fetch ──
  void add_fields(http::Fields& out);  // Range and If-Range; the values live as long as the run
  // False: it is no part of this object. Nobody follows it any more.
  bool head(const http::ResponseHead& response);
  void append(Slice bytes);
  bool finish();
  void abort();
  bool writable() const;
  void wait_writable(std::shared_ptr<Waker> waker);
  // All that was asked for is there: its end is near, and the connection of use.
  bool wanted() const { return !over_ && (readers_ > 0 || position_ < demand_ || position_ == end_); }

  // ── readers ──
  void join() { readers_.fetch_add(1); }
  void leave();
  void want(uint64_t up_to);
  const std::shared_ptr<Content>& current() const { return content_; }  // of plan(), before the fetch begins
  // It ended amid a fragment, of which it brought something worth going on with.
  bool left_much() const { return ended_.load(std::memory_order_acquire) && left_ && brought_ >= least_progress; }

 private:
  bool begin(uint64_t number, bool insist);
  void take_up(const Run& before);
  void complete_fragment(Slice last);
  void nudge();

  std::shared_ptr<Store> store_;
  std::shared_ptr<Parts> parts_;
  std::string range_;
  uint64_t position_ = 0;  // of the next byte that comes
  uint64_t end_ = 0;       // of what the answer brings
  uint64_t number_ = 0;    // of the fragment being filled
  std::shared_ptr<Content> content_;
  bool over_ = false;
  bool shortened_ = false;  // the answer brings less than was asked for
  uint64_t begun_at_ = 0;   // where its answer begins
  // Once ended: the fragment that was being filled, and how many bytes of the answer came.
  std::atomic<bool> ended_{false};
  std::shared_ptr<Content> left_;
  uint64_t brought_ = 0;
  std::atomic<uint64_t> demand_{0};
  std::atomic<int> readers_{0};
  std::mutex mutex_;
  std::shared_ptr<Waker> producer_;
};

}  // namespace portolan::edge
