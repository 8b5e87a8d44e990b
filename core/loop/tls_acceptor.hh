#pragma once
// The TLS of a listener as one worker has it: OpenSSL's context, the objects of the certificates that were asked for, and
// the keys of session tickets. Nothing of it is shared with other workers. Sessions keep their acceptor alive.
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/crypto/certificate_set.hh"
#include "core/crypto/ocsp.hh"
#include "core/crypto/ticket_keys.hh"
#include "core/crypto/trust.hh"
#include "core/loop/tls_config.hh"
#include "core/loop/tls_session.hh"

namespace portolan::loop {

// What all workers share of a listener's TLS; immutable, made off the loops.
struct TlsIdentity {
  std::string listener;  // sessions of one listener are not resumed at another
  TlsListenerConfig config;
  std::vector<std::string> protocols;  // ALPN, the one preferred first
  std::shared_ptr<const crypto::CertificateSet> certificates;
  crypto::TrustRef client_ca;  // null unless clients are asked for certificates
  bool kernel_seals = false;   // kTLS is asked for, and the kernel has it
};

class TlsAcceptor : public std::enable_shared_from_this<TlsAcceptor> {
 public:
  explicit TlsAcceptor(std::shared_ptr<const TlsIdentity> identity);
  ~TlsAcceptor();
  TlsAcceptor(const TlsAcceptor&) = delete;
  TlsAcceptor& operator=(const TlsAcceptor&) = delete;

  std::unique_ptr<TlsSession> accept();
  const std::shared_ptr<const TlsIdentity>& identity() const { return identity_; }
  // Without keys no tickets are given.
  void set_ticket_keys(std::shared_ptr<const crypto::TicketKeys> keys) { ticket_keys_ = std::move(keys); }
  void set_staples(std::shared_ptr<const crypto::Staples> staples) { staples_ = std::move(staples); }

 private:
  friend struct TlsCallbacks;
  struct Loaded;                                         // a certificate as OpenSSL's objects
  Loaded* load(const crypto::Certificate& certificate);  // nullptr: OpenSSL won't have it
  bool show(ssl_st* ssl, const crypto::Identity& identity);

  std::shared_ptr<const TlsIdentity> identity_;
  crypto::ContextPtr context_;
  std::unordered_map<const crypto::Certificate*, std::unique_ptr<Loaded>> loaded_;
  std::shared_ptr<const crypto::TicketKeys> ticket_keys_;
  std::shared_ptr<const crypto::Staples> staples_;
};

}  // namespace portolan::loop
