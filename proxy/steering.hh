#pragma once
// What of a request says where it belongs: the key that `balance = "hash"` goes by. Pure.
#include "core/base/address.hh"
#include "core/http/message.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// What the key is taken from; empty: the request has no such thing.
std::string_view key_text(const KeyConfig& config, const http::RequestHead& head);

// A request without the field, cookie or parameter belongs where its client's address says.
//
// The hash has no secret of this process in it: several Portolans, and one before and after its restart, shall choose
// alike. Whoever chose keys that meet at one server would meet the bound on its load there; a `seed` keeps even that
// from strangers.
uint64_t key_of(const HashConfig& config, const http::RequestHead& head, const IpAddress& client);
// The slot of a request to a pool with shards; ShardsConfig::slots: it has no key.
uint32_t slot_of(const KeyConfig& config, const http::RequestHead& head, const IpAddress& client);

// The first value of a parameter, as it is written; empty: there is none.
std::string_view find_parameter(std::string_view query, std::string_view name);

}  // namespace portolan::proxy
