#pragma once
// Who may pass: what an exchange asks the gates of its listener and route, in the order of what it costs us. Networks and
// countries, maintenance, rates, the URL's signature, and at last the password, for which it may have to wait.
#include <memory>

#include "core/base/recycled.hh"
#include "proxy/admit/gate.hh"
#include "proxy/admit/refusals.hh"
#include "proxy/admit/verifier.hh"
#include "proxy/filters.hh"
#include "proxy/source/respond.hh"

namespace portolan::proxy {

class Admission : public Recycled {
 public:
  enum class Outcome : uint8_t {
    pass,
    wait,    // the waiter will be run; ask again then
    refuse,  // refusal() says why, answer() what the client gets
  };
  struct Visitor {
    const http::RequestHead& head;
    std::string_view host;  // lower case, without port
    const IpAddress& client;
    ClientCountry& country;
    const geo::Table* geo;
    loop::Runnable& waiter;
  };
  // The gates belong to a snapshot that the caller keeps; nullptr: there is none.
  Admission(loop::Worker& worker, Verifier& verifier, const Gate* listener, const Gate* route)
      : worker_(worker), verifier_(verifier), gates_{listener, route} {}

  Outcome run(const Visitor& visitor);
  Refusal refusal() const { return refusal_; }
  std::unique_ptr<Respond> answer() { return std::move(answer_); }
  // Takes what signed its URL out of the request, which stays as long as this does.
  void strip_signature(http::RequestHead& head) const;
  std::string_view user() const { return user_; }  // who has shown a good password; empty: nobody was asked
  bool tells_user() const { return auth() && !auth()->user_header.empty(); }  // servers get to know who it is
  void prepare(RequestFilter& filter) const;                                  // what servers are told of that

 private:
  Outcome networks(const Visitor& visitor);
  Outcome maintenance(const Visitor& visitor);
  Outcome limits(const Visitor& visitor);
  Outcome signature(const Visitor& visitor);
  Outcome password(const Visitor& visitor);
  Outcome refuse(Refusal why, std::unique_ptr<Respond> answer);
  Outcome ask_for_password(Refusal why);
  const Gate::BasicAuth* auth() const { return gates_[1] && gates_[1]->basic_auth ? &*gates_[1]->basic_auth : nullptr; }

  loop::Worker& worker_;
  Verifier& verifier_;
  const Gate* gates_[2];  // of the listener, of the route
  bool begun_ = false;    // only the password waits: the rest is behind us then
  Refusal refusal_ = Refusal::denied;
  std::unique_ptr<Respond> answer_;
  Text user_;
  std::optional<Text> query_;  // without what signed it
  Verifier::Wait wait_;
};

}  // namespace portolan::proxy
