#pragma once
// The TLS of a pool as one worker has it: the client's side, with the sessions of servers that may be resumed. Sessions
// keep their connector alive.
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/crypto/certificate.hh"
#include "core/crypto/openssl.hh"
#include "core/crypto/trust.hh"
#include "core/loop/tls_config.hh"
#include "core/loop/tls_session.hh"

namespace portolan::loop {

// What all workers share of a pool's TLS; immutable, made off the loops.
struct TlsTrust {
  TlsServerConfig config;
  std::vector<std::string> protocols;  // ALPN; empty: none is offered
  crypto::TrustRef trust;
  crypto::CertificateRef certificate;  // to show; may be null
};

class TlsConnector : public std::enable_shared_from_this<TlsConnector> {
 public:
  explicit TlsConnector(std::shared_ptr<const TlsTrust> trust);
  ~TlsConnector();
  TlsConnector(const TlsConnector&) = delete;
  TlsConnector& operator=(const TlsConnector&) = delete;

  // `server`: who it is, whatever its address's text; `host`: its name or address as configured.
  std::unique_ptr<TlsSession> connect(const void* server, const std::string& host);
  const std::shared_ptr<const TlsTrust>& trust() const { return trust_; }

 private:
  static int on_session(ssl_st* ssl, ssl_session_st* session);
  bool show_certificate();
  std::shared_ptr<const TlsTrust> trust_;
  crypto::ContextPtr context_;
  std::unordered_map<const void*, crypto::SessionPtr> sessions_;
};

}  // namespace portolan::loop
