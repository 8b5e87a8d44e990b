#pragma once
// One request and its answer: the file to read first. A table of named steps, run in the order they stand in; each says
// `more` (go on), `wait` (somebody will run the connection again) or `done`.
#include <memory>
#include <string>

#include "core/http/message.hh"
#include "proxy/admit.hh"
#include "proxy/country.hh"
#include "proxy/downstream.hh"
#include "proxy/filters.hh"
#include "proxy/origin_request.hh"
#include "proxy/proxy.hh"
#include "proxy/rate_watch.hh"
#include "proxy/snapshot.hh"
#include "proxy/source/cached.hh"
#include "proxy/source/source.hh"
#include "proxy/tunnel.hh"

namespace portolan::proxy {

class Connection;
class Fetch;
class MirrorFeed;
struct FetchNote;

class Exchange final : public Recycled, public Cached::Fetcher {
 public:
  // `head` stays valid (and with it the bytes it views) until the exchange is destroyed.
  Exchange(Connection& connection, Downstream& downstream, http::RequestHead& head);
  // A request that could not be read: answers `status`.
  Exchange(Connection& connection, Downstream& downstream, int status);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  bool run();                                         // true: over, once the client's output is empty
  bool request_over() const { return upload_over_; }  // the whole request has been read
  bool waits_for_client() const;                      // for more of the request's body
  // Bodies must move at min_rate while it is the client's turn; `unsent` of the answer is still to be taken by the
  // kernel, which has `queued` that the client has not. A kernel has room again long after a slow reader took bytes.
  enum class Slow : uint8_t { no, sending, taking };
  Slow too_slow(int64_t now_ms, uint64_t unsent, uint64_t queued, int64_t looked_at_every_ms);
  void note_slow(Slow slow);  // it ends for that
  bool fail_slow_request();   // the body stalled: true when a 408 could still be sent
  bool waits_for_admission() const { return admission_ && !source_; }
  void client_left();

 private:
  enum class Next : uint8_t { more, wait, done };
  struct Step {
    const char* name;
    Next (Exchange::*run)();
  };
  static const Step steps[];
  enum StepIndex : size_t { at_route, at_admit, at_lookup, at_choose, at_connect, at_deliver, at_finish };

  Next route();
  Next admit();
  Next lookup();
  Next choose();
  Next connect();
  Next deliver();
  Next finish();

  // Of the client; looked up when it is asked for first. Empty: unknown.
  std::string_view country() { return country_.of(client_.address, proxy_.places()); }

  void again(StepIndex step) {
    step_ = step;
    jumped_ = true;
  }
  Next pass_gates() { return snapshot_->guarded() ? ask_gates() : Next::more; }  // no jump: it may go on
  Next ask_gates();
  size_t route_of(std::string_view path);
  Next leads_nowhere();  // no route takes it: its listener's gate counts all the same
  Next refuse(Refusal why, std::unique_ptr<Source> with);
  Next answer(std::unique_ptr<Source> source);  // from now on this is the answer
  Next answer_error(int status);
  Next answer_made_here(std::unique_ptr<Source> source);  // with the page there is for it, where it is an error
  Next expect_head(std::unique_ptr<Source> source);
  bool upload();  // moves the request's body; false: the request is broken
  void upload_failed(int status);
  OriginRequest::Ask ask(const Cluster& cluster, bool for_cache, const edge::Writer* writer);
  std::shared_ptr<Cluster> cluster() { return proxy_.cluster(*snapshot_, *route_, *pool_); }
  VariableSource variables();
  std::string redirect_to();
  void begin_mirror();
  bool rewrite_climbs() const;
  Next fetch_for_cache(edge::Lookup lookup);
  bool fetch_part(std::unique_ptr<edge::Writer> writer, std::shared_ptr<FetchNote> note) override;
  edge::RequestView cache_view();
  void tell_cached(RequestFilter& filter);  // what servers see of a request on a route with a cache
  void send_head(const Answer& answer);
  Next open_tunnel(Answer& answer);
  void send_interims();
  Next relay();
  std::unique_ptr<Fetch> make_fetch(std::unique_ptr<edge::Writer> writer, std::shared_ptr<FetchNote> note);
  void validate_beside(std::unique_ptr<edge::Writer> writer);
  void note_unsafe(const Answer& answer);
  // Of an answer that passes by the cache. `dressed`: where its fields are, where they are changed.
  void dress(Answer& head, http::Fields& dressed);
  // An error passes by the cache, or none came (0), and something stored stands in for it: that is the answer now.
  bool stands_in(int status);
  // A part passes by that isn't to be given (edge::Cache::splices): the whole is asked for now.
  bool asks_whole();
  void feed_adopted(const Body& part, Source::Flow flow);
  void log();
  std::string_view grpc_result() const;

  Connection& connection_;
  Downstream& downstream_;
  Proxy& proxy_;
  std::shared_ptr<const Snapshot> snapshot_;
  http::RequestHead* head_ = nullptr;  // nullptr: the request could not be read
  size_t step_ = at_route;
  bool jumped_ = false;  // a step chose the next one itself
  int refusal_ = 0;
  Client client_;
  ClientCountry country_;
  Text lowered_;                // the authority, where it came in upper case
  std::string_view host_;       // lower case, without port
  std::string_view authority_;  // lower case, without a default port
  const RouteConfig* route_ = nullptr;
  const std::string* pool_ = nullptr;  // the route's, or the one chosen of its split; empty: none
  std::unique_ptr<MirrorFeed> mirror_;
  std::unique_ptr<Admission> admission_;  // nullptr: no gate is in the way
  edge::Cache* cache_ = nullptr;
  bool bypass_cache_ = false;
  bool eligible_ = false;  // the request may be cached: only what the key knows of it reaches servers
  int lookups_ = 0;
  bool asked_disk_ = false;
  bool let_down_ = false;        // what it followed broke
  bool whole_ = false;           // servers don't learn of its Range
  bool only_if_cached_ = false;  // nor is anybody asked
  const char* bypass_detail_ = nullptr;
  edge::Forward forward_ = edge::Forward::none;
  std::unique_ptr<Source> source_;
  Cached* cached_ = nullptr;               // source_, when it is one
  std::unique_ptr<edge::Writer> adopted_;  // what is answered goes there, too
  Text cache_status_;
  bool grpc_ = false;  // the answer is one
  Text grpc_status_;   // in its head
  bool upload_over_ = false;
  Upgrade upgrade_;
  bool tunnel_ = false;  // the server granted it
  int status_ = 0;
  bool head_sent_ = false;
  bool body_follows_ = false;
  bool source_over_ = false;
  RateWatch sending_;  // the client: the request's body
  RateWatch taking_;   // the answer
  bool looked_at_pace_ = false;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
  const char* note_ = "";
  bool logged_ = false;
  bool over_ = false;
};

}  // namespace portolan::proxy
