#pragma once
// Response-rate limiting: who sends queries in another's name gets no flood of answers out of this server. Answers to
// one client network about one thing are counted in a token bucket; those over the rate are dropped or, every so often,
// cut to TC, so that who is really there can ask by TCP. One worker's; no allocation after construction.
#include <cstdint>
#include <vector>

#include "core/base/address.hh"
#include "core/base/network_set.hh"
#include "core/crypto/keyed_hash.hh"

namespace portolan::geodns {

struct RateLimitConfig {
  uint32_t answers_per_second = 0;  // alike, to one network, by the whole process; 0: no limit
  uint32_t slip = 2;                // every so many-th answer over the rate is TC instead of nothing; 0: none
  uint32_t ipv4_prefix = 24;
  uint32_t ipv6_prefix = 56;
  uint32_t entries = 65536;  // buckets of a worker
  std::vector<IpNetwork> exempt;
  bool operator==(const RateLimitConfig&) const = default;
};

class RateLimiter {
 public:
  // `workers` share the rate.
  RateLimiter(const RateLimitConfig& config, size_t workers, const crypto::HashKey& key);

  enum class Action : uint8_t { answer, drop, truncate };
  // One more answer about `what` (anything that tells answers apart) to `client`.
  Action take(const IpAddress& client, uint64_t what, int64_t now_us);
  const RateLimitConfig& config() const { return config_; }

 private:
  static constexpr size_t ways = 4;
  struct Bucket {
    uint64_t tag = 0;
    int64_t full_at_us = 0;
  };
  Bucket& find(uint64_t hash);

  RateLimitConfig config_;
  crypto::HashKey key_;
  NetworkSet exempt_;
  int64_t token_us_;  // in which one comes
  uint32_t over_ = 0;
  std::vector<Bucket> buckets_;  // sets of four; a power of two
};

}  // namespace portolan::geodns
