#pragma once
// What of a request says where it belongs: the key that `balance = "hash"` goes by. Pure.
#include "core/base/address.hh"
#include "core/http/message.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// A request without the field, cookie or parameter belongs where its client's address says.
//
// The hash has no secret of this process in it: several Portolans, and one before and after its restart, shall choose
// alike. Whoever chose keys that meet at one server would meet the bound on its load there; a `seed` keeps even that
// from strangers.
uint64_t key_of(const HashConfig& config, const http::RequestHead& head, const IpAddress& client);

// The first value of a parameter, as it is written; empty: there is none.
std::string_view find_parameter(std::string_view query, std::string_view name);

}  // namespace portolan::proxy
