#pragma once
// Reading a body at one's own speed, while it may still be growing. One Reader an exchange; used by one thread at a
// time; destroying it leaves the fetch alone. Everything a follower needs to know of a fetch it learns here.
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/body.hh"
#include "core/base/io.hh"
#include "core/http/message.hh"
#include "edge/object.hh"

namespace portolan::edge {

class Content;
class Fill;
struct Variant;

class Reader {
 public:
  enum class State : uint8_t {
    pending,   // the head of the answer isn't known yet: wait()
    released,  // the answer is not for this request: it goes on alone, see retry()
    more,      // object() is set; read() gives bytes at once
    wait,      // object() is set; bytes will come: wait()
    end,       // all was read; trailers() holds what came
    failed,    // the fetch failed: before the head when object() is empty (error_status() says how), else amid the body
  };

  // Reads an object of a hit. (Readers of fetches come from Cache::find.)
  explicit Reader(ObjectRef object);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  State state();
  const ObjectRef& object();
  // After `released`: true, ask Cache::find again (the answer was another variant's); false, fetch by yourself.
  bool retry() const;
  int error_status() const;
  // What became of the fetch this reader follows, for Cache-Status: true when its answer was taken over by the store.
  bool validated() const;                  // a 304 refreshed the stored object
  bool stale_on_error() const;             // the fetch failed and object() is the stale one (RFC 5861 §4)

  // The part of the body to read; before the first read(), once object() is set. first + count <= its length.
  void select(uint64_t first, uint64_t count);
  // Appends at most `max` bytes to `out`; returns how many.
  size_t read(Body& out, size_t max);
  // Wakes `waker` once when the state is no longer pending or wait; at once if it isn't now. Replaces an earlier
  // one. The waker may fire early or needlessly: look at state().
  void wait(std::shared_ptr<Waker> waker);
  // After `end`: the trailer fields that came with the body.
  const http::Fields& trailers() const;

 private:
  friend class Fill;
  friend class Content;
  friend class Cache;
  Reader(std::shared_ptr<Fill> fill, bool leader);
  enum class Link : uint8_t { none, fill, released, failed };
  void adopt(ObjectRef object);
  std::shared_ptr<Fill> fill_;
  std::shared_ptr<Content> content_;
  ObjectRef object_;
  uint64_t position_ = 0;                  // guarded by the content's lock while it grows
  uint64_t stop_ = UINT64_MAX;
  std::shared_ptr<Waker> waker_;           // guarded by the lock of what it waits for
  Reader* previous_ = nullptr;             // in the list of what it waits for
  Reader* next_ = nullptr;
  bool leader_ = false;
};

}  // namespace portolan::edge
