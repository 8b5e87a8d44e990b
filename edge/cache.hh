#pragma once
// The edge cache: a library without sockets, threads or clocks. One Cache a [cache.NAME], shared by
// all workers: every function may be called from any thread; a hit takes one shard's lock for some
// hundred nanoseconds.
//
// A request's way:   Lookup l = cache.find({head, scheme, authority, now});
//   bypass               forward untouched, store nothing; dress() the answer. For an unsafe method call invalidate() with
//                        the response, then adopt(). Where no server answers well, stand_in().
//   hit                  answer from l.object: evaluate conditionals and ranges, `Reader reader(l.object)`. With a
//                        writer it is stale: start a fetch that owns it and that nobody follows (RFC 5861 §3).
//   miss                 start a fetch that owns l.writer; the exchange itself follows l.reader like anybody else.
//   stale                as miss, with Writer::add_conditional_fields; l.object is the stale one.
//   follow               somebody fetches: follow l.reader (its state may be `pending`).
//   only_if_cached_miss  504 (RFC 9111 §5.2.1.7).
// The fetch then says writer->head(), append()…, finish(). Readers are woken as things happen.
// An object may be kept in fragments (Object::parts()): then it is read through a PartsReader, which says when a part has
// to be fetched, and gives the writer for it. Who needs `find` to wait, as for a store on a disk, gives `follow` with a
// reader that is pending until it knows: its retry() asks again. Bodies come as segments, which may be file ranges.
// A forwarded fetch must not carry the client's conditionals nor Range (`drop_for_fetch`), nor ignored cookies
// (`filter_cookies`), and asks for encodings as `accepted_encodings` has them.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/body.hh"
#include "core/base/io.hh"
#include "core/http/message.hh"
#include "edge/config.hh"
#include "edge/disk/disk.hh"
#include "edge/object.hh"
#include "edge/purge/log.hh"
#include "edge/purge/purge.hh"
#include "edge/reader.hh"

namespace portolan::edge {

namespace disk {
class Disk;
}
class Store;
class Fill;
class Purges;
class Run;
struct Inspection;
struct HotKey;

struct RequestView {
  const http::RequestHead& head;  // only read during the call; what is needed later is copied
  std::string_view scheme;        // "http" | "https"
  std::string_view authority;     // normalised: lower case, no default port, no final dot
  int64_t now_ms = 0;             // wall clock
  std::string_view country = {};  // of the client, where asks_country(); empty: unknown
  std::string_view route = {};    // what sets it apart, where more than host and path led to it, or empty
  std::string_view pool = {};     // where the route has several, or empty
  bool identified = false;        // the origin is told who the client is: as with Authorization (RFC 9111 §3.5)
  // Fields in which the origin is told of the client what the key doesn't hold, in lower case, each ended by '\n', with
  // a '*' before it for a prefix: what varies by one of them is as good as varying by "*".
  std::string_view told = {};
  bool asked_disk = false;  // by an earlier lookup of this request: what it has is in memory by now
  bool refresh = false;     // not to be answered from the store, but its answer may be kept
  bool let_down = false;    // what it followed broke (Reader::let_down): one more fetch is the last it waits for
};

enum class Outcome : uint8_t { bypass, miss, follow, hit, stale, only_if_cached_miss };

// Why a request went forward: the `fwd` of RFC 9211 §2.2.
enum class Forward : uint8_t { none, bypass, method, uri_miss, vary_miss, request, stale, partial };

class Writer;

struct Lookup {
  Outcome outcome = Outcome::bypass;
  Forward forward = Forward::none;
  ObjectRef object;                // hit, stale
  std::unique_ptr<Writer> writer;  // miss, stale; hit: see above
  std::unique_ptr<Reader> reader;  // miss, stale, follow
  bool loading = false;            // follow: the disk is asked, and whoever waits looks again
  const char* detail = nullptr;    // a token for Cache-Status: "cookie", "range", …
  bool stands_in = false;          // stale: the object answers, in place of an error (stand_in())
  bool eligible = false;           // it may be cached, whatever came of it: only what withholds() allows goes on
};

// The one who fetches. Used by one thread at a time. Destroying it without finish() is abort().
class Writer {
 public:
  enum class Verdict : uint8_t {
    stored,          // goes on: append(), finish(); all who wait now read along
    not_modified,    // the stored object was refreshed and is served; the writer is done
    stale_on_error,  // the answer was an error and the stale object is served (RFC 5861); the
                     // writer is done, drop the body
    dropped,         // of no use to anybody, its leader included: the writer is done, end the fetch
    uncacheable,     // all other readers are released. The leader's own reader still works: it gets an
                     // object that isn't stored, through a bounded window: go on with append(),
                     // writable(), finish(). Or deliver the response by other means and destroy writer
                     // and reader.
  };

  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // What the fetch asks for besides: If-None-Match and If-Modified-Since for a revalidation (RFC 9111 §4.3.1), Range for
  // a part, and If-Range for one more part of what is stored. The values live as long as the writer.
  void add_conditional_fields(http::Fields& out) const;
  bool revalidates() const;
  // The final response head (never a 1xx). Wall times: when the request was sent, when the response
  // came.
  Verdict head(const http::ResponseHead& response, int64_t request_ms, int64_t response_ms);
  // Body bytes, framing removed. False: what arrives isn't stored (any more); it still reaches the
  // readers.
  bool append(Slice bytes);
  // False: stop reading from the origin until `waker` of wait_writable fires. Always true while it
  // is being stored.
  bool writable() const;
  void wait_writable(std::shared_ptr<Waker> waker);
  // Of what isn't stored: the window is full, and a reader waits at its head for one a whole window behind.
  bool held_up() const;
  // Where that is so: those behind are cut (`failed` amid the body). Never a reader alone.
  void cut_slow();
  // False: nothing is stored and nobody reads: the fetch may as well end.
  bool wanted() const;
  // The body is whole. False: it isn't (Content-Length disagrees): taken as abort().
  bool finish(const http::Fields& trailers = {});
  // The fetch failed; `status` (502, 504…) is what readers who have no head yet should answer.
  // Where RFC 5861 lets a stale object stand in, they get that instead.
  // `unanswered`: it may have been this request that the origin didn't answer well. Those who follow are released to look
  // again: the first of them leads, and when that fails, too, all are told. `unreachable`: they would fare no better.
  enum class Failure : uint8_t { unanswered, unreachable };
  void abort(int64_t now_ms = 0, int status = 502, Failure failure = Failure::unanswered);
  // For Cache-Status: this answer is (being) stored.
  bool stored() const;

