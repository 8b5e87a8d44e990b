#pragma once
// One fetch in progress, as the cache sees it: the request that began it, the object it validates,
// the body it fills and its place in the index. Its Writer drives it; the index points at it so
// that others can follow.
#include <functional>
#include <memory>
#include <string>

#include "edge/cache.hh"
#include "edge/memory.hh"

namespace portolan::edge {

class Fill : public std::enable_shared_from_this<Fill> {
 public:
  Fill(std::shared_ptr<Store> store, const Rules& rules, const RequestFacts& facts, const RequestView& request);
  ~Fill();

  Writer::Verdict head(const http::ResponseHead& response, int64_t request_ms, int64_t response_ms);
  bool append(Slice bytes);
  bool finish(const http::Fields& trailers);
  void abort(int64_t now_ms, int status, Writer::Failure failure = Writer::Failure::unanswered);

  // A reader of this fill's answer. The leader's fits whatever comes; a follower's request is
  // compared.
  std::unique_ptr<Reader> leader();
  std::unique_ptr<Reader> follower(const RequestView& request);

  uint64_t cost() const;  // memory of its own, before any answer
  Content& content() { return *content_; }
  const std::shared_ptr<Content>& content_ref() { return content_; }
  const http::Fields& request_fields() const { return request_.fields; }
  const ObjectRef& stale() const { return stale_; }
  // What the fetch asks for, where that isn't the whole: the value of Range.
  const std::string& range() const { return range_; }
  // Set once the answer turned out to be kept in fragments: its bytes are the run's.
  const std::shared_ptr<Run>& run() const { return run_; }

 private:
  friend class Store;
  // How long requests of a key don't wait for each other after its answer turned out not to be shared.
  static constexpr int64_t note_ms = 60'000;
  Writer::Verdict refresh(const http::ResponseHead& response, int64_t request_ms, int64_t response_ms);
  Writer::Verdict keep(const http::ResponseHead& response, const Freshness& freshness, int64_t response_ms,
                       std::shared_ptr<Encodings> encodings);
  Writer::Verdict let_pass(const http::ResponseHead& response, const Freshness& freshness, int64_t response_ms,
                           bool retry);
  // Of an answer to a fetch that asked for a range.
  Writer::Verdict take_part(const http::ResponseHead& response, int64_t request_ms, int64_t response_ms);
  std::optional<Writer::Verdict> keep_parts(const http::ResponseHead& whole, const Freshness& freshness,
                                            const http::ByteRange& brought, int64_t response_ms,
                                            std::shared_ptr<Encodings> encodings);
  Writer::Verdict refuse(int64_t note_until_ms, bool only_ranges, bool ends_stale = false);
  // An answer that isn't stored but speaks of what is there makes the stored one useless, unless that is fresh still or the
  // answer is one client's own: no request takes from others what is good.
  bool ends_stale(int64_t now_ms) const;
  // What isn't stored is the leader's alone, through a window; `others`: what becomes of who else waits.
  void give_to_leader(const http::ResponseHead& response, const Freshness& freshness,
                      const std::function<Content::Settlement::Kind(const Reader&)>& others);
  bool reserve_head(const Object& object, size_t vary_bytes);
  void settle(const ObjectRef& object, bool shareable, const std::string& names, const std::string& values);
  bool may_stand_in(Object::StandIn in_place_of, int64_t now_ms) const;  // not what was purged meanwhile
  void serve_stale(int64_t now_ms);
  void stop_storing();
  bool fits(const Reader& reader, const std::string& names, const std::string& values) const;

  std::shared_ptr<Store> store_;
  const Rules& rules_;
  RequestFacts facts_;
  RequestCopy request_;
  std::string path_;  // of the request, where rules look at it
  std::string told_;  // of RequestView
  int64_t found_ms_;
  uint64_t sequence_;  // what is invalidated from here on reaches its answer, too
  uint64_t origin_;
  std::shared_ptr<Content> content_;
  ObjectRef stale_;  // what it validates
  std::string stale_names_, stale_values_;
  size_t key_bytes_ = 0;
  std::string range_;
  std::shared_ptr<Run> run_;

  // Guarded by the shard's lock.
  Shard* shard_ = nullptr;
  Entry* entry_ = nullptr;  // null: not in the index (any more)
  bool shared_ = true;
  Variant* served_ = nullptr;  // the stale one, where it is served meanwhile
  Fill* previous_ = nullptr;
  Fill* next_ = nullptr;
  ObjectRef object_;            // once its head is known and storable
  std::string names_, values_;  // its Vary
};

}  // namespace portolan::edge
