// The value of an Authorization field: what is taken is written in one way alone, and holds nothing that could break a
// line of a log or a head.
#include <cstdlib>

#include "core/crypto/password.hh"
#include "proxy/admit/users.hh"

namespace {

std::string base64(std::string_view text) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < text.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < text.size() ? static_cast<uint8_t>(text[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k <= text.size() ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::proxy;
  std::string_view value(reinterpret_cast<const char*>(data), size);
  Credentials got;
  if (got.read(value) != Credentials::Read::ok) return 0;
  std::string both = std::string(got.user()) + ":" + std::string(got.password());
  if (both.size() > 256 + portolan::crypto::longest_password || !value.ends_with(base64(both))) std::abort();
  for (char c : both)
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) std::abort();
  return 0;
}
