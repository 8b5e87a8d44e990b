#pragma once
// A server's certificate, its chain and its key, as bytes: what thousands of names cost until somebody asks for one of
// them. OpenSSL's own objects, ten times as large, are made by who uses them. Immutable; any thread.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"

namespace portolan::crypto {

enum class KeyKind : uint8_t { ecdsa, rsa, other };

// DER of the certificates between the server's own and the root; many certificates share one.
using Chain = std::vector<std::string>;

struct Certificate {
  Certificate() = default;
  ~Certificate();  // wipes the key
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  std::string file;  // for messages
  std::string leaf;  // DER
  std::shared_ptr<const Chain> chain;
  std::string key;  // DER, of any form that OpenSSL reads
  KeyKind kind = KeyKind::other;
  std::vector<std::string> names;  // lower case; "*.example.com" for wildcards
  int64_t not_after_s = 0;         // since 1970
};
using CertificateRef = std::shared_ptr<const Certificate>;

// From the text of PEM files: the chain, the server's own first, and the key, which may stand in the same text. Checks
// that the key belongs to the certificate. `file` and `key_file` name them in errors.
Result<std::shared_ptr<Certificate>> read_certificate(std::string_view pem, std::string_view key_pem,
                                                      const std::string& file, const std::string& key_file);

}  // namespace portolan::crypto
