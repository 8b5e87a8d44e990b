#pragma once
// One line a request, as JSON or in the combined form of Apache and nginx. Pure: appends to a buffer.
#include <cstdint>
#include <string_view>

#include "core/base/address.hh"
#include "core/base/bytes.hh"
#include "proxy/snapshot.hh"

namespace portolan::proxy {

struct LogEntry {
  int64_t wall_ms = 0;  // when the request's first byte came
  int64_t duration_us = 0;
  IpAddress client;
  std::string_view user;  // who has shown a good password; empty: nobody was asked
  std::string_view listener, method, target, host, referer, user_agent;
  std::string_view protocol = "HTTP/1.1";
  int status = 0;
  uint64_t bytes = 0;  // of the body, sent to the client
  std::string_view route, pool, server, cache;
  int tries = 0;                 // servers asked
  std::string_view grpc_status;  // empty: the answer is none of gRPC, or was cut
  std::string_view tls;          // "TLSv1.3"; empty: plain
  std::string_view note;         // why it ended early: "client left", "answer cut", "denied"
};

void write_log_line(BlockWriter& out, const LogEntry& entry, LogFormat format);

}  // namespace portolan::proxy
