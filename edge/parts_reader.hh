#pragma once
// Reads a range of an object that is kept in fragments, at its own speed: what is stored, what others fetch just now, and
// what is neither and has to be fetched. One thread at a time.
#include <memory>
#include <optional>

#include "edge/cache.hh"
#include "edge/parts.hh"

namespace portolan::edge {

class Run;

class PartsReader {
 public:
  enum class State : uint8_t {
    more,    // read() gives bytes at once
    wait,    // bytes will come: wait()
    absent,  // nobody has the next bytes and nobody fetches them: fetch()
    end,     // all that was selected has been read
    failed,  // what is missing can't be had; outdated() says whether the server has another version
  };

  explicit PartsReader(const ObjectRef& object);
  ~PartsReader();
  PartsReader(const PartsReader&) = delete;
  PartsReader& operator=(const PartsReader&) = delete;

  void select(uint64_t first, uint64_t count);  // the whole, before that
  State state();
  size_t read(Body& out, size_t max);
  void wait(std::shared_ptr<Waker> waker);  // as Reader's
  // A fetch for what is missing, to be begun by the caller. Null: somebody else just began one; look at state() again.
  std::unique_ptr<Writer> fetch();
  bool outdated() const { return parts_->outdated(); }
  // Of these bytes nothing has to be asked for by who reads them: all of it is stored, or being fetched. Looks at no more
  // than the first `most_looked_at` fragments.
  bool has(uint64_t first, uint64_t count) const;

 private:
  bool find();  // the fragment that holds the next byte
  void attach(std::shared_ptr<Content> content, std::shared_ptr<Run> run);
  void follow(std::shared_ptr<Run> run);
  std::shared_ptr<Parts> parts_;
  std::shared_ptr<Store> store_;
  std::optional<Reader> reader_;  // of a fragment
  std::shared_ptr<Run> run_;      // which fetches, or fetched, for it
  uint64_t position_ = 0;
  uint64_t stop_;
  // Of the fragment that holds the next byte:
  int failures_ = 0;  // fetches that came to nothing, one after the other
  int broken_ = 0;    // fetches that didn't complete it
};

}  // namespace portolan::edge
