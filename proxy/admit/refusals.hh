#pragma once
// Why a request was turned away before any server was asked, and how many were: by metrics, a word in the access log and
// one line a second and reason in the event log. One meter a worker, its thread only.
#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/base/address.hh"
#include "core/base/metrics.hh"

namespace portolan::proxy {

enum class Refusal : uint8_t {
  denied,              // 403: by allow and deny
  maintenance,         // 503
  rate_limited,        // 429
  no_password,         // 401: the first request of every browser
  bad_password,        // 401
  busy,                // 503: too many passwords to check
  client_certificate,  // 403: none that is good
  bad_signature,       // 403: of a URL that must be signed
  expired_signature,   // 403
};
const char* to_string(Refusal refusal);

class RefusalMeter {
 public:
  explicit RefusalMeter(metrics::Shard& shard) : shard_(shard) {}
  struct Place {
    uint64_t listener_id;  // ListenerView::id
    uint64_t snapshot;     // Snapshot::version
    uint32_t route_index;  // of the snapshot's routes
    const std::string& listener;
    const std::string& route;
  };
  void count(Refusal refusal, const Place& place, const IpAddress& client, int64_t now_ms);
  void forget() { series_.clear(); }  // the numbers begin to mean something else

 private:
  struct Key {
    uint64_t listener, snapshot;
    uint32_t route;
    Refusal refusal;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  metrics::Shard& shard_;
  std::unordered_map<Key, metrics::Counter*, Hash> series_;
};

}  // namespace portolan::proxy
