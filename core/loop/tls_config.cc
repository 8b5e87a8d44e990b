#include "core/loop/tls_config.hh"

#include "core/conf/types.hh"

namespace portolan::loop {
namespace {

using conf::Binder;
using conf::row;
using conf::Value;

const conf::Table<CertificateFile>& certificate_fields() {
  static const conf::Table<CertificateFile> table{
      row("certificate", &CertificateFile::certificate, conf::path("\"/etc/portolan/tls/www.pem\""),
          "The chain, the server's own certificate first: PEM.")
          .require(),
      row("key", &CertificateFile::key, conf::path("\"/etc/portolan/tls/www.key\""),
          "Its private key, without a passphrase: PEM.")
          .otherwise("in the same file"),
  };
  return table;
}

bool whole(Binder& binder, const Value& value, TlsListenerConfig& tls) {
  if (tls.client_certificates != "off" && tls.client_ca.empty()) {
    binder.error(value.where, binder.context() + " asks for client certificates without client_ca to verify them by");
    return false;
  }
  return true;
}

bool whole_pair(Binder& binder, const Value& value, TlsServerConfig& tls) {
  if (!tls.key.empty() && tls.certificate.empty()) {
    binder.error(value.where, "key in " + binder.context() + " without the certificate it belongs to");
    return false;
  }
  return true;
}

}  // namespace

const conf::Table<TlsListenerConfig>& tls_listener_fields() {
  static const conf::Table<TlsListenerConfig> table{
      {
          row("certificates", &TlsListenerConfig::certificates,
              conf::list(conf::table_or(certificate_fields(), &CertificateFile::certificate,
                                        conf::path("\"/etc/portolan/tls/*.pem\"")),
                         1),
              "Chosen by the name a client asks for; the first is for clients that name nobody. Chain and key in one "
              "file, or { certificate = …, key = … }; a pattern stands for all files it matches, in name order.")
              .require(),
          row("policy", &TlsListenerConfig::policy, conf::one_of({"intermediate", "modern"}),
              "Mozilla's: intermediate is TLS 1.2 and 1.3, modern is 1.3 alone."),
          row("client_certificates", &TlsListenerConfig::client_certificates,
              conf::one_of({"off", "optional", "required"}),
              "Whether clients are asked for one; required: connections without a good one are refused. A route may "
              "require one where the listener says optional."),
          row("client_ca", &TlsListenerConfig::client_ca, conf::path("\"/etc/portolan/clients-ca.pem\""),
              "Whose signature makes a client's certificate good: PEM.")
              .otherwise("nobody's"),
          row("unknown_names", &TlsListenerConfig::unknown_names, conf::one_of({"fallback", "refuse"}),
              "A client that asks for a name no certificate has: shown the first one, or refused."),
          row("handshake_timeout", &TlsListenerConfig::handshake_timeout_ms, conf::duration<int64_t>(1, 3'600'000),
              "From the connection to the end of the handshake."),
          row("handshakes_per_source", &TlsListenerConfig::handshakes_per_source, conf::integer<int>(0, 100'000),
              "Handshakes under way at once with one address (of IPv6 one /64) in a worker; more are closed. 0: no "
              "limit. "
              "Addresses in server.trusted have none."),
          row("tickets", &TlsListenerConfig::tickets, conf::boolean(),
              "Session tickets: clients that come back skip half of the handshake."),
          row("ktls", &TlsListenerConfig::ktls, conf::boolean(),
              "The kernel seals what is sent, files without a copy; where it can't (no module \"tls\") this is said in "
              "the log and nothing changes. Not tested on a kernel that can."),
          row("ocsp", &TlsListenerConfig::ocsp, conf::boolean(),
              "Answers of OCSP responders are stapled, of certificates that name one; refreshed in the background."),
      },
      whole};
  return table;
}

const conf::Table<TlsServerConfig>& tls_server_fields() {
  static const conf::Table<TlsServerConfig> table{
      {
          row("ca", &TlsServerConfig::ca, conf::path("\"/etc/portolan/internal-ca.pem\""),
              "Whose signature makes a server's certificate good: PEM.")
              .otherwise("the system's roots"),
          row("name", &TlsServerConfig::name, conf::string("\"app.internal\""),
              "Asked for, and expected in the certificate.")
              .otherwise("the server's, as in servers"),
          row("verify", &TlsServerConfig::verify, conf::boolean(), "False: any certificate will do."),
          row("certificate", &TlsServerConfig::certificate, conf::path("\"/etc/portolan/client.pem\""),
              "Shown to servers that ask for one: PEM.")
              .otherwise("none"),
          row("key", &TlsServerConfig::key, conf::path("\"/etc/portolan/client.key\""), "Its private key: PEM.")
              .otherwise("in the same file"),
      },
      whole_pair};
  return table;
}

}  // namespace portolan::loop
