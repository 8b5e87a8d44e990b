#pragma once
// Versions, ciphers and groups (Mozilla's Server Side TLS 5.7), and what every context of ours has.
#include <string_view>

struct ssl_ctx_st;

namespace portolan::loop {

// "intermediate" or "modern".
void apply_policy(ssl_ctx_st* context, std::string_view policy);

}  // namespace portolan::loop
