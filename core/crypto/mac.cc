#include "core/crypto/mac.hh"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdlib>

namespace portolan::crypto {

Mac mac(std::string_view key, std::string_view text) {
  Mac out{};
  unsigned int size = 0;
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
            text.size(), out.data(), &size))
    std::abort();  // out of memory: a mac of zeros would be anybody's
  return out;
}

Mac mac(const MacKey& key, std::string_view text) {
  return mac(std::string_view(reinterpret_cast<const char*>(key.data()), key.size()), text);
}

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

MacKey key_from(std::string_view secret) {
  MacKey key{};
  if (EVP_Digest(secret.data(), secret.size(), key.data(), nullptr, EVP_sha256(), nullptr) != 1) std::abort();
  return key;
}

std::string base64url(const unsigned char* bytes, size_t size) {
  std::string out((size + 2) / 3 * 4 + 1, '\0');  // and what OpenSSL ends it with
  int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size));
  out.resize(static_cast<size_t>(length));
  while (!out.empty() && out.back() == '=') out.pop_back();
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

}  // namespace portolan::crypto
