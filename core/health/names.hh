#pragma once
// Names that stand for addresses, asked again by their TTL within bounds. What fails or is empty keeps the last good
// answer, each family for itself: being found and being healthy are different things. Control worker only.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/loop/resolver.hh"

namespace portolan::health {

// How an entry of `servers` is found; what it stands for is another matter.
struct Discovery {
  enum class State : uint8_t {
    waiting,  // no answer yet
    found,    // the last answer was good
    failing,  // the last was not: what was found before stays in use
  };
  State state = State::waiting;
  std::string reason;    // failing: why
  int64_t since_ms = 0;  // wall clock
};
std::string_view to_string(Discovery::State state);

// Asks once; dropping what it returns cancels.
using Resolve =
    std::function<std::shared_ptr<void>(const std::string& host, IpAddress::Family family, loop::Resolver::Callback)>;
Resolve resolve_with(loop::Resolver& resolver);

// For how long an answer is believed.
struct TtlBounds {
  int64_t least_ms = 1'000;
  int64_t most_ms = 300'000;
  int64_t of(int64_t ttl_ms) const;
};
inline constexpr int64_t ask_again_ms = 2'000;  // after a failure

// Keeps the state of a discovery and tells its changes to the log.
class DiscoveryLog {
 public:
  DiscoveryLog(loop::Worker& worker, std::string what) : worker_(worker), what_(std::move(what)) {}
  void found();
  // `every`: another reason is news as well. True: it was waiting.
  bool failing(const std::string& reason, bool has_last_good, bool every = false);
  const Discovery& now() const { return now_; }

 private:
  loop::Worker& worker_;
  std::string what_;
  Discovery now_;
};

class Name {
 public:
  Name(loop::Worker& worker, const Resolve& resolve, const TtlBounds& bounds, std::string host,
       const std::function<void()>& on_change);
  const std::string& host() const { return host_; }
  const std::vector<IpAddress>& addresses() const { return addresses_; }  // sorted; empty: not resolved yet
  const Discovery& discovery() const { return log_.now(); }
  bool settled() const { return log_.now().state != Discovery::State::waiting; }  // asked once, whatever came of it

 private:
  void ask();
  void on_answer(Result<loop::Resolution> answer);
  void on_second_answer(loop::Resolution first, IpAddress::Family family, const Result<loop::Resolution>& second);
  void take(loop::Resolution answer);
  void use(std::vector<IpAddress> addresses);
  void keep(loop::Resolution& answer, IpAddress::Family family) const;  // those of before
  bool lost(const loop::Resolution& answer, IpAddress::Family family) const;
  loop::Worker& worker_;
  const Resolve& resolve_;
  const TtlBounds& bounds_;
  std::string host_;
  const std::function<void()>& on_change_;
  std::vector<IpAddress> addresses_;
  DiscoveryLog log_;
  std::shared_ptr<void> ticket_;
  loop::Timer again_;
};

class Names {
 public:
  // `on_change` runs when the addresses of a watched name became others, and when one was asked for the first time and
  // not resolved. Must not drop names inside the call.
  Names(loop::Worker& worker, Resolve resolve, std::function<void()> on_change);
  std::shared_ptr<Name> watch(const std::string& host);  // shared while anybody holds it
  void set_bounds(const TtlBounds& bounds) { bounds_ = bounds; }
  const TtlBounds& bounds() const { return bounds_; }

 private:
  loop::Worker& worker_;
  Resolve resolve_;
  std::function<void()> on_change_;
  TtlBounds bounds_;
  std::map<std::string, std::weak_ptr<Name>> names_;
  size_t sweep_at_ = 16;  // those nobody holds any more go when there are so many
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
