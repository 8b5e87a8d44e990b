#pragma once
// HTTP/1.x, strict (RFC 9112; ../docs/strictness.md lists every rule). Bytes in, events out: no sockets, no clock, no
// bytes kept. The caller owns one contiguous buffer of unread bytes, calls next() until it says need_more, and drops
// `consumed` bytes after each event. The result does not depend on how the bytes were split.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/http/message.hh"

namespace portolan::http {

struct Limits {
  size_t head_bytes = 32 * 1024;       // start line and fields: 431
  size_t target_bytes = 8 * 1024;      // 414
  size_t field_count = 100;            // 431
  size_t chunk_extension_bytes = 1024; // a message, in all: 400
  size_t trailer_bytes = 8 * 1024;     // 431 (a response: an error)
};

enum class Event : uint8_t {
  need_more,   // no event in these bytes; consumed may be > 0 (framing that was skipped)
  head,        // the head is complete
  body,        // `data` are body bytes, framing removed
  end,         // the message is over; trailers() holds what came
  error,       // the message is invalid; status() and reason() say why; the connection can't be used further
};

struct Step {
  Event event = Event::need_more;
  size_t consumed = 0;                 // bytes of `in` this event used up
  std::string_view data;               // a view into `in`
};

// What both directions share: body framing and trailers.
class BodyParser {
 public:
  void start(Framing framing, uint64_t content_length);
  Step next(std::string_view in);
  const Fields& trailers() const { return trailers_; }   // views into the `in` of the event `end`
  // For until_close: the connection ended. True where that ends the message rightly.
  bool finish_at_close();
  // …private state is the implementation's

 protected:
  friend class RequestParser;
  friend class ResponseParser;
  Step fail(int status, const char* reason);
  Limits limits_;
  Fields trailers_;
  int status_ = 0;
  const char* reason_ = "";
  Framing framing_ = Framing::none;
  uint64_t remaining_ = 0;
  int state_ = 0;
  size_t extension_bytes_ = 0;
  size_t scanned_ = 0;
};

// A server's side: requests. One parser a connection; after `end` it is ready for the next request.
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits = {});
  // `in` must begin with the first byte not yet consumed, and bytes already seen must not change.
  Step next(std::string_view in);
  // Valid from `head` on until reset by the next request; views into the `in` of that event: the caller keeps those
  // bytes (RequestHead::storage is for that).
  RequestHead& head() { return head_; }
  const Fields& trailers() const { return body_.trailers(); }
  int status() const;                  // 400, 414, 431, 501, 505 after `error`
  const char* reason() const;          // "Content-Length and Transfer-Encoding together"
  bool started() const;                // some byte of a request has been seen (408 or silence at a timeout)

 private:
  RequestHead head_;
  BodyParser body_;
  Limits limits_;
  int status_ = 0;
  const char* reason_ = "";
  bool in_body_ = false;
  bool started_ = false;
  size_t scanned_ = 0;
  size_t line_start_ = 0;
  int lines_ = 0;
  Step fail(int status, const char* reason);
  Step parse_head(std::string_view head, size_t consumed);
};

// A client's side: responses. start() before each response says which request it answers.
class ResponseParser {
 public:
  explicit ResponseParser(const Limits& limits = {});
  void start(Method request_method);
  Step next(std::string_view in);      // a 1xx (but 101) gives `head` then `end`; then comes the final head
  ResponseHead& head() { return head_; }
  const Fields& trailers() const { return body_.trailers(); }
  const char* reason() const;
  bool finish_at_close();              // the server closed: true where that completes the message

 private:
  ResponseHead head_;
  BodyParser body_;
  Limits limits_;
  Method request_method_ = Method::get;
  const char* reason_ = "";
  bool in_body_ = false;
  size_t scanned_ = 0;
  size_t line_start_ = 0;
  int lines_ = 0;
  Step fail(const char* reason);
  Step parse_head(std::string_view head, size_t consumed);
};

// ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────
// Appends to a string-like buffer in place. Framing is always made here, never forwarded.
class HeadWriter {
 public:
  explicit HeadWriter(std::string& out) : out_(out) {}
  void request_line(std::string_view method, std::string_view target);     // HTTP/1.1
  void status_line(int status, std::string_view reason = {});              // HTTP/1.1
  void field(std::string_view name, std::string_view value);
  void field(std::string_view name, uint64_t value);
  void framing(Framing framing, uint64_t content_length);                  // Content-Length or Transfer-Encoding
  void end();                                                              // the empty line

 private:
  std::string& out_;
};

// "1a2b\r\n" into buffer (at least 18 bytes); returns its length.
size_t chunk_header(char* buffer, uint64_t size);

}  // namespace portolan::http
