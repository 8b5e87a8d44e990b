#include "core/loop/tls_acceptor.hh"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstring>

#include "core/base/log.hh"
#include "core/crypto/openssl.hh"
#include "core/loop/tls_policy.hh"

namespace portolan::loop {
namespace {

constexpr size_t most_loaded = 4096;  // certificates as objects, some 10 KB each
constexpr long session_lifetime_s = 24 * 3600;
// Each costs a twentieth of a handshake. One is enough for who comes with one connection, by HTTP/2, or doesn't say what it
// speaks, as programs don't; browsers open several of HTTP/1.1, and use each ticket once.
constexpr size_t tickets_of_others = 1, tickets_of_browsers = 2;

// Sessions are good only where they were made: elsewhere other client certificates may be asked for.
void set_session_context(SSL_CTX* context, const TlsIdentity& identity) {
  std::string all = identity.listener + '\n' + identity.config.client_certificates + '\n' + identity.config.client_ca;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest);
  SSL_CTX_set_session_id_context(context, digest, SSL_MAX_SID_CTX_LENGTH);
}

void ask_clients(SSL_CTX* context, const TlsIdentity& identity) {
  if (!identity.client_ca) return;
  SSL_CTX_set1_verify_cert_store(context, identity.client_ca->get());
  // The names of the authorities tell a client which of its certificates to show.
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(identity.client_ca->get());
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i)
    if (X509* x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i))) SSL_CTX_add_client_CA(context, x);
  bool required = identity.config.client_certificates == "required";
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
}

}  // namespace

struct TlsAcceptor::Loaded {
  crypto::X509Ptr leaf;
  crypto::KeyPtr key;
  STACK_OF(X509) * chain = nullptr;
  ~Loaded() { sk_X509_pop_free(chain, X509_free); }
};

struct TlsCallbacks {
  static TlsAcceptor& of(SSL* ssl) { return *static_cast<TlsAcceptor*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl))); }

  // Which name: refuses the handshake where no certificate has it and the listener says so.
  static int server_name(SSL* ssl, int* alert, void*) {
    TlsAcceptor& acceptor = of(ssl);
    if (acceptor.identity_->config.unknown_names != "refuse") return SSL_TLSEXT_ERR_OK;
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name && acceptor.identity_->certificates->find(name)) return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  // Which certificate: for handshakes that are not resumed.
  static int certificate(SSL* ssl, void*) {
    TlsAcceptor& acceptor = of(ssl);
    const crypto::CertificateSet& all = *acceptor.identity_->certificates;
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const crypto::Identity* identity = name ? all.find(name) : nullptr;
    return acceptor.show(ssl, identity ? *identity : all.fallback()) ? 1 : 0;
  }

  static int protocol(SSL* ssl, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                      unsigned int offered_size, void*) {
    for (const std::string& ours : of(ssl).identity_->protocols)
      for (unsigned int at = 0; at < offered_size && at + 1 + offered[at] <= offered_size; at += 1 + offered[at])
        if (offered[at] == ours.size() && std::memcmp(offered + at + 1, ours.data(), ours.size()) == 0) {
          *out = offered + at + 1;
          *size = offered[at];
          if (ours == "http/1.1" && of(ssl).identity_->config.tickets) SSL_set_num_tickets(ssl, tickets_of_browsers);
          return SSL_TLSEXT_ERR_OK;
        }
    // RFC 7301 §3.2: a client that speaks nothing of ours would misread the answer.
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  // RFC 6066 §8: asked for by a client, after its certificate was chosen.
  static int staple(SSL* ssl, void*) {
    TlsAcceptor& acceptor = of(ssl);
    if (!acceptor.staples_ || acceptor.staples_->empty()) return SSL_TLSEXT_ERR_NOACK;
    const X509* shown = SSL_get_certificate(ssl);
    for (const auto& [certificate, loaded] : acceptor.loaded_) {
      if (loaded->leaf.get() != shown) continue;
      auto found = acceptor.staples_->find(certificate);
      if (found == acceptor.staples_->end()) return SSL_TLSEXT_ERR_NOACK;
      const std::string& der = found->second.der;
      void* copy = OPENSSL_memdup(der.data(), der.size());  // OpenSSL's from now on
      if (!copy) return SSL_TLSEXT_ERR_NOACK;
      SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(der.size()));
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
  }

  static int ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                    int sealing) {
    TlsAcceptor& acceptor = of(ssl);
    if (!acceptor.ticket_keys_ || acceptor.ticket_keys_->all().empty()) return sealing ? -1 : 0;
    const crypto::TicketKeys& keys = *acceptor.ticket_keys_;
    const crypto::TicketKey* key = sealing ? &keys.newest() : keys.find(name);
    if (!key) return 0;
    if (sealing) {
      std::memcpy(name, key->name.data(), key->name.size());
      if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) return -1;
    }
    static EVP_CIPHER* aes = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
    if (EVP_CipherInit_ex(cipher, aes, nullptr, key->cipher.data(), iv, sealing) != 1) return -1;
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_octet_string(
                                   OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key->mac.data()), key->mac.size()),
                               OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
                               OSSL_PARAM_construct_end()};
    if (EVP_MAC_CTX_set_params(mac, parameters) != 1) return -1;
    if (sealing) return 1;
    // TLS 1.3 gives a new ticket with every resumption anyway; 1.2 where this says 2.
    return keys.is_newest(*key) && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
  }
};

