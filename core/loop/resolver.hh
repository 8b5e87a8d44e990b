#pragma once
// Names to addresses through c-ares, on one worker's loop, with the answer's TTL.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "core/loop/worker.hh"

namespace portolan::loop {

struct Resolution {
  std::vector<IpAddress> addresses;  // sorted, without duplicates; never empty
  int64_t ttl_ms = 0;                // the shortest of the answer's
};

class Resolver {
 public:
  // `servers`: "127.0.0.1:5353,…" instead of the system's resolv.conf; for tests.
  explicit Resolver(Worker& worker, std::string servers = {});
  ~Resolver();
  using Callback = std::function<void(Result<Resolution>)>;

  // Destroying the ticket cancels: the callback will not run.
  class Ticket;
  std::unique_ptr<Ticket> resolve(const std::string& host, Callback callback);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Resolver::Ticket {
 public:
  ~Ticket();

 private:
  friend class Resolver;
  struct Query;
  std::shared_ptr<Query> query_;
};

}  // namespace portolan::loop
