#pragma once
// A stored answer in other content codings (RFC 9110 §8.4): each made once, when somebody asks for it first, off the loops,
// and read along by all who ask while it is made. What is made lives and dies with the plain answer and is charged to its
// cache. Any thread.
//
// A coded answer is the plain one with Content-Encoding and a weak tag, as its bytes aren't those of the plain one and may
// be others after a purge (RFC 9110 §8.8.1): weak comparison then finds all of them the same, which is what conditionals
// ask. Ranges are of the plain one only, and none is given to who names its version by a date, which all of them share.
// Objects in fragments are never coded, but know what of them could be: stored whole they are.
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "core/base/io.hh"
#include "core/compress/compressor.hh"
#include "core/http/encoding.hh"
#include "edge/object.hh"

namespace portolan::edge {

struct Rules;
class Charge;
class Content;

// Room on the account of a cache for `bytes` more. False: there is none.
using Reserve = std::function<bool(Charge&, uint64_t bytes)>;

class Encodings {
 public:
  // For an answer that may be coded; null for others: a rule for its type is missing, it is coded already, must not be
  // changed (RFC 9111 §5.2.2.6), has a digest of its own bytes, or is empty by its status. `before`: those of the answer it
  // takes the place of, whose body it has.
  static std::shared_ptr<Encodings> of(const Rules& rules, const http::ResponseHead& response,
                                       const Encodings* before = nullptr);

  // A client that asks so may be given one of them, or have been: of a body of `size` bytes, plain.
  bool may_code(const http::Fields& request, uint64_t size) const;

  struct Work {
    Executor* executor = nullptr;  // null: nothing is made
    Reserve reserve;
    compress::Levels levels;
    uint64_t least = 0, most = 0;  // bytes of a body worth it
    int64_t now_ms = 0;
  };
  // What get() would give, where it is made already; null: ask get().
  const ObjectRef* ready(http::Coding coding) const;
  // `plain`, whose encodings these are, in that coding; `plain` itself where it can't be had now.
  ObjectRef get(http::Coding coding, const ObjectRef& plain, const Work& work);

 private:
  struct Bodies {  // shared by the answers that share the plain body
    std::mutex mutex;
    std::array<std::shared_ptr<Content>, http::coding_count> made;
    std::array<int64_t, http::coding_count> not_before_ms{};  // after one couldn't be made
    // Made, and no smaller: those who read along have it, nobody who comes later.
    std::array<std::atomic<bool>, http::coding_count> no_gain{};
  };
  std::shared_ptr<Content> body(http::Coding coding, const ObjectRef& plain, const Work& work);

  uint8_t codings_ = 0;  // a bit each
  uint64_t least_ = 0, most_ = 0;
  std::shared_ptr<Bodies> bodies_ = std::make_shared<Bodies>();
  std::mutex mutex_;
  std::array<std::atomic<bool>, http::coding_count> ready_{};
  std::array<ObjectRef, http::coding_count> heads_;  // never changed once ready
};

}  // namespace portolan::edge
