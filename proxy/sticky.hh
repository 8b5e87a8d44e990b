#pragma once
// The cookie by which a client comes back to its server. Its value is an HMAC of the pool and the server's address: it
// tells nobody where the server is, only this node (and those that share its key) can make one, and it means the same
// after a reload or a restart. A value that names none of the servers that are there now is no server's. Immutable.
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/health/board.hh"
#include "core/http/message.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

class Sticky {
 public:
  Sticky(const StickyConfig& config, const health::Pool& pool);  // both outlive it
  // The member that the request's cookie names; none: it has no such cookie.
  size_t named(const http::Fields& fields) const;
  // The value of the Set-Cookie that a client served by `used` is to be given; empty: none. `named`: what its cookie
  // named. It keeps that one where it is merely full now. `fields`: of the answer: what says that it may be stored by
  // any cache is no place for a cookie.
  std::string give(size_t used, size_t named, bool tls, const http::Fields& fields) const;

 private:
  const StickyConfig& config_;
  const health::Pool& pool_;
  struct Values {
    std::vector<std::string> of;  // by member
    std::unordered_map<std::string_view, size_t> members;
  };
  static std::shared_ptr<const Values> make_values(const StickyConfig& config, const health::Pool& pool);
  std::shared_ptr<const Values> values_;  // shared by all workers, as long as the members are the same
};

// The value of a cookie in a request; empty: there is none.
std::string_view find_cookie(const http::Fields& fields, std::string_view name);

}  // namespace portolan::proxy
