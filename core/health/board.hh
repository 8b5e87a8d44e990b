#pragma once
// The one truth about health: an immutable snapshot of every pool's servers and every service's
// datacentres. Only the control worker makes boards; the proxy's workers and the DNS answers read
// the same one.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.hh"
#include "core/health/server_state.hh"

namespace portolan::health {

enum class State : uint8_t {
  unknown,  // not checked yet, or never checked: serves
  up,
  down,
  draining,  // asked to be left alone: no new requests
  ejected,   // failed requests took it out for a while
};
std::string_view to_string(State state);
inline bool serves(State s) {
  return s == State::unknown || s == State::up;
}

struct Health {
  State state = State::unknown;
  std::string reason;       // "HTTP 503", "connection refused", "drained by an operator"
  int64_t since_ms = 0;     // wall clock
  int64_t horizon_ms = -1;  // from any moment on it stays as it is for so long at least; -1: nobody can say
  bool operator==(const Health&) const = default;
};

// One address of a pool: a configured server, or one of the addresses its name stands for.
struct Member {
  SocketAddress address;
  std::string name;        // the address as text
  std::string configured;  // as written in the file
  std::string host;        // of what is written, without the port
  int weight = 1;
  int max_connections = 0;
  bool backup = false;
  Health health;
  std::shared_ptr<ServerState> state;  // counts shared by all workers; outlives boards
  std::string datacenter = {};         // where it stands; empty: here
  uint8_t tier = 0;                    // by its distance from here, nearest first; below most_tiers
  uint8_t warmth = full_warmth;        // below full while it starts slowly, of a server that has come back
  bool keeps_clients = false;          // it drains, and still serves those whose cookie names it
  static constexpr uint8_t full_warmth = 20;
  // What balancers go by: weights, as far as they count now.
  int share() const { return weight * warmth; }
  // Tiers in the order they are used: servers by distance, then backups by distance.
  size_t rank() const { return (backup ? most_tiers : 0) + tier; }
  bool operator==(const Member&) const = default;
};

struct Pool {
  std::string name;
  std::vector<Member> members;  // in the file's order
  std::shared_ptr<PoolState> state;
  const Member* find(const SocketAddress& address) const;  // nullptr: none
  size_t serving() const;                                  // members that serve
  double up_share() const;  // serving / all, by weight of non-backup members; 0 when empty
  // Too few serve: all but those an operator drained are used, as the checks may be wrong or the rest overrun.
  bool panic = false;
  bool takes(const Member& member) const {
    return serves(member.health.state) || (panic && member.health.state != State::draining);
  }
  uint64_t generation = 1;  // grows with every change of this pool
  // Whether they say the same; their generation is left out.
  bool operator==(const Pool& other) const {
    return name == other.name && members == other.members && state == other.state && panic == other.panic;
  }
};

// A service in one datacentre.
struct Site {
  std::string datacenter;
  Health health;
  bool operator==(const Site&) const = default;
};

struct Board {
  uint64_t version = 0;
  std::map<std::string, std::shared_ptr<const Pool>, std::less<>> pools;  // unchanged pools are shared by boards
  std::map<std::string, std::vector<Site>, std::less<>> services;
  std::map<std::string, Health, std::less<>> datacenters;  // only those an operator drained
};

}  // namespace portolan::health
