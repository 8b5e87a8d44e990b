#pragma once
// Names that stand for addresses, asked again by their TTL (at least 1 s, at most 5 min). A failure
// keeps the last good answer: being found and being healthy are different things. Control worker
// only.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/loop/resolver.hh"

namespace portolan::health {

// Asks once; dropping what it returns cancels.
using Resolve = std::function<std::shared_ptr<void>(const std::string& host, loop::Resolver::Callback done)>;
Resolve resolve_with(loop::Resolver& resolver);

class Name {
 public:
  Name(loop::Worker& worker, const Resolve& resolve, std::string host, const std::function<void()>& on_change);
  const std::string& host() const { return host_; }
  const std::vector<IpAddress>& addresses() const { return addresses_; }  // empty: not resolved yet

 private:
  void ask();
  void on_answer(Result<loop::Resolution> answer);
  loop::Worker& worker_;
  const Resolve& resolve_;
  std::string host_;
  const std::function<void()>& on_change_;
  std::vector<IpAddress> addresses_;
  bool failing_ = false;
  std::shared_ptr<void> ticket_;
  loop::Timer again_;
};

class Names {
 public:
  // `on_change` runs when the addresses of a watched name became others. Must not drop names inside
  // the call.
  Names(loop::Worker& worker, Resolve resolve, std::function<void()> on_change);
  std::shared_ptr<Name> watch(const std::string& host);  // shared while anybody holds it

 private:
  loop::Worker& worker_;
  Resolve resolve_;
  std::function<void()> on_change_;
  std::map<std::string, std::weak_ptr<Name>> names_;
};

// A host and port, followed through its name where it is one.
class Endpoint {
 public:
  Endpoint() = default;
  Endpoint(Names& names, HostPort at);
  std::vector<SocketAddress> addresses() const;  // empty while the name is unresolved
  std::optional<SocketAddress> first() const;
  const HostPort& configured() const { return at_; }

 private:
  HostPort at_;
  std::shared_ptr<Name> name_;
};

}  // namespace portolan::health
