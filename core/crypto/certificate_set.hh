#pragma once
// The certificates of a listener by the names they are for: exact, then wildcard (RFC 9525 §6.3: one label), then the
// first that was configured. Immutable once built; any thread.
#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/crypto/certificate.hh"

namespace portolan::crypto {

// One name's certificates, at most one a kind of key: which of them is sent depends on what the client can verify.
struct Identity {
  std::array<const Certificate*, 3> by_kind{};
};

class CertificateSet {
 public:
  // In the order configured; where two of a kind are for the same name, the one that expires last is taken.
  explicit CertificateSet(std::vector<CertificateRef> certificates);

  // The identity for a name as a client sends it (any case, perhaps a dot at its end); nullptr: none has that name.
  const Identity* find(std::string_view name) const;
  const Identity& fallback() const { return fallback_; }  // for clients that name nobody
  const std::vector<CertificateRef>& all() const { return certificates_; }
  size_t name_count() const { return names_.size(); }

 private:
  std::vector<CertificateRef> certificates_;
  std::unordered_map<std::string_view, Identity> names_;  // views into the certificates
  Identity fallback_;
};

}  // namespace portolan::crypto
