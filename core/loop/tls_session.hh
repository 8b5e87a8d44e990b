#pragma once
// TLS on a stream: OpenSSL's half of one connection, of either side (RFC 5246, RFC 8446). The stream asks it for every
// byte; it asks the stream for the socket. Belongs to its stream and is used from its worker's thread only.
#include <memory>
#include <string>
#include <string_view>

#include "core/base/body.hh"
#include "core/crypto/peer_identity.hh"

struct ssl_st;

namespace portolan::loop {

class Stream;
enum class Io : uint8_t;

struct SslFree {
  void operator()(ssl_st* ssl) const;
};
using SslRef = std::unique_ptr<ssl_st, SslFree>;  // OpenSSL's SSL

class TlsSession {
 public:
  // `owner`: what the session's callbacks use; kept as long as the session lives.
  TlsSession(SslRef ssl, std::shared_ptr<void> owner);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // What was read from the socket before the session began comes first.
  void feed(std::string_view early) { early_.append(early); }

  // ── what is known after the handshake ──
  std::string_view protocol() const;     // of ALPN: "h2", "http/1.1" or empty
  std::string_view server_name() const;  // as the client sent it, or empty
  std::string_view version() const;      // "TLSv1.3"
  std::string_view cipher() const;       // "TLS_AES_256_GCM_SHA384"
  bool resumed() const;
  // Who the peer is by its certificate; nullptr: it showed none, or none that is good.
  const crypto::PeerIdentity* peer() const;
  const std::string& failure() const { return failure_; }  // why the handshake or a later record failed

 private:
  friend class Stream;
  friend struct TlsTransport;
  void attach(Stream& stream);
  Io handshake();
  Io read(char* buffer, size_t size, size_t& got);
  Io write(Body& out);
  void shut_write();         // close_notify
  bool holds_input() const;  // bytes that were read and not yet given out
  bool kernel_seals() const;
  Io send_file(Body& out);   // where the kernel seals
  Io seal(const Body& out);  // one record from behind what is sealed
  Io flush();                // what is sealed and not yet sent
  Io fail(int result, Io otherwise);

  Stream* stream_ = nullptr;
  SslRef ssl_;
  std::shared_ptr<void> owner_;
  std::string early_;
  std::string sealed_;         // records that the socket did not take yet
  uint64_t sealed_plain_ = 0;  // bytes at the front of the stream's output that are in sent or sealed records
  std::string failure_;
  mutable std::unique_ptr<crypto::PeerIdentity> peer_;
};

}  // namespace portolan::loop
