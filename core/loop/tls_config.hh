#pragma once
// TLS as configured, of a listener and of a pool: plain values, and their rows.
#include <cstdint>
#include <string>
#include <vector>

#include "core/conf/field.hh"

namespace portolan::loop {

// A file, or a pattern for several; the key is in the same file where `key` is empty.
struct CertificateFile {
  std::string certificate;
  std::string key;
  std::string where;  // file:line:col, for errors
  bool operator==(const CertificateFile& o) const { return certificate == o.certificate && key == o.key; }
};

// [listener.NAME.tls]
struct TlsListenerConfig {
  std::vector<CertificateFile> certificates;
  std::string policy = "intermediate";      // | modern: Mozilla's names
  std::string client_certificates = "off";  // | optional | required
  std::string client_ca;                    // PEM file
  std::string unknown_names = "fallback";   // | refuse
  int64_t handshake_timeout_ms = 5'000;
  int handshakes_per_source = 64;  // under way at once, a worker; 0: no limit
  bool tickets = true;
  bool ktls = false;
  bool ocsp = true;  // answers of the certificates' responders are stapled
  bool operator==(const TlsListenerConfig&) const = default;
};
const conf::Table<TlsListenerConfig>& tls_listener_fields();

// tls of [pool.NAME]
struct TlsServerConfig {
  std::string ca;    // PEM file; empty: the system's roots
  std::string name;  // asked for, and expected in the certificate; empty: the server's, as configured
  bool verify = true;
  std::string certificate;  // shown to the server; PEM file, empty: none
  std::string key;          // empty: in the same file
  bool operator==(const TlsServerConfig&) const = default;
};
const conf::Table<TlsServerConfig>& tls_server_fields();

}  // namespace portolan::loop
