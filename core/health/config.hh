#pragma once
// How a server's or a service's health is checked, as configured.
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/address.hh"

namespace portolan::loop {
class TlsConnector;
}

namespace portolan::health {

// `health = { http = "/healthz", interval = "2s", timeout = "1s", rise = 2, fall = 3 }`
struct CheckConfig {
  std::string protocol;        // "" (no active check) | "tcp" | "http" | "grpc": the name of a registered Probe
  std::string http_path;       // http: the path asked
  std::string http_host;       // http: the Host sent; default: the server's address
  std::string grpc_service;    // grpc: whose health; "*": the server's
  bool http2 = false;          // http: how the servers of the pool are spoken to
  int64_t interval_ms = 2000;  // between the starts of two checks; jitter only shortens it
  int64_t timeout_ms = 1000;
  int rise = 2;  // good results in a row until up
  int fall = 3;  // bad results in a row until down
  // How the servers of the pool are spoken to, and by what name; nullptr: plain. The control worker's own.
  std::shared_ptr<loop::TlsConnector> tls = nullptr;
  std::string tls_host = {};
  bool operator==(const CheckConfig&) const = default;
};

}  // namespace portolan::health
