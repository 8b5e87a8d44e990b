#pragma once
// What stands between clients and a route, or a listener: a part of the snapshot, made off the loops. Immutable but for
// what its limits count and its switch; any thread.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/admit/access.hh"
#include "proxy/admit/limiter.hh"
#include "proxy/admit/signed_url.hh"
#include "proxy/admit/users.hh"

namespace portolan::proxy {

// An operator's word on a route's maintenance; outlives snapshots.
struct MaintenanceSwitch {
  enum Word : int8_t { as_configured, on, off };
  std::atomic<int8_t> word{as_configured};
};

struct Gate {
  struct Maintenance {
    bool enabled = false;
    std::shared_ptr<const MaintenanceSwitch> operator_says;
    std::string body, content_type;
    std::string retry_after;  // seconds
    AccessList allow;
    bool on() const {
      int8_t word = operator_says->word.load(std::memory_order_relaxed);
      return word == MaintenanceSwitch::as_configured ? enabled : word == MaintenanceSwitch::on;
    }
  };
  struct BasicAuth {
    std::shared_ptr<const Users> users;
    std::string challenge;  // the value of WWW-Authenticate
    std::string user_header;
    bool pass_authorization = false;
  };

  AccessRules access;
  std::vector<std::shared_ptr<Limiter>> limits;
  std::optional<Maintenance> maintenance;
  std::optional<BasicAuth> basic_auth;
  std::shared_ptr<const UrlKeys> url_keys;  // of signed URLs; null: none is asked for
};

}  // namespace portolan::proxy
