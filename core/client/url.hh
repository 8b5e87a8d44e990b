#pragma once
// The few URLs Portolan itself calls: "http://host[:port][/path][?query]". No user, no fragment, no
// https.
#include <string>
#include <string_view>

#include "core/base/address.hh"

namespace portolan::client {

struct Url {
  HostPort endpoint;      // port 80 where none is written
  std::string authority;  // as written: what Host carries
  std::string target;     // path and query; at least "/"
};

Result<Url> parse_url(std::string_view text);

}  // namespace portolan::client
