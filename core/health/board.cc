#include "core/health/board.hh"

namespace portolan::health {

std::string_view to_string(State state) {
  switch (state) {
    case State::unknown:
      return "unknown";
    case State::up:
      return "up";
    case State::down:
      return "down";
    case State::draining:
      return "draining";
    case State::ejected:
      return "ejected";
  }
  return "unknown";
}

const Member* Pool::find(const SocketAddress& address) const {
  for (const Member& m : members)
    if (m.address == address) return &m;
  return nullptr;
}

size_t Pool::serving() const {
  size_t n = 0;
  for (const Member& m : members) n += serves(m.health.state);
  return n;
}

double Pool::up_share() const {
  int64_t all[2] = {0, 0};  // [backup]
  int64_t up[2] = {0, 0};
  for (const Member& m : members) {
    all[m.backup] += m.weight;
    if (serves(m.health.state)) up[m.backup] += m.weight;
  }
  bool backup = all[0] == 0;  // a pool of backups alone is judged by them
  return all[backup] ? static_cast<double>(up[backup]) / static_cast<double>(all[backup]) : 0;
}

}  // namespace portolan::health
