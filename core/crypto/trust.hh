#pragma once
// Whose signatures are believed: those of a file. Made off the loops (the system's roots take some ten milliseconds);
// used by all workers.
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hh"
#include "core/crypto/openssl.hh"

namespace portolan::crypto {

class TrustStore {
 public:
  // `file` names it in errors.
  static Result<std::shared_ptr<const TrustStore>> from_pem(std::string_view pem, const std::string& file);
  X509_STORE* get() const { return store_.get(); }

 private:
  StorePtr store_;
};
using TrustRef = std::shared_ptr<const TrustStore>;

}  // namespace portolan::crypto
