#pragma once
// Asks the responders of certificates for proof that these are not revoked, again and again in time, and hands it to the
// workers to staple. What a responder said holds until it ends, whether or not the responder answers later. Control worker
// only.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/client/client.hh"
#include "core/crypto/ocsp.hh"
#include "core/loop/resolver.hh"
#include "daemon/tls_files.hh"

namespace portolan::daemon {

class OcspKeeper {
 public:
  using Publish = std::function<void(std::shared_ptr<const crypto::Staples>)>;
  OcspKeeper(loop::Worker& control, loop::Resolver& resolver, Publish publish);
  ~OcspKeeper();
  // From now on these: the certificates of listeners with `ocsp`. Those it knows already keep what they have.
  void watch(const TlsFiles& files);

 private:
  struct Watched;
  void look();
  void ask(Watched& watched);
  void send(Watched& watched, const SocketAddress& to);
  void take(Watched& watched, const Result<crypto::Staple>& staple);
  void publish();

  loop::Worker& control_;
  loop::Resolver& resolver_;
  Publish publish_;
  std::vector<std::unique_ptr<Watched>> watched_;
  bool changed_ = false;
  loop::Timer timer_;
};

}  // namespace portolan::daemon
