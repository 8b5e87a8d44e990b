#pragma once
// Proof that a certificate is not revoked (RFC 6960): what its authority's responder is asked, and whether to believe what
// it says. Pure; any thread.
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/crypto/certificate.hh"

namespace portolan::crypto {

struct OcspQuestion {
  std::string url;      // the responder the certificate names
  std::string request;  // DER, to be sent by POST
};
// nullopt: the certificate names no responder, or its chain does not hold its issuer.
std::optional<OcspQuestion> ocsp_question(const Certificate& certificate);

// What servers staple to their handshakes (RFC 6066 §8).
struct Staple {
  std::string der;
  int64_t until_s = 0;         // seconds since 1970: not shown from then on
  CertificateRef certificate;  // it speaks of
};
// A signed answer about the certificate that says good and holds at `now_s`; an error says why it is of no use.
Result<Staple> read_ocsp_answer(const CertificateRef& certificate, std::string_view der, int64_t now_s);

using Staples = std::unordered_map<const Certificate*, Staple>;

}  // namespace portolan::crypto
