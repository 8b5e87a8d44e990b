#pragma once
// The client's side of one exchange: where its request's body comes from and where its answer goes. An HTTP/1 connection
// is its own, an HTTP/2 connection has one a stream. run() goes on with the exchange.
#include <string>

#include "core/loop/event.hh"
#include "proxy/filters.hh"

namespace portolan::proxy {

class Downstream : public loop::Runnable {
 public:
  // ── the request's body ──
  enum class Read : uint8_t {
    bytes,   // some of it
    end,     // it is over; trailers() holds what came behind it
    wait,    // run() will be called
    broken,  // broken_status() is what the client is told, if it can still be told
  };
  virtual Read read_body(Slice& bytes) = 0;
  virtual const http::Fields& trailers() const = 0;
  virtual int broken_status() const = 0;
  virtual int64_t request_started_us() const = 0;

  // ── the answer ──
  virtual bool output_full() const = 0;   // wait: run() will be called
  virtual bool output_empty() const = 0;  // the kernel has all of it
  virtual void send_interim(const std::string& head) = 0;
  // `filter` says what the head is to hold, with framing `length`, `chunked` (a body of unknown size) or `none` (no
  // body); how that is put on the wire is decided here.
  virtual void send_head(const Answer& answer, ResponseFilter& filter) = 0;
  virtual void send_body(Body& part) = 0;                   // takes all of it
  virtual void end_body(const http::Fields* trailers) = 0;  // after a head with a body; nullptr: no trailers
  virtual void close_after_answer() = 0;                    // what follows the request can't be trusted
  virtual void cut() = 0;                                   // the answer can't be finished: make that show
};

}  // namespace portolan::proxy