 private:
  friend class Store;
  friend class PartsReader;
  explicit Writer(std::shared_ptr<Fill> fill);
  explicit Writer(std::shared_ptr<Run> run);
  std::shared_ptr<Fill> fill_;  // null: it only brings more parts of what is stored
  std::shared_ptr<Run> run_;    // what comes are fragments
  bool done_ = false;
};

struct Stats {
  uint64_t objects = 0;
  uint64_t fragments = 0;  // parts of objects, beside those that are stored whole
  uint64_t bytes = 0;      // stored and being filled, overhead included; never above `budget`
  uint64_t budget = 0;
  uint64_t filling = 0;        // fetches in progress
  uint64_t passing_bytes = 0;  // in the windows of bodies that aren't stored
  uint64_t hits = 0, misses = 0, stale = 0, bypasses = 0, collapsed = 0;
  uint64_t fills = 0;      // objects stored
  uint64_t validated = 0;  // 304s
  uint64_t evictions = 0, purged = 0, too_large = 0;
  uint64_t promoted = 0;                   // objects that came back from the disk
  uint64_t purges = 0, purge_entries = 0;  // made; remembered
  uint64_t purges_merged = 0;              // times that the oldest became one of everything older, for want of room
  uint64_t purge_log_errors = 0;
  std::optional<disk::Stats> disk;  // of the disk tier, where there is one
};

struct PurgeReceipt {
  uint64_t number = 0;  // of the cache's purges
  size_t removed = 0;   // of a URL: objects taken out of memory at once; others go when they are asked for
};

class Cache {
 public:
  // `seed` keys the hash: from core/base/clock's system_entropy.
  Cache(const CacheConfig& config, uint64_t seed);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Who compresses, off the loops (null, the default: nobody); outlives the cache, or is taken away again. Jobs that were
  // begun end without the cache.
  void compress_on(Executor* executor);

  // Where stored things go besides, and come back from; `executor` does all waiting for it. Null: nowhere. Both outlive the
  // cache. First keep_purges(): sequences have to be later than any the disk knows.
  void use_disk(std::shared_ptr<disk::Disk> disk, Executor* executor);

