#pragma once
// How a server's or a service's health is checked, as configured.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/loop/tls_config.hh"

namespace portolan::loop {
class TlsConnector;
}

namespace portolan::health {

struct StatusRange {
  int from = 200, to = 399;
  bool operator==(const StatusRange&) const = default;
};

// `health = { http = "/healthz", interval = "2s", timeout = "1s", rise = 2, fall = 3 }`
struct CheckConfig {
  std::string protocol;   // "" (no active check) | "tcp" | "http" | "grpc": the name of a registered Probe
  std::string http_path;  // http: the path asked
  std::string http_host;  // http: the Host sent; default: the server's address
  std::string http_method = "GET";
  std::vector<StatusRange> expect_status;        // http: good ones; empty: 200 to 399
  std::string expect_header;                     // http: "Name" or "Name: part of its value"; empty: any
  std::string expect_body;                       // http: a part of it; empty: any
  int port = 0;                                  // where the check goes; 0: where requests go
  std::optional<bool> speaks_tls;                // nullopt: as the pool does
  std::optional<loop::TlsServerConfig> own_tls;  // with speaks_tls true; nullopt: the pool's, or the system's roots
  std::string grpc_service;                      // grpc: whose health; "*": the server's
  bool http2 = false;                            // http: how the servers of the pool are spoken to
  int64_t interval_ms = 2000;                    // between the starts of two checks; jitter only shortens it
  int64_t timeout_ms = 1000;
  int rise = 2;  // good results in a row until up
  int fall = 3;  // bad results in a row until down
  // How the servers of the pool are spoken to, and by what name; nullptr: plain. The control worker's own.
  std::shared_ptr<loop::TlsConnector> tls = nullptr;
  std::string tls_host = {};
  bool operator==(const CheckConfig&) const = default;
};

// `eject = { failures = 5, ratio = "50%", … }`: when failed requests take a server out, checked or not.
struct EjectConfig {
  int failures = 5;               // in a row
  double ratio = 0.5;             // of the requests of a window; 0: not looked at
  int requests = 20;              // the fewest in a window that say something
  int64_t window_ms = 10'000;     // opened by a failure
  int64_t time_ms = 30'000;       // out that long, times how often it happened lately
  int64_t max_time_ms = 300'000;  // and no longer
  double most = 0.5;              // of a pool's servers, out at once; 0: none ever is
  std::vector<int> statuses;      // answers that count as failures
  bool operator==(const EjectConfig&) const = default;
};

}  // namespace portolan::health
