#include "core/health/places.hh"

#include <algorithm>

namespace portolan::health {

// What stays is watched before the old list goes: its names and their last good addresses live on.
void Places::set(const std::vector<Place>& places) {
  auto next = std::make_unique<List>();
  for (const Place& p : places)
    next->push_back({p, p.at.is_literal ? nullptr : names_.watch(p.asked.empty() ? p.at.host : p.asked)});
  next_ = std::move(next);
}

bool Places::is_ready(const List& list) {
  bool any = false;
  for (const Followed& f : list) {
    if (f.name && !f.name->settled()) return false;
    any = any || !f.name || !f.name->addresses().empty();
  }
  return any;
}

const Discovery* Places::trouble() const {
  for (const Followed& f : next_ ? *next_ : current_)
    if (f.name && f.name->discovery().state != Discovery::State::found) return &f.name->discovery();
  return nullptr;
}

std::vector<Found> Places::servers() {
  if (next_ && is_ready(*next_)) {
    current_ = std::move(*next_);
    next_.reset();
  }
  std::vector<Found> found;
  for (const auto& [place, name] : current_) {
    auto add = [&found, &p = place](const SocketAddress& address) {
      found.push_back({address, p.at.host, p.weight, p.max_connections, p.backup});
    };
    if (!name) {
      add(place.at.literal);
      continue;
    }
    for (const IpAddress& ip : name->addresses()) add({ip, place.at.port, {}});
  }
  return found;
}

}  // namespace portolan::health
