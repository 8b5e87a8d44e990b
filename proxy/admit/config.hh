#pragma once
// Who may pass, as configured: keys of routes and listeners, and [limit.NAME]. Plain values.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.hh"

namespace portolan::proxy {

inline constexpr size_t most_limits = 8;  // of a route, or of a listener

// "10.0.0.0/8" or "country:DE".
struct AccessEntry {
  IpNetwork network;
  std::string country;  // not empty: this, and no network
  bool operator==(const AccessEntry&) const = default;
};

// What a limit counts by. A request without the header or cookie counts by its client's address.
struct LimitKey {
  enum class Kind : uint8_t { client_address, header, cookie };
  Kind kind = Kind::client_address;
  std::string name;  // of the header (lower case) or cookie
  std::string to_string() const;
  bool operator==(const LimitKey&) const = default;
};

struct Rate {
  int64_t requests = 0;
  int64_t period_us = 1'000'000;
  std::string to_string() const;  // "100/s"
  bool operator==(const Rate&) const = default;
};

struct LimitConfig {
  std::string name;  // of [limit.NAME]
  std::string where;
  std::string shared;  // not empty: the [limit.NAME] that is meant, and nothing else is set
  Rate rate;
  std::optional<int64_t> burst;
  LimitKey by;
  unsigned ipv6_prefix = 64;  // addresses that share it count as one
  size_t entries = 65'536;
  int64_t depth() const;  // burst, or what comes in a second, at least one
  // What is counted; whose two configurations are equal in this keeps its counts.
  bool same_counts(const LimitConfig& other) const;
  bool operator==(const LimitConfig&) const = default;
};

struct BasicAuthConfig {
  std::string realm = "restricted";
  std::string users_file;
  std::string where;
  std::string user_header;          // to servers; empty: none
  bool pass_authorization = false;  // Authorization goes on to servers
  bool operator==(const BasicAuthConfig&) const = default;
};

struct MaintenanceConfig {
  bool enabled = false;
  std::string body;
  std::string body_file;
  std::string where;
  std::string content_type = "text/html; charset=utf-8";
  int64_t retry_after_s = 300;
  std::vector<AccessEntry> allow;
  bool operator==(const MaintenanceConfig&) const = default;
};

// Only who comes with a signed URL passes.
struct SignedUrlsConfig {
  std::string keys_file;
  std::string where;
  bool operator==(const SignedUrlsConfig&) const = default;
};

// Of a route; a listener has `allow`, `deny` and `limits`.
struct AdmitConfig {
  std::vector<AccessEntry> allow, deny;
  std::vector<LimitConfig> limits;
  std::optional<MaintenanceConfig> maintenance;
  std::optional<BasicAuthConfig> basic_auth;
  std::optional<SignedUrlsConfig> signed_urls;
  bool empty() const {
    return allow.empty() && deny.empty() && limits.empty() && !maintenance && !basic_auth && !signed_urls;
  }
  bool operator==(const AdmitConfig&) const = default;
};

}  // namespace portolan::proxy
