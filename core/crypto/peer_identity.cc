#include "core/crypto/peer_identity.hh"

#include <openssl/sha.h>
#include <openssl/x509.h>

#include "core/crypto/openssl.hh"

namespace portolan::crypto {
namespace {

std::string hex(const unsigned char* bytes, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) {
    out += "0123456789ABCDEF"[bytes[i] >> 4];
    out += "0123456789ABCDEF"[bytes[i] & 15];
  }
  return out;
}

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                             reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

std::string subject_of(X509* x) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  // Without the flag that lets UTF-8 through: what is sent in a header is ASCII, escaped.
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(x), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

}  // namespace

PeerIdentity describe_peer(std::string_view der) {
  PeerIdentity identity;
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* at = bytes;
  X509Ptr x(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!x) {
    take_error();
    return identity;
  }
  identity.certificate = ":" + base64(der) + ":";
  identity.subject = subject_of(x.get());
  const ASN1_INTEGER* serial = X509_get0_serialNumber(x.get());
  identity.serial = hex(ASN1_STRING_get0_data(serial), static_cast<size_t>(ASN1_STRING_length(serial)));
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes, der.size(), digest);
  identity.sha256 = hex(digest, sizeof digest);
  return identity;
}

}  // namespace portolan::crypto
