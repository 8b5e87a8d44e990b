#pragma once
// HMAC-SHA-256 (RFC 2104, FIPS 180-4), and its base64 for URLs and cookies (RFC 4648 §5). Pure.
#include <array>
#include <string>
#include <string_view>

namespace portolan::crypto {

using MacKey = std::array<unsigned char, 32>;
using Mac = std::array<unsigned char, 32>;

Mac mac(const MacKey& key, std::string_view text);
Mac mac(std::string_view key, std::string_view text);  // of any length, as `openssl dgst -hmac` takes it
bool equal(std::string_view a, std::string_view b);    // in a time that says nothing of where they differ
// A key out of whatever a file holds: its SHA-256.
MacKey key_from(std::string_view secret);
std::string base64url(const unsigned char* bytes, size_t size);  // without padding

}  // namespace portolan::crypto
