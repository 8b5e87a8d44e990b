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
  size_t head_bytes = 32 * 1024;        // start line and fields: 431
  size_t target_bytes = 8 * 1024;       // 414
  size_t field_count = 100;             // 431
  size_t chunk_extension_bytes = 1024;  // a message, in all: 400
  size_t trailer_bytes = 8 * 1024;      // 431 (a response: an error)
  bool refuse_underscores = false;      // a field name with '_': 400
  bool operator==(const Limits&) const = default;
};

enum class Event : uint8_t {
  need_more,  // no event in these bytes; consumed may be > 0 (framing that was skipped)
  head,       // the head is complete
  body,       // `data` are body bytes, framing removed
  end,        // the message is over; trailers() holds what came
  error,      // the message is invalid; status() and reason() say why; the connection can't be used further
};

struct Step {
  Event event = Event::need_more;
  size_t consumed = 0;    // bytes of `in` this event used up
  std::string_view data;  // a view into `in`
};

// What both directions share: body framing and trailers. Usable on its own.
class BodyParser {
 public:
  BodyParser() = default;
  explicit BodyParser(const Limits& limits) : limits_(limits) {}
  void limit(const Limits& limits) { limits_ = limits; }  // between messages
  void start(Framing framing, uint64_t content_length);
  Step next(std::string_view in);                       // after `end`: need_more, nothing consumed
  const Fields& trailers() const { return trailers_; }  // views into the `in` of the event `end`
  // For until_close: the connection ended. True where that ends the message rightly.
  bool finish_at_close();
  int status() const { return status_; }  // 400 or 431 after `error`
  const char* reason() const { return reason_; }

 private:
  enum class State : uint8_t {
    length,
    until_close,
    chunk_size,
    chunk_extension,
    chunk_lf,
    chunk_data,
    data_cr,
    data_lf,
    trailers,
    done,
    failed
  };
  Step fail(int status, const char* reason);
  bool chunk_byte(char c);  // one byte of chunk framing; false: failed
  bool chunk_size_byte(char c);
  Step next_chunked(std::string_view in);
  Step next_trailers(std::string_view in, size_t skipped);

  Limits limits_;
  Fields trailers_;
  int status_ = 0;
  const char* reason_ = "";
  uint64_t remaining_ = 0;
  size_t extension_bytes_ = 0;
  size_t scanned_ = 0;
  size_t line_start_ = 0;
  const char* base_ = nullptr;  // where the trailers' views were made
  State state_ = State::done;
  uint8_t digits_ = 0;
};

// A server's side: requests. One parser a connection; after `end` it is ready for the next request.
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits = {});
  void limit(const Limits& limits);  // while blank()
  // `in` must begin with the first byte not yet consumed, and bytes already seen must not change.
  Step next(std::string_view in);
  // Valid from `head` on until reset by the next request; views into the `in` of that event: the caller keeps those
  // bytes (RequestHead::storage is for that).
  RequestHead& head() { return head_; }
  const Fields& trailers() const { return body_.trailers(); }
  int status() const { return status_; }          // 400, 414, 431, 501, 505 after `error`
  const char* reason() const { return reason_; }  // "Content-Length and Transfer-Encoding together"
  // Some byte of a request has been seen: 408 or silence at a timeout. The empty line allowed before a request is none.
  bool started() const { return started_; }
  // As new: between requests, and nothing seen of the next one.
  bool blank() const { return state_ == State::idle && !empty_line_skipped_; }

 private:
  enum class State : uint8_t { idle, method, target, version, fields, body, failed };
  Step fail(int status, const char* reason);
  Step next_head(std::string_view in);
  bool skip_empty_line(std::string_view in, size_t& skipped);  // false: wait for more, or failed
  void begin_head();
  bool scan_request_line(std::string_view in);  // false: wait for more, or failed
  bool scan_version(std::string_view in, size_t window);
  const char* split_target();  // why the target is invalid, or nullptr
  const char* split_absolute();
  bool finish_head();  // false: failed
  bool finish_authority(std::string_view host, bool has_host);

  RequestHead head_;
  BodyParser body_;
  Limits limits_;
  int status_ = 0;
  const char* reason_ = "";
  State state_ = State::idle;
  bool started_ = false;
  bool empty_line_skipped_ = false;
  bool absolute_ = false;
  size_t scanned_ = 0;
  size_t line_start_ = 0;       // of the field line being read; in the request line, of the part
  const char* base_ = nullptr;  // where the head's views were made
};

// A client's side: responses. start() before each response says which request it answers.
class ResponseParser {
 public:
  explicit ResponseParser(const Limits& limits = {});
  void start(Method request_method);
  Step next(std::string_view in);         // a 1xx (but 101) gives `head` then `end`; then comes the final head
  ResponseHead& head() { return head_; }  // after the event `head` the caller may move it away
  const Fields& trailers() const { return body_.trailers(); }
  const char* reason() const { return reason_; }
  bool finish_at_close();  // the server closed: true where that completes the message

 private:
  enum class State : uint8_t { status_line, reason, fields, body, done, failed };
  Step fail(const char* reason);
  Step next_head(std::string_view in);
  bool scan_status_line(std::string_view in);  // false: wait for more, or failed
  bool scan_reason(std::string_view in);
  bool finish_head();  // false: failed
  void begin_head();

  ResponseHead head_;
  BodyParser body_;
  Limits limits_;
  Method request_method_ = Method::get;
  const char* reason_ = "";
  State state_ = State::status_line;
  bool is_interim_ = false;  // the head read last
  int interim_ = 0;          // 1xx heads before this one
  size_t scanned_ = 0;
  size_t line_start_ = 0;
  const char* base_ = nullptr;  // where the head's views were made
};

// ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────
// Appends to a BlockWriter or a std::string in place. Framing is always made here, never forwarded.
template <class Out>
class BasicHeadWriter {
 public:
  explicit BasicHeadWriter(Out& out) : out_(out) {}
  void request_line(std::string_view method, std::string_view target) { request_line(method, target, {}, false); }
  void request_line(std::string_view method, std::string_view path, std::string_view query, bool has_query);
  void status_line(int status, std::string_view reason = {});  // HTTP/1.1
  void field(std::string_view name, std::string_view value);
  void field(std::string_view name, uint64_t value);
  void framing(Framing framing, uint64_t content_length);  // Content-Length or Transfer-Encoding
  void end();                                              // the empty line

 private:
  Out& out_;
};
using HeadWriter = BasicHeadWriter<std::string>;
using BlockHeadWriter = BasicHeadWriter<BlockWriter>;
extern template class BasicHeadWriter<std::string>;
extern template class BasicHeadWriter<BlockWriter>;

// "1a2b\r\n" into buffer (at least 18 bytes); returns its length.
size_t chunk_header(char* buffer, uint64_t size);

}  // namespace portolan::http
