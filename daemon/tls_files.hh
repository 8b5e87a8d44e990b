#pragma once
// The certificates, keys and authorities that the configuration names, read off the loops. What didn't change since the
// last time is not read again; what became unusable stays as it was, and is told.
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/crypto/certificate_set.hh"
#include "core/loop/tls_acceptor.hh"
#include "core/loop/tls_connector.hh"
#include "daemon/config.hh"
#include "daemon/files.hh"

namespace portolan::daemon {

// What DNS over TLS is among the listeners: no name a table may have.
inline constexpr const char* dns_listener = "geodns:tls";

struct TlsFiles {
  struct Pair {  // a certificate and its key
    FileStamp certificate_stamp, key_stamp;
    crypto::CertificateRef certificate;
  };
  struct Authority {
    std::string pem;
    crypto::TrustRef trust;
  };
  std::map<std::pair<std::string, std::string>, Pair> pairs;                               // by the files' names
  std::map<std::string, Authority> authorities;                                            // by the file's name
  std::map<std::string, std::shared_ptr<const loop::TlsIdentity>, std::less<>> listeners;  // dns_listener with them
  std::map<std::string, std::shared_ptr<const loop::TlsTrust>, std::less<>> pools;
  std::map<std::string, std::shared_ptr<const loop::TlsTrust>, std::less<>>
      checks;  // by pool; those with TLS of their own
  std::map<std::string, std::shared_ptr<const loop::TlsTrust>, std::less<>> sites;  // https checks, by site_tls_key()
};

struct TlsReading {
  TlsFiles files;
  std::vector<std::string> errors;  // complete sentences, with their place in the configuration
  std::vector<std::string> kept;    // the same, of what stays as it was read before
};

TlsReading read_tls(const Config& config, const TlsFiles& before);

// All files named, patterns resolved: what a reload will read.
std::vector<std::string> tls_files_of(const Config& config);

// What the trust of a service's https check is known by.
std::string site_tls_key(const std::string& service, const std::string& datacenter,
                         const geodns::ServiceHealth& health);

}  // namespace portolan::daemon
