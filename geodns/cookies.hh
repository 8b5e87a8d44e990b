#pragma once
// DNS cookies (RFC 7873) in the form all servers of a name can share (RFC 9018): version, time, and SipHash-2-4 of
// these, the client's half and its address. Immutable; any thread; no allocation.
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "core/crypto/keyed_hash.hh"
#include "core/dns/compose.hh"

namespace portolan::geodns {

class CookieJar {
 public:
  static constexpr size_t most_secrets = 8;
  static constexpr uint32_t oldest_s = 3600;  // RFC 9018 §4.3
  static constexpr uint32_t ahead_s = 300;    // the clocks of other servers
  static constexpr uint32_t fresh_s = 1800;   // an older one is replaced

  // The first makes cookies; what any of them made is good. At least one.
  explicit CookieJar(std::vector<crypto::HashKey> secrets) : secrets_(std::move(secrets)) {}
  // A secret a line, 32 hexadecimal digits; "#" begins a comment.
  static Result<std::vector<crypto::HashKey>> read_secrets(std::string_view text);

  enum class Standing : uint8_t {
    none,
    stranger,
    known
  };  // no cookie; none of ours, or one that is no good; a good one
  // Puts the cookie to answer with into `reply`; `now_s`: seconds since 1970.
  Standing answer(const dns::Cookie& cookie, const IpAddress& client, uint32_t now_s, dns::OptReply& reply) const;

 private:
  std::vector<crypto::HashKey> secrets_;
};

}  // namespace portolan::geodns
