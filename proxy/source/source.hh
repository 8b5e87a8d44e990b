#pragma once
// Where an answer comes from: a server, the cache, a file, a text. Two verbs move it: proceed() gives the next bytes, and
// destroying the source is stop(). A source that says `waiting` or `wait` wakes its exchange when that changed.
#include <optional>
#include <string>

#include "core/base/body.hh"
#include "core/http/message.hh"
#include "proxy/request_meter.hh"

namespace portolan::proxy {

class OriginRequest;
struct ErrorPage;

struct Answer {
  int status = 200;
  std::string_view reason;
  const http::Fields* fields = nullptr;  // hop-by-hop fields and framing are left out when it is sent
  std::string_view wire;                 // the same ready to be sent, with a Date: lines with their CRLF; or empty
  std::string_view content_range;        // a field to send, when not empty
  std::optional<uint64_t> length;        // of the body; nullopt: it ends when it ends
  std::optional<int64_t> age_s;          // an Age field to send
  bool validates = false;                // a 304 of a stored answer, whose fields these are: some don't belong there
};

class Source {
 public:
  enum class Head : uint8_t {
    waiting,
    ready,
    failed,    // failure_status() says what to answer instead
    released,  // a fetch that was followed is of no use to this request: look again
  };
  enum class Flow : uint8_t { more, wait, end, failed };

  virtual ~Source() = default;
  virtual Head head(Answer& answer) = 0;
  // Appends up to about `most` bytes to out; after `ready`. `end` and `failed` are final.
  virtual Flow proceed(Body& out, uint64_t most) = 0;
  virtual int failure_status() const { return 502; }
  virtual const http::Fields* trailers() const { return nullptr; }
  // Where the request's body goes; nullptr: nowhere, it is dropped.
  virtual OriginRequest* upload() { return nullptr; }
  // The next interim (1xx) answer, serialised; false when there is none.
  virtual bool take_interim(std::string&) { return false; }
  // As a server sent it, where this is what is answered; after `ready`.
  virtual const http::ResponseHead* response() const { return nullptr; }
  // For the log and the metrics: the address of the server that was asked, and the same in numbers.
  virtual std::string_view server() const { return {}; }
  virtual ServerId server_id() const { return {}; }
  virtual int tries() const { return 0; }
  // The status of an error that was made here, whose text a page may take the place of; 0: it is none.
  virtual int error_status() const { return 0; }
  virtual void take_page(const ErrorPage&) {}
  // Of a Set-Cookie that the client is to be given besides; empty: none. After `ready`.
  virtual std::string set_cookie(bool) const { return {}; }
};

}  // namespace portolan::proxy
