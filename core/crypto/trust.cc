#include "core/crypto/trust.hh"

#include <openssl/pem.h>

namespace portolan::crypto {

Result<TrustRef> TrustStore::from_pem(std::string_view pem, const std::string& file) {
  auto trust = std::make_shared<TrustStore>();
  trust->store_.reset(X509_STORE_new());
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  int count = 0;
  while (X509Ptr x{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    if (X509_STORE_add_cert(trust->store_.get(), x.get()) != 1) return Error{file + ": " + take_error()};
    ++count;
  }
  take_error();
  if (count == 0) return Error{file + ": no certificate in it; PEM is expected"};
  return TrustRef(trust);
}

}  // namespace portolan::crypto
