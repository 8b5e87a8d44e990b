#pragma once
// One request on its way at a server and the answer that comes back, whatever carries them: an HTTP/1 connection is its
// own stream, an HTTP/2 connection has many. Used from its worker's thread by one OriginRequest at a time.
#include <string>
#include <string_view>

#include "core/base/body.hh"
#include "core/http/h2.hh"
#include "core/http/message.hh"
#include "core/loop/stream.hh"

namespace portolan::proxy {

// What goes to a server. `head` is whole, as HTTP/1 writes it.
struct ServerRequest {
  http::Method method = http::Method::get;
  Slice head;
  http::Framing framing = http::Framing::none;
  uint64_t content_length = 0;
  std::string_view upgrade;  // "websocket": a 101 makes it a tunnel
  http::H2Target h2;         // what a pool that speaks HTTP/2 is told besides
};

class ServerStream {
 public:
  class User {
   public:
    virtual void on_server_ready() = 0;  // go on: connect, flush or look for what came

   protected:
    ~User() = default;
  };

  // ── until it can be used ──
  virtual loop::Io connected() = 0;  // would_block until then; error: trouble() says why
  virtual std::string trouble() const = 0;
  virtual bool reused() const = 0;  // the connection carried requests before this one

  // ── the request ──
  virtual void begin(const ServerRequest& request) = 0;
  virtual void send(Slice bytes) = 0;                  // of the body
  virtual void end(const http::Fields& trailers) = 0;  // of a tunnel: our side of it
  // What can be sent now. error: no more will be taken; the server may have answered before.
  virtual loop::Io flush() = 0;
  virtual uint64_t unsent() const = 0;
  virtual bool sent_any() const = 0;  // some of it may have reached the server

  // ── the answer ──
  enum class Event : uint8_t {
    wait,       // nothing yet
    head,       // head() holds it; 1xx come before the real one
    body,       // some bytes
    end,        // it is whole
    closed,     // the connection or the stream ended too early
    malformed,  // trouble() says how
    refused,    // the server did not look at the request: it may be sent again, whatever it is
  };
  virtual Event next(Slice& bytes) = 0;
  virtual http::ResponseHead& head() = 0;  // may be moved from
  virtual const http::Fields& trailers() const = 0;
  virtual bool heard() const = 0;  // some byte of the answer came

  // The end of its use: it belongs to its connection or pool again, or is gone. `whole`: request and answer are both
  // over; else it is ended here, and on `distrust` nobody else is given the connection. Safe from on_server_ready().
  virtual void release(bool whole, bool distrust, int64_t keepalive_ms) = 0;

 protected:
  virtual ~ServerStream() = default;
};

}  // namespace portolan::proxy
