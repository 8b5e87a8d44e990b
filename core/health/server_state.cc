#include "core/health/server_state.hh"

namespace portolan::health {
namespace {

bool take_place(ServerState& server, int max_connections) {
  if (max_connections == 0) {
    server.in_flight.fetch_add(1);
    return true;
  }
  int64_t now = server.in_flight.load();  // sequentially consistent: see WaitQueue::enter
  while (now < max_connections)
    if (server.in_flight.compare_exchange_weak(now, now + 1)) return true;
  return false;
}

void enter_change_locked(ServerState& server) {
  if (server.order) server.order->refresh(server.place);
}

// Whoever begins to keep the orders says so before it reads in_flight; here in_flight changes before that is asked:
// one of the two sees the other (both sequentially consistent).
void enter_change(PoolState& pool, ServerState& server) {
  if (!pool.ordered.load()) return;
  std::lock_guard lock(pool.exact);
  enter_change_locked(server);
}

}  // namespace

bool try_count_in(PoolState& pool, ServerState& server, int max_connections) {
  if (!take_place(server, max_connections)) return false;
  enter_change(pool, server);
  return true;
}

void count_out(PoolState& pool, ServerState& server) {
  server.in_flight.fetch_sub(1);
  enter_change(pool, server);
  if (!pool.queue.empty()) pool.queue.room();
}

bool try_count_in_locked(ServerState& server, int max_connections) {
  bool taken = take_place(server, max_connections);
  enter_change_locked(server);
  return taken;
}

}  // namespace portolan::health
