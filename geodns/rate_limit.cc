#include "geodns/rate_limit.hh"

#include <algorithm>
#include <bit>
#include <cstring>

namespace portolan::geodns {
namespace {

constexpr int64_t second_us = 1'000'000;  // what a bucket holds: the tokens of one second

}  // namespace

RateLimiter::RateLimiter(const RateLimitConfig& config, size_t workers, const crypto::HashKey& key)
    : config_(config),
      key_(key),
      exempt_(config.exempt),
      token_us_(std::clamp<int64_t>(second_us * static_cast<int64_t>(workers) / std::max(1u, config.answers_per_second),
                                    1, second_us)),
      buckets_(std::bit_ceil(std::max<size_t>(ways, config.entries))) {}

RateLimiter::Bucket& RateLimiter::find(uint64_t hash) {
  Bucket* set = &buckets_[(hash & (buckets_.size() - 1)) & ~(ways - 1)];
  Bucket* fullest = set;
  for (Bucket* bucket = set; bucket != set + ways; bucket++) {
    if (bucket->tag == hash) return *bucket;
    if (bucket->full_at_us < fullest->full_at_us) fullest = bucket;
  }
  *fullest = {hash, 0};
  return *fullest;
}

RateLimiter::Action RateLimiter::take(const IpAddress& client, uint64_t what, int64_t now_us) {
  const IpAddress ip = client.unmapped();
  if (!exempt_.empty() && exempt_.contains(ip)) return Action::answer;
  const unsigned bits = ip.is_v4() ? config_.ipv4_prefix : config_.ipv6_prefix;
  char text[1 + 16 + sizeof what] = {};
  text[0] = ip.is_v4() ? 4 : 6;
  std::memcpy(text + 1, ip.bytes.data(), (bits + 7) / 8);
  if (bits % 8 != 0) text[1 + bits / 8] = static_cast<char>(text[1 + bits / 8] & (0xff00 >> (bits % 8)));
  std::memcpy(text + 17, &what, sizeof what);
  Bucket& bucket = find(crypto::keyed_hash(key_, {text, sizeof text}) | 1);
  const int64_t begin = std::max(bucket.full_at_us, now_us);
  if (begin + token_us_ <= now_us + second_us) {
    bucket.full_at_us = begin + token_us_;
    return Action::answer;
  }
  if (config_.slip == 0 || ++over_ % config_.slip != 0) return Action::drop;
  return Action::truncate;
}

}  // namespace portolan::geodns
