#pragma once
// Reading a body at one's own speed, while it may still be growing. One Reader an exchange; used by
// one thread at a time; destroying it leaves the fetch alone. Everything a follower needs to know
// of a fetch it learns here.
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/body.hh"
#include "core/base/io.hh"
#include "core/http/message.hh"
#include "edge/content.hh"
#include "edge/object.hh"

namespace portolan::edge {

class Fill;
class Store;
struct RequestCopy;

class Reader {
 public:
  enum class State : uint8_t {
    pending,   // the head of the answer isn't known yet: wait()
    released,  // the answer is not for this request: it goes on alone, see retry()
    more,      // object() is set; read() gives bytes at once
    wait,      // object() is set; bytes will come: wait()
    end,       // all was read; trailers() holds what came
    failed,    // the fetch failed: before the head when object() is empty (error_status() says how),
               // else amid the body; or this reader was too slow for the others of a body that isn't stored
  };

  // Reads an object of a hit. (Readers of fetches come from Cache::find.)
  explicit Reader(ObjectRef object);
  // Reads a fragment, which has no head: object() stays null.
  explicit Reader(std::shared_ptr<Content> fragment);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  State state();
  const ObjectRef& object();  // null until the head is known
  // After `released`: true, ask Cache::find again (the answer was another variant's); false, fetch
  // by yourself.
  bool retry();
  // It is to ask again because the fetch broke: that one says so (RequestView::let_down). error_status() is what to answer
  // instead.
  bool let_down();
  int error_status();
  // What became of the fetch this reader follows, for Cache-Status: true when its answer was taken
  // over by the store.
  bool validated();       // a 304 refreshed the stored object
  bool dropped();         // … and what it says keeps it from being stored any longer
  bool stale_on_error();  // the fetch failed and object() is the stale one (RFC 5861 §4)
  bool asked_disk();      // it waited for the disk, which needn't be asked again

  // Its thread may wait for a disk: state() doesn't say `wait` for bytes that are stored.
  void may_block() { warm_until_ = UINT64_MAX; }

  // The part of the body to read; before the first read(), once object() is set. first + count <=
  // its length.
  void select(uint64_t first, uint64_t count);
  // Appends at most `max` bytes to `out`, or all there are where they are a file range; returns how many.
  size_t read(Body& out, size_t max);
  // Wakes `waker` once when the state is no longer pending or wait; at once if it isn't now.
  // Replaces an earlier one. The waker may fire early or needlessly: look at state().
  void wait(std::shared_ptr<Waker> waker);
  // After `end`: the trailer fields that came with the body.
  const http::Fields& trailers() const;

 private:
  friend class Content;
  friend class Fill;
  friend class Store;
  enum class Link : uint8_t { pending, open, released, retry, failed };
  // Follows a fetch. `request` (null for the one who leads) is what decides whether its answer
  // fits.
  Reader(std::shared_ptr<Content> source, std::unique_ptr<RequestCopy> request, ObjectRef object, bool again = false);
  void begin();
  // What is read once the link is open.
  Content& body() const { return object_ ? *object_->content() : *source_; }
  void settle(Content::Settlement settlement);  // lock held
  bool settled();                               // by the reader's thread: takes the lock until it is
  std::shared_ptr<Content> source_;             // of the fetch it follows, or of the object
  std::unique_ptr<RequestCopy> request_;
  ObjectRef object_;
  Link link_ = Link::pending;  // guarded by the source's lock until settled_
  int status_ = 0;
  const bool again_ = false;  // it was let down before
  bool let_down_ = false;
  bool cut_ = false;  // guarded by the body's lock
  bool validated_ = false;
  bool dropped_ = false;
  bool stale_on_error_ = false;
  bool asked_disk_ = false;
  bool listed_ = false;  // guarded, like the rest, by the source's lock
  Reader* previous_ = nullptr;
  Reader* next_ = nullptr;
  std::shared_ptr<Waker> waker_;
  uint64_t position_ = 0;  // guarded while the body grows or is windowed
  uint64_t stop_ = UINT64_MAX;
  bool settled_ = false;  // the reader's own

  // Of a body on a disk.
  struct Warming {
    std::atomic<bool> done{false};
  };
  FileRef held_;
  bool cold();
  void warm(std::shared_ptr<Waker> waker);
  uint64_t warm_until_ = 0;  // up to here the page cache has it, or just had
  std::shared_ptr<Warming> warming_;
};

}  // namespace portolan::edge
