#include "core/crypto/websocket.hh"

#include <openssl/evp.h>

namespace portolan::crypto {
namespace {

constexpr std::string_view protocol_id = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

std::string base64(const unsigned char* bytes, size_t size) {
  std::string out((size + 2) / 3 * 4 + 1, '\0');  // and what OpenSSL ends it with
  out.resize(static_cast<size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size))));
  return out;
}

}  // namespace

std::string websocket_key(const unsigned char (&random)[16]) {
  return base64(random, sizeof random);
}

std::string websocket_accept(std::string_view key) {
  std::string text = std::string(key).append(protocol_id);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr) != 1) return {};
  return base64(digest, size);
}

}  // namespace portolan::crypto
