#include "core/loop/tls_connector.hh"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "core/base/address.hh"
#include "core/base/log.hh"
#include "core/loop/tls_policy.hh"

namespace portolan::loop {
namespace {

constexpr size_t most_sessions = 4096;

std::string wire_form(const std::vector<std::string>& protocols) {
  std::string out;
  for (const std::string& p : protocols) out.append(1, static_cast<char>(p.size())).append(p);
  return out;
}

}  // namespace

TlsConnector::TlsConnector(std::shared_ptr<const TlsTrust> trust)
    : trust_(std::move(trust)), context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_app_data(context, this);
  apply_policy(context, "intermediate");
  // Servers inside may have older ciphers than browsers should take.
  SSL_CTX_set_cipher_list(context, "HIGH:!aNULL:!eNULL:!MD5:!RC4:!3DES:!PSK:!SRP");
  if (trust_->trust) SSL_CTX_set1_cert_store(context, trust_->trust->get());
  SSL_CTX_set_verify(context, trust_->config.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!trust_->protocols.empty()) {
    std::string offer = wire_form(trust_->protocols);
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(offer.data()),
                            static_cast<unsigned int>(offer.size()));
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsConnector::on_session);
  if (trust_->certificate && !show_certificate())
    log::error("cannot use a certificate", {{"file", trust_->certificate->file}, {"reason", crypto::take_error()}});
}

TlsConnector::~TlsConnector() = default;

bool TlsConnector::show_certificate() {
  const crypto::Certificate& c = *trust_->certificate;
  auto bytes = [](const std::string& der) { return reinterpret_cast<const unsigned char*>(der.data()); };
  const unsigned char* at = bytes(c.leaf);
  crypto::X509Ptr leaf(d2i_X509(nullptr, &at, static_cast<long>(c.leaf.size())));
  at = bytes(c.key);
  crypto::KeyPtr key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(c.key.size())));
  if (!leaf || !key || SSL_CTX_use_cert_and_key(context_.get(), leaf.get(), key.get(), nullptr, 1) != 1) return false;
  for (const std::string& der : *c.chain) {
    at = bytes(der);
    crypto::X509Ptr x(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    if (x) SSL_CTX_add1_chain_cert(context_.get(), x.get());
  }
  return true;
}

// Called whenever a server gave a ticket; the latest is the one to use.
int TlsConnector::on_session(SSL* ssl, SSL_SESSION* session) {
  auto& connector = *static_cast<TlsConnector*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (connector.sessions_.size() >= most_sessions) connector.sessions_.clear();
  connector.sessions_[SSL_get_app_data(ssl)].reset(session);
  return 1;  // we keep the reference
}

std::unique_ptr<TlsSession> TlsConnector::connect(const void* server, const std::string& host) {
  SslRef ssl(SSL_new(context_.get()));
  SSL_set_connect_state(ssl.get());
  SSL_set_app_data(ssl.get(), const_cast<void*>(server));
  const std::string& name = trust_->config.name.empty() ? host : trust_->config.name;
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl.get());
  if (IpAddress::parse(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl.get(), name.c_str());  // never an address: RFC 6066 §3
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size());
  }
  if (auto known = sessions_.find(server); known != sessions_.end()) SSL_set_session(ssl.get(), known->second.get());
  ERR_clear_error();
  return std::make_unique<TlsSession>(std::move(ssl), shared_from_this());
}

}  // namespace portolan::loop
