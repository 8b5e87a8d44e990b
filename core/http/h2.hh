#pragma once
// HTTP/2 (RFC 9113) over nghttp2, in both roles. Bytes in, events and bytes out: no sockets, and no clock but the times it
// is told. Heads come out as the same RequestHead and ResponseHead that HTTP/1 gives, checked as strictly, and go in as
// HTTP/1 text, so that what stands above knows one form. One session a connection; used from one thread.
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/base/body.hh"
#include "core/http/h1.hh"
#include "core/http/h2_budget.hh"

struct nghttp2_session;

namespace portolan::http {

struct H2Limits {
  Limits head;                               // fields and trailers, as in HTTP/1
  uint32_t streams = 100;                    // of the peer, open at once
  uint32_t stream_window = 256 * 1024;       // bytes of a body that may wait to be read
  uint32_t connection_window = 1024 * 1024;  // the same, of all streams together
  H2SharedBudget* waste = nullptr;           // of all connections of the worker; outlives them
};

// RFC 9113 §7.
enum class H2Error : uint32_t {
  none = 0,
  protocol = 1,
  internal = 2,
  stream_closed = 5,
  refused_stream = 7,
  cancel = 8,
  enhance_your_calm = 11,
};

std::string_view h2_error_name(H2Error error);  // "REFUSED_STREAM"

class H2Session;

// One request and its answer. Owned by its session until Events::on_closed.
class H2Stream : public Recycled {
 public:
  int32_t id() const { return id_; }
  // A server's streams: from on_request on. Views into request.storage.
  RequestHead request;
  std::string_view protocol;  // of an extended CONNECT (RFC 8441): "websocket"
  int refusal = 0;            // not 0: the request is well formed but can't be taken, answer this
  // A client's streams: from on_response on.
  ResponseHead response;
  void* owner = nullptr;  // the caller's

  bool has_unread() const { return !unread_.empty(); }
  bool peer_done() const { return peer_done_; }  // what waits unread is the last of the peer's body
  const Fields& trailers() const { return trailers_; }
  uint64_t unsent() const { return unsent_.size(); }  // bytes given to send() that are still here
  bool malformed() const { return malformed_; }       // it was reset for what the peer sent
  bool all_sent() const { return end_sent_; }         // our side is over, its last frame among the bytes collected

 private:
  friend class H2Session;
  friend struct H2Callbacks;
  int32_t id_ = 0;
  Body unread_;
  BlockRef tail_;  // small pieces of a body share a block
  size_t tail_size_ = 0;
  Fields trailers_;
  BlockRef head_block_;  // of the head being read, or of the trailers
  size_t head_size_ = 0;
  Fields head_fields_;
  size_t head_cost_ = 0;  // as SETTINGS_MAX_HEADER_LIST_SIZE counts it
  bool head_seen_ = false;
  bool peer_done_ = false;
  Slice head_out_;  // what nghttp2 is to send of it
  Body unsent_;
  bool ending_ = false;  // nothing comes behind unsent_ but the trailers
  bool end_sent_ = false;
  bool deferred_ = false;  // nghttp2 waits for us to say that there is more to send
  bool reset_by_us_ = false;
  bool reset_sent_ = false;
  bool malformed_ = false;
  bool known_ = false;  // on_request was called, or we began it
  std::vector<std::pair<std::string, std::string>> trailers_to_send_;
  H2Stream* previous_ = nullptr;
  H2Stream* next_ = nullptr;
};

// What a request of HTTP/2 says beyond its HTTP/1 head.
struct H2Target {
  std::string_view scheme = "http";
  std::string_view protocol;    // not empty: an extended CONNECT for it
  bool wants_trailers = false;  // TE: trailers
};

class H2Session {
 public:
  enum class Role : uint8_t { server, client };
  // Called from feed() and collect(). May call any method but those two and the destructor.
  class Events {
   public:
    virtual void on_request(H2Stream&) {}                // server: its head is there, or `refusal` is set
    virtual void on_response(H2Stream&) {}               // client: the head is there; of a 1xx as well, and then again
    virtual void on_readable(H2Stream&) = 0;             // bytes of the peer's body, or its end
    virtual void on_room(H2Stream&) = 0;                 // unsent() shrank
    virtual void on_closed(H2Stream&, H2Error why) = 0;  // gone when this returns

   protected:
    ~Events() = default;
  };

