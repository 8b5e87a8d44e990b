#pragma once
// Names to addresses and services to servers, through c-ares, on one worker's loop, with the answers' TTLs.
#include <sys/stat.h>

#include <compare>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "core/loop/resolver_config.hh"
#include "core/loop/worker.hh"

namespace portolan::loop {

struct Resolution {
  std::vector<IpAddress> addresses;  // sorted, without duplicates; never empty
  int64_t ttl_ms = 0;                // the shortest of the answer's
};

// One record of a SRV set (RFC 2782).
struct ServiceRecord {
  uint16_t priority = 0;
  std::string target;  // a host name, without the final dot
  uint16_t port = 0;
  uint16_t weight = 0;
  auto operator<=>(const ServiceRecord&) const = default;
};
struct ServiceResolution {
  std::vector<ServiceRecord> records;  // sorted, without duplicates; never empty
  int64_t ttl_ms = 0;
};

class Resolver {
 public:
  explicit Resolver(Worker& worker, const ResolverConfig& config = {});
  ~Resolver();
  using Callback = std::function<void(Result<Resolution>)>;
  using ServiceCallback = std::function<void(Result<ServiceResolution>)>;

  // Asks others from now on, where `config` or the system's resolv.conf changed. What is under way ends with an error.
  void configure(const ResolverConfig& config);

  // Destroying the ticket cancels: the callback will not run.
  class Ticket;
  // The addresses of a name, in the search domains of the system unless it ends in a dot; `family`: of this one alone.
  // Error::code is ENOENT where the answer was that there is none, EAGAIN where there was no answer.
  std::unique_ptr<Ticket> resolve(const std::string& host, Callback callback,
                                  IpAddress::Family family = IpAddress::Family::none);
  // The SRV set of an absolute name. That it is not there, or "." (the service is not to be had), is an error.
  std::unique_ptr<Ticket> resolve_service(const std::string& name, ServiceCallback callback);

 private:
  struct State;
  struct SystemFile {
    struct stat status {};
    bool same_as(const SystemFile& other) const;
  };
  void open();
  Worker& worker_;
  ResolverConfig config_;
  SystemFile system_;
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
