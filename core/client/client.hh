#pragma once
// A small asynchronous HTTP/1.1 client: probes, peers' health, and the command line over the Unix
// socket. One connection a call, closed afterwards; no redirects, no pool. Everything here
// belongs to one worker and is used from its thread, call_blocking() apart.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/address.hh"
#include "core/http/message.hh"
#include "core/loop/tls_connector.hh"
#include "core/loop/worker.hh"

namespace portolan::client {

using FieldList = std::vector<std::pair<std::string, std::string>>;

struct Request {
  SocketAddress to;  // TCP or a Unix socket
  std::string method = "GET";
  std::string host;  // default: the address
  std::string target = "/";
  FieldList fields;  // Host, Connection and the framing are added
  std::string body;
  int64_t timeout_ms = 10'000;       // send(): the whole exchange; stream(): until the head
  int64_t idle_timeout_ms = 0;       // stream(): longest silence after the head; 0: any
  size_t max_body_bytes = 1u << 20;  // send() only
  // How TLS is spoken, and by what name; nullptr: plain. A connector of this worker.
  std::shared_ptr<loop::TlsConnector> tls = nullptr;
  std::string tls_host = {};
};

struct Response {
  int status = 0;
  FieldList fields;
  std::string body;
  std::string_view field(std::string_view name) const;  // first value; "" when absent
};

// A call under way; destroying it closes the connection and no callback follows. Callbacks may
// destroy their call. None runs before send() or stream() has returned.
class Call {
 public:
  virtual ~Call() = default;
};

// Errors say what happened in lower case ("connection refused", "timed out after 1000 ms", "the
// answer is not HTTP: …"); their code is an errno value where there is one.
std::unique_ptr<Call> send(loop::Worker& worker, Request request, std::function<void(Result<Response>)> on_response);

struct StreamCallbacks {
  std::function<void(const http::ResponseHead&)> on_head;  // the final head; views are valid during the call only
  std::function<void(std::string_view)> on_data;
  std::function<void(Status)> on_end;  // the last callback; an error at any moment
};
std::unique_ptr<Call> stream(loop::Worker& worker, Request request, StreamCallbacks callbacks);

// The same over HTTP/2, by prior knowledge or, with TLS, by ALPN. Trailers stand among the fields.
std::unique_ptr<Call> send_h2(loop::Worker& worker, Request request, std::function<void(Result<Response>)> on_response);

// For the command line: runs a loop of its own in this thread until the answer is there.
Result<Response> call_blocking(Request request);

// "connection refused" for ECONNREFUSED.
std::string describe_errno(int code);

}  // namespace portolan::client
