#pragma once
// Pools made of weights, and choices as a worker makes them.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hh"
#include "proxy/balance/balancer.hh"

namespace portolan::proxy {

inline health::Member member_of(size_t i, int weight = 1) {
  health::Member m;
  m.address = *SocketAddress::parse("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":8080");
  m.name = m.address.to_string();
  m.weight = weight;
  m.state = std::make_shared<health::ServerState>();
  return m;
}

inline std::shared_ptr<health::Pool> pool_of(const std::vector<int>& weights) {
  auto pool = std::make_shared<health::Pool>();
  pool->name = "app";
  pool->state = std::make_shared<health::PoolState>();
  for (size_t i = 0; i < weights.size(); ++i) pool->members.push_back(member_of(i, weights[i]));
  return pool;
}

inline std::unique_ptr<Balancer> make(std::string_view kind, const std::shared_ptr<health::Pool>& pool) {
  std::vector<size_t> all(pool->members.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  return Registration<BalancerKind>::find(kind)->make(pool, all);
}

inline int64_t in_flight(const health::Pool& pool, size_t i) {
  return pool.members[i].state->in_flight;
}

// With a key of its own each, as from clients that have nothing in common. B: a Balancer or a Cluster.
template <class B>
size_t choose(B& from, const Tried& tried) {
  static thread_local Rng rng(1);
  return from.pick({tried, rng, 1'000'000, {rng.next()}});
}

inline std::vector<std::string> all_kinds() {
  std::vector<std::string> names;
  for (const BalancerKind* kind : Registration<BalancerKind>::all()) names.emplace_back(kind->name);
  return names;
}

}  // namespace portolan::proxy
