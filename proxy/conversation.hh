#pragma once
// What a client connection needs only while there is something to read, to answer or to send. An idle connection has
// none: it takes one of the proxy's spares with the first byte, and gives it back when all is said.
#include <memory>

#include "core/http/h1.hh"
#include "proxy/inbox.hh"

namespace portolan::proxy {

class Exchange;

struct Conversation {
  Conversation();
  ~Conversation();
  // Nothing is under way, not even half a request: another connection may go on with it.
  bool blank() const;

  Inbox inbox;
  Body out;
  http::RequestParser parser;
  uint64_t limited_by = 0;  // the listener view whose limits the parser has; 0: those of nobody
  std::unique_ptr<Exchange> exchange;
  int64_t started_us = 0;                       // the request's first byte
  int64_t progress_ms = 0;                      // of a body, either way
  uint64_t queued = 0;                          // Stream::queued at the last look
  bool tunnel = false;                          // after a 101: bytes, no messages
  int broken_status = 0;                        // of a request's body that can't be read
  http::Framing framing = http::Framing::none;  // of the answer
};

}  // namespace portolan::proxy