TlsAcceptor::TlsAcceptor(std::shared_ptr<const TlsIdentity> identity)
    : identity_(std::move(identity)), context_(SSL_CTX_new(TLS_server_method())) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_app_data(context, this);
  apply_policy(context, identity_->config.policy);
  set_session_context(context, *identity_);
  ask_clients(context, *identity_);
  SSL_CTX_set_timeout(context, session_lifetime_s);
  SSL_CTX_set_cert_cb(context, TlsCallbacks::certificate, nullptr);
  SSL_CTX_set_tlsext_servername_callback(context, TlsCallbacks::server_name);
  if (identity_->config.ocsp) SSL_CTX_set_tlsext_status_cb(context, TlsCallbacks::staple);
  if (!identity_->protocols.empty()) SSL_CTX_set_alpn_select_cb(context, TlsCallbacks::protocol, nullptr);
  if (identity_->kernel_seals) SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
  if (identity_->config.tickets) {
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, TlsCallbacks::ticket);
    SSL_CTX_set_num_tickets(context, tickets_of_others);
  } else {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
  }
}

TlsAcceptor::~TlsAcceptor() = default;

std::unique_ptr<TlsSession> TlsAcceptor::accept() {
  SslRef ssl(SSL_new(context_.get()));
  SSL_set_accept_state(ssl.get());
  return std::make_unique<TlsSession>(std::move(ssl), shared_from_this());
}

TlsAcceptor::Loaded* TlsAcceptor::load(const crypto::Certificate& certificate) {
  if (auto found = loaded_.find(&certificate); found != loaded_.end()) return found->second.get();
  if (loaded_.size() >= most_loaded) loaded_.clear();
  auto bytes = [](const std::string& der) { return reinterpret_cast<const unsigned char*>(der.data()); };
  auto made = std::make_unique<Loaded>();
  const unsigned char* at = bytes(certificate.leaf);
  made->leaf.reset(d2i_X509(nullptr, &at, static_cast<long>(certificate.leaf.size())));
  at = bytes(certificate.key);
  made->key.reset(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(certificate.key.size())));
  made->chain = sk_X509_new_null();
  for (const std::string& der : *certificate.chain) {
    at = bytes(der);
    if (X509* x = d2i_X509(nullptr, &at, static_cast<long>(der.size()))) sk_X509_push(made->chain, x);
  }
  if (!made->leaf || !made->key) {
    log::error("cannot use a certificate", {{"file", certificate.file}, {"reason", crypto::take_error()}});
    return nullptr;
  }
  return (loaded_[&certificate] = std::move(made)).get();
}

bool TlsAcceptor::show(SSL* ssl, const crypto::Identity& identity) {
  bool any = false;
  for (const crypto::Certificate* certificate : identity.by_kind) {
    Loaded* loaded = certificate ? load(*certificate) : nullptr;
    if (!loaded) continue;
    any = SSL_use_cert_and_key(ssl, loaded->leaf.get(), loaded->key.get(), loaded->chain, 1) == 1 || any;
  }
  ERR_clear_error();
  return any;
}

}  // namespace portolan::loop