  Lookup find(const RequestView& request);
  // What `purge` names, all that was fetched or is being fetched for it, is gone, or with `soft` stale, when this returns;
  // whatever there is, it costs the same. Who reads along keeps what it reads. `durable` is told once it survives a
  // crash, or that it won't: at once where nothing does, else on a thread of the Executor's. The error: `purge` is wrong.
  Result<PurgeReceipt> purge(const Purge& purge, int64_t now_ms, std::function<void(Status)> durable = {});
  size_t purge(std::string_view url);  // of a URL, hard: how many objects were in memory
  // From here on purges are durable: in a log in `directory`, which is made where it is missing. What the log says is
  // purged; call it before anything of an earlier process is served, one thread at a time. Blocks. Nothing happens where
  // the log is there already. What is to be told of it, or empty.
  std::string keep_purges(const std::string& directory, const std::string& node, FileSystem& files, Executor& executor,
                          int64_t wall_ms);
  const Purges& purges() const;
  // After the response to an unsafe method (RFC 9111 §4.4): a 2xx or 3xx invalidates the target
  // and, of the same origin, Location and Content-Location, what shares a cache group with these, and the groups of
  // Cache-Group-Invalidation (RFC 9875). Does nothing for safe methods.
  void invalidate(const RequestView& request, const http::ResponseHead& response);
  // After the response to a POST: the writer of what it says its target is from now on (RFC 9110 §9.3.3); nobody reads
  // it, what comes of the body goes there, too. nullptr: it says no such thing, or it isn't to be stored, or the request,
  // which passed untouched, said more to its server than a fetch for the same key may.
  std::unique_ptr<Writer> adopt(const RequestView& request, const http::ResponseHead& response, int64_t request_ms,
                                int64_t response_ms);
  // Of an answer that passes by the cache, to a GET or HEAD: its fields as rules and compression have them. Set-Cookie goes
  // where a rule takes it off; the rest is as for a GET that may be answered from the store, if its answer would be stored.
  // False: they stay as they are. Views into the answer, and into what lives as long as the cache.
  bool dress(const RequestView& request, const http::ResponseHead& answer, http::Fields& dressed) const;
  bool dresses() const;  // false: never
  // A part that passes by and isn't to be given: as range_is_void(). The whole is to be asked for.
  bool splices(const http::RequestHead& request, const http::ResponseHead& answer) const;
  // For a request that passed by and was answered with an error, or not at all: what is stored and stands in (RFC 5861 §4).
  // Null: nothing.
  ObjectRef stand_in(const RequestView& request, Object::StandIn in_place_of);
  // Takes a new configuration; objects stay as far as memory allows. A change of what is in the key
  // makes the old objects unreachable; they age out.
  void reconfigure(const CacheConfig& config);
  Stats stats() const;
  // What is there for a request and what would become of it; changes and counts nothing (edge/inspect.hh). With
  // `read_disk` what memory doesn't have is read there, which waits for the disk: on a thread that may.
  Inspection inspect(const RequestView& request, bool read_disk = false) const;
  // A request that may pass the cache by did so without a find(): it counts among the bypasses.
  void count_bypass() const;
  // The keys of the most requests since they came, in falling order; at most `most_hot_keys`. Looks at every entry.
  std::vector<HotKey> top(size_t most) const;
  // The URLs of those that a request could be answered from, each once; at most `most_hot_urls`: stored and not purged,
  // with a status below 400. Stale ones are among them.
  std::vector<std::string> hot_urls(size_t most) const;
  const std::string& name() const;

  // The Cookie field to forward: `cookie` without the ignored ones; nullopt when nothing is left or
  // none was there.
  std::optional<std::string> filter_cookies(const http::RequestHead& request) const;
  // True for a field that may change answers and isn't in the key: not to be forwarded with an eligible request. Fields
  // this cache's clients say in their own name (device, country) are among them.
  bool withholds(const http::Field& field) const;
  // Clients get the fields that name an answer's tags (is_tag_field).
  bool keeps_tags() const;
  // The key holds the client's country.
  bool asks_country() const;
  // The class of the client's device ("mobile", …) where it is in the key, for the origin to know; else empty.
  std::string_view device_class(const http::RequestHead& request) const;
  // The target to forward: path and the part of the query that is in the key, so that nothing
  // unkeyed can change the answer. The target as received where the key takes the whole query.
  std::string forward_target(const http::RequestHead& request) const;

 private:
  std::shared_ptr<Store> store_;
};

// Fields of the client's request that a fetch on behalf of the cache doesn't forward: conditionals, Range, and
// Accept-Encoding, in whose place goes accepted_encodings().
bool drop_for_fetch(http::FieldId id);
// Accept-Encoding as those of br, gzip and zstd a client takes, in this order: "br, gzip". "identity": none of them,
// "identity;q=0" behind them: it takes nothing else. nullopt: it says nothing. So few values make few variants, and no
// client gets what another one asked for.
std::optional<std::string> accepted_encodings(const http::Fields& request);

// True when the client's own conditionals (If-None-Match, else If-Modified-Since; RFC 9110 §13.2.2)
// hold for a stored object: answer 304 with its fields.
bool not_modified(const http::RequestHead& request, const Object& object);

// A Range that isn't to be heeded: its If-Range is a date, which plain and coded bytes share, and the client may have got
// either for a GET of this object (RFC 9110 §13.1.5).
bool range_is_void(const http::RequestHead& request, const Object& object);

// RFC 9211: the value this cache appends to Cache-Status.
struct StatusNote {
  Outcome outcome = Outcome::bypass;
  Forward forward = Forward::none;
  int forward_status = 0;  // fwd-status; 0: left out
  std::optional<int64_t> ttl_s;
  bool stored = false;
  bool collapsed = false;
  const char* detail = nullptr;
};
Text cache_status(std::string_view name, const StatusNote& note);

}  // namespace portolan::edge
