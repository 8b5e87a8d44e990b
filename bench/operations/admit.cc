// Who may pass: a token of a rate limit, for few clients and for many more than the processor's caches hold.
#include <memory>
#include <vector>

#include "bench/operations/operation.hh"
#include "core/base/clock.hh"
#include "proxy/admit/limiter.hh"

namespace portolan::proxy {
namespace {

using bench::Row;
using bench::Run;

struct Limited {
  std::unique_ptr<Limiter> limiter;
  std::vector<IpAddress> clients;
  http::RequestHead head;
};

// Clients come in turn, each once in a while, and pass.
Run take(size_t clients) {
  auto all = std::make_shared<Limited>();
  LimitConfig config;
  config.rate = {1000, 1'000'000};
  config.burst = 1000;
  config.entries = clients;
  all->limiter = std::make_unique<Limiter>(config);
  Rng rng(1);
  for (size_t i = 0; i < clients; ++i) {
    uint64_t n = rng.next();
    all->clients.push_back(IpAddress::v4(static_cast<uint8_t>(n), static_cast<uint8_t>(n >> 8),
                                         static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 24)));
  }
  return [all, clients, i = size_t{0}, now = int64_t{0}](size_t times) mutable {
    while (times-- > 0) {
      uint64_t key = all->limiter->key_of(all->head, all->clients[i++ % clients]);
      bench::keep(all->limiter->take(key, ++now));
    }
  };
}

const Row take_100("rate limit/100 clients", [] { return take(100); });
const Row take_million("rate limit/1000000 clients", [] { return take(1'000'000); });

}  // namespace
}  // namespace portolan::proxy
