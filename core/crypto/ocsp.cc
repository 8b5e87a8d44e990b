#include "core/crypto/ocsp.hh"

#include <openssl/ocsp.h>

#include "core/crypto/openssl.hh"

namespace portolan::crypto {
namespace {

using RequestPtr = std::unique_ptr<OCSP_REQUEST, FreeWith<OCSP_REQUEST_free>>;
using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>>;

constexpr int64_t unlimited_s = 86'400;  // an answer that names no end
constexpr long clock_skew_s = 300;

X509Ptr parse(const std::string& der) {
  auto* at = reinterpret_cast<const unsigned char*>(der.data());
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

struct Pair {
  X509Ptr leaf, issuer;
  explicit Pair(const Certificate& c) : leaf(parse(c.leaf)) {
    for (const std::string& der : *c.chain) {
      issuer = parse(der);
      if (leaf && issuer && X509_check_issued(issuer.get(), leaf.get()) == X509_V_OK) return;
    }
    issuer.reset();
  }
  IdPtr id() const { return IdPtr(OCSP_cert_to_id(EVP_sha1(), leaf.get(), issuer.get())); }
};

std::string responder_of(X509* leaf) {
  STACK_OF(OPENSSL_STRING)* urls = X509_get1_ocsp(leaf);
  std::string url = urls && sk_OPENSSL_STRING_num(urls) > 0 ? sk_OPENSSL_STRING_value(urls, 0) : "";
  X509_email_free(urls);
  return url;
}

int64_t seconds(const ASN1_GENERALIZEDTIME* time) {
  tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<int64_t>(timegm(&parts)) : 0;
}

}  // namespace

std::optional<OcspQuestion> ocsp_question(const Certificate& certificate) {
  Pair pair(certificate);
  if (!pair.leaf || !pair.issuer) return std::nullopt;
  OcspQuestion question;
  question.url = responder_of(pair.leaf.get());
  if (question.url.empty()) return std::nullopt;
  RequestPtr request(OCSP_REQUEST_new());
  OCSP_request_add0_id(request.get(), pair.id().release());
  unsigned char* der = nullptr;
  int size = i2d_OCSP_REQUEST(request.get(), &der);
  if (size <= 0) return std::nullopt;
  question.request.assign(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return question;
}

Result<Staple> read_ocsp_answer(const CertificateRef& certificate, std::string_view der, int64_t now_s) {
  Pair pair(*certificate);
  auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (!response || !pair.leaf || !pair.issuer) return Error{"no OCSP answer: " + take_error()};
  int outcome = OCSP_response_status(response.get());
  if (outcome != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return Error{std::string("the responder says ") + OCSP_response_status_str(outcome)};
  BasicPtr basic(OCSP_response_get1_basic(response.get()));
  if (!basic) return Error{"no OCSP answer: " + take_error()};
  // Signed by the issuer, or by whom the issuer let sign such answers.
  StorePtr store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), pair.issuer.get());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  STACK_OF(X509)* signers = sk_X509_new_null();
  sk_X509_push(signers, pair.issuer.get());
  int verified = OCSP_basic_verify(basic.get(), signers, store.get(), 0);
  sk_X509_free(signers);
  if (verified != 1) return Error{"the answer's signature is not good: " + take_error()};
  int status = -1, reason = 0;
  ASN1_GENERALIZEDTIME *revoked = nullptr, *from = nullptr, *until = nullptr;
  if (OCSP_resp_find_status(basic.get(), pair.id().get(), &status, &reason, &revoked, &from, &until) != 1)
    return Error{"the answer is about another certificate"};
  if (status != V_OCSP_CERTSTATUS_GOOD) return Error{std::string("the certificate is ") + OCSP_cert_status_str(status)};
  int64_t from_s = seconds(from);
  int64_t until_s = until ? seconds(until) : now_s + unlimited_s;
  if (from_s > now_s + clock_skew_s || until_s <= now_s) return Error{"the answer does not hold now"};
  return Staple{std::string(der), until_s, certificate};
}

}  // namespace portolan::crypto
