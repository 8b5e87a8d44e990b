#pragma once
// Where an answer comes from: a server, the cache, a file, a text. Two verbs move it: proceed() gives the next bytes, and
// destroying the source is stop(). A source that says `waiting` or `wait` wakes its exchange when that changed.
#include <optional>
#include <string>

#include "core/base/body.hh"
#include "core/http/message.hh"

namespace portolan::proxy {

class OriginRequest;

struct Answer {
  int status = 200;
  std::string_view reason;
  const http::Fields* fields = nullptr;  // hop-by-hop fields and framing are left out when it is sent
  std::optional<uint64_t> length;        // of the body; nullopt: it ends when it ends
  std::optional<int64_t> age_s;          // an Age field to send
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
  virtual std::string server() const { return {}; }  // for the log and the metrics
  virtual int tries() const { return 0; }
};

}  // namespace portolan::proxy
