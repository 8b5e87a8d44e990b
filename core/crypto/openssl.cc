#include "core/crypto/openssl.hh"

#include <openssl/err.h>

namespace portolan::crypto {

std::string take_error() {
  unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  if (const char* reason = ERR_reason_error_string(code)) return reason;
  return "error " + std::to_string(code);
}

}  // namespace portolan::crypto
