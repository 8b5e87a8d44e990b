#pragma once
// Passwords against the hashes that htpasswd, mkpasswd and openssl write: bcrypt ($2b$, $2y$, $2a$) and SHA-512 crypt
// ($6$), by libcrypt. Any thread.
#include <string>
#include <string_view>

#include "core/base/result.hh"

namespace portolan::crypto {

// What bounds the time of one check, whatever the file says: some hundred milliseconds.
inline constexpr int costliest_bcrypt = 14;  // of 2^n
inline constexpr long most_sha512_rounds = 1'000'000;
inline constexpr size_t longest_password = 255;  // bytes

// Whether check_password() can use it; the error names the kind that it is instead, and what to do.
Status check_hash(const std::string& hash);

// Slow by intent, from a millisecond to a second: never on a loop. The comparison takes the same time wherever they
// differ. False for a password that is too long or has a zero byte.
bool check_password(const std::string& password, const std::string& hash);

}  // namespace portolan::crypto