  H2Session(Role role, const H2Limits& limits, Events& events);
  ~H2Session();
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // ── bytes ──
  // False: the connection is broken; what collect() still gives says why to the peer, then close it.
  bool feed(Slice bytes, int64_t now_ms);
  void collect(Body& out, uint64_t most);  // appends about `most` bytes at most
  bool wants_to_send() const;
  bool over() const;                              // nothing more is to be read or sent
  const char* reason() const { return reason_; }  // why feed() said false: "frames without use"

  // ── answers (server) ──
  // `head` is a whole HTTP/1 head; fields that mean nothing in HTTP/2 are left out. `end`: no body follows. A slice's
  // bytes become the session's: it writes names in lower case there, and nothing is copied.
  void send_interim(H2Stream& stream, std::string_view head);
  void send_response(H2Stream& stream, Slice head, bool end);
  void send_response(H2Stream& stream, std::string_view head, bool end) {
    send_response(stream, Slice::copy_of(head), end);
  }

  // ── requests (client) ──
  // `head` is a whole HTTP/1 head with its Host, `target` lives as long as its texts' bytes. nullptr: can_request() was
  // false.
  H2Stream* send_request(Slice head, const H2Target& target, bool end);
  H2Stream* send_request(std::string_view head, const H2Target& target, bool end) {
    return send_request(Slice::copy_of(head), target, end);
  }
  bool can_request() const;  // the peer's limits allow one more stream, and neither side is shutting down
  bool settings_seen() const { return settings_seen_; }  // the peer's first came
  bool allows_extended_connect() const;                  // RFC 8441 §3: known once they did

  // ── bodies ──
  bool read(H2Stream& stream, Slice& bytes);  // the next piece of the peer's body; false: none is there
  Body take(H2Stream& stream);                // all that waits unread
  void send(H2Stream& stream, Body& part);    // takes all of it
  void end(H2Stream& stream, const Fields* trailers);
  void reset(H2Stream& stream, H2Error why);  // on_closed comes from collect()

  // ── the end ──
  void announce_shutdown();  // GOAWAY: no new streams please, those under way are still taken
  void shut_down();          // GOAWAY with the last stream that was taken; the others go on to their end
  void terminate(H2Error why, const char* reason);
  size_t streams() const { return stream_count_; }
  // The peer sends no new ones, or takes none.
  bool shutting_down() const { return shutting_down_ || peer_shut_down_; }
  uint64_t unsent() const { return unsent_; }  // of all streams
  H2Budget& budget() { return budget_; }

 private:
  friend struct H2Callbacks;
  H2Stream& make_stream(int32_t id);
  void destroy(H2Stream& stream);
  void add_field(H2Stream& stream, std::string_view name, std::string_view value);
  std::string_view keep(H2Stream& stream, std::string_view text, size_t room);
  bool finish_request(H2Stream& stream, bool end);  // false: malformed
  bool sort_request_fields(H2Stream& stream);
  bool finish_response(H2Stream& stream, bool end);
  bool finish_trailers(H2Stream& stream);
  bool join_cookies(H2Stream& stream);
  void resume(H2Stream& stream);
  void receive(std::string_view bytes);
  void judge_frame(int32_t id, bool head);
  void put(std::string_view bytes);
  void flush_frames();

  Role role_;
  H2Limits limits_;
  Events& events_;
  nghttp2_session* session_ = nullptr;
  H2Budget budget_;
  H2Stream* streams_ = nullptr;
  size_t stream_count_ = 0;
  uint64_t unsent_ = 0;
  const BlockRef* input_ = nullptr;  // the block that feed() reads
  Body* output_ = nullptr;           // while collect() runs
  BlockRef frames_;                  // frame headers and small frames on their way out
  size_t frames_begin_ = 0;
  size_t frames_end_ = 0;
  const char* reason_ = "";
  // Streams that ended a while ago, so that what comes for them late is told from what is wrong.
  struct Ended {
    int32_t id = 0;
    bool by_us = false;  // we reset it: the peer may not have known
  };
  Ended ended_[64];
  size_t ended_count_ = 0;
  uint32_t last_id_ = 0;       // the highest the peer has opened
  bool after_goaway_ = false;  // the frame before was one: it may have been the last that counts
  bool settings_seen_ = false;
  bool broken_ = false;
  bool shutting_down_ = false;
  bool peer_shut_down_ = false;
};

// "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": how a client begins (RFC 9113 §3.4).
inline constexpr std::string_view h2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace portolan::http
