#pragma once
// Who a verified certificate says its owner is, in the forms that servers read.
#include <string>
#include <string_view>

namespace portolan::crypto {

struct PeerIdentity {
  std::string certificate;  // ":BASE64:", a structured field's bytes (RFC 9440 §2.1)
  std::string subject;      // "CN=alice,O=Example" (RFC 4514)
  std::string serial;       // hexadecimal, capitals
  std::string sha256;       // of the DER, hexadecimal
};

// From the certificate's DER; empty where it can't be read.
PeerIdentity describe_peer(std::string_view der);

}  // namespace portolan::crypto
