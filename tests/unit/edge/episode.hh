#pragma once
// One episode of the differential test: a cache and the reference model side by side, on a virtual clock, before the
// same requests, origins, purges and steps of time.
#include <deque>
#include <map>
#include <sstream>

#include "tests/unit/edge/random_origin.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {

// A request as the cache sees it.
struct Asked {
  explicit Asked(const model::Request& r) : request(r), wire(target_of(r.url), r.fields, r.method) {}
  static std::string target_of(const std::string& url) { return url.substr(url.find('/', url.find("://") + 3)); }
  RequestView at(int64_t now_ms) const {
    std::string_view url = request.url;
    size_t host = url.find("://") + 3;
    return {wire.head, url.substr(0, host - 3), url.substr(host, url.find('/', host) - host), now_ms};
  }
  model::Request request;
  Request wire;
};

struct Flight {
  Flight(std::shared_ptr<Asked> who, Lookup&& lookup, int64_t now_ms)
      : asked(std::move(who)),
        writer(std::move(lookup.writer)),
        reader(std::move(lookup.reader)),
        stale(std::move(lookup.object)),
        sent_ms(now_ms) {}
  std::shared_ptr<Asked> asked;
  std::unique_ptr<Writer> writer;
  std::unique_ptr<Reader> reader;
  ObjectRef stale;
  int64_t sent_ms = 0;
  model::Stored before;  // the stale one's record when this began
  bool cut = false, maybe_cut = false;
  size_t stored = SIZE_MAX;  // its record, once its head is known and kept
  std::string rest;          // of the body
};

struct Follower {
  std::shared_ptr<Asked> asked;
  std::unique_ptr<Reader> reader;
  std::string body;     // so far
  bool judged = false;  // what it reads, when its head was known
};

class Episode {
 public:
  Episode(uint64_t seed, bool tracing);
  ~Episode();
  bool step(uint64_t seed);  // false: it failed
  bool end();
  std::string failure() const { return failure_; }
  std::string trace() const { return trace_.str(); }

 private:
  void fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
    say("FAILED: " + what);
  }
  void say(const std::string& what) {
    if (tracing_) trace_ << "  " << (now_ms_ - start_ms) << " ms  " << what << "\n";
  }
  void ask(const model::Request& request, Rng& rng);
  void bypass(const Asked& asked, Rng& rng);
  void begin(const std::shared_ptr<Asked>& asked, Lookup lookup, Rng& rng);
  void answer(Flight& flight, Rng& rng);
  void not_modified(Flight& flight, const model::Response& response);
  void kept(Flight& flight, const model::Response& response, uint64_t number, Rng& rng);
  void passed(Flight& flight, const model::Response& response);
  void finish(Flight& flight, bool whole);
  void erred(Flight& flight, int status, bool disconnected);
  void expect_no_stand_in(const Flight& flight, bool disconnected);
  void hear_followers(Rng& rng);
  void expect_nothing_to_serve(const Asked& asked, const std::string& outcome);
  // `why_allowed`: what allows it besides freshness.
  enum class Because : uint8_t { fresh, followed, validated, error, disconnected };
  void check_served(const Asked& asked, const ObjectRef& object, const std::string& body, Because because);
  void check_head(const Asked& asked, const ObjectRef& object, const model::Stored& mine, Because because);
  void check_newest(const model::Stored& mine, const Asked& asked);
  model::Stored* record_of(const ObjectRef& object);   // as it is now
  model::Stored* version_of(const ObjectRef& object);  // as it was then
  void forget(const std::string& url, bool certain);
  void settle(const std::string& url);
  model::Site& site(const std::string& url);

  bool tracing_;
  std::ostringstream trace_;
  std::string failure_;
  model::Rules rules_;
  std::unique_ptr<Cache> cache_;
  uint64_t empty_bytes_ = 0;  // of the eviction policy, which remembers what went
  int64_t now_ms_ = start_ms;
  bool whole_seconds_ = true;
  uint64_t number_ = 0;
  std::vector<std::string> urls_;
  std::vector<model::Site> sites_;
  std::deque<model::Stored> stored_;
  std::map<uint64_t, size_t> by_number_;
  std::deque<std::pair<ObjectRef, model::Stored>> besides_;  // what the store has no more, or never took
  std::vector<Flight> flights_;
  std::vector<Follower> followers_;
};

}  // namespace portolan::edge::test
