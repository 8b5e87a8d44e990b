#include "core/health/load_order.hh"

#include <algorithm>
#include <bit>
#include <map>

#include "core/health/server_state.hh"

namespace portolan::health {

LoadOrder::~LoadOrder() {
  reset({});
}

void LoadOrder::reset(const std::vector<Entry>& entries) {
  for (Node& node : nodes_)
    if (node.server->order == this) node.server->order = nullptr;
  nodes_.clear();
  weights_.clear();
  nodes_.reserve(entries.size());
  std::map<int, uint32_t> known;
  for (const Entry& entry : entries) {
    auto [weight, fresh] = known.emplace(entry.weight, static_cast<uint32_t>(weights_.size()));
    if (fresh) weights_.emplace_back().weight = entry.weight;
    auto place = static_cast<uint32_t>(nodes_.size());
    entry.server->order = this;
    entry.server->place = place;
    int64_t most = entry.max_connections > 0 ? entry.max_connections : INT64_MAX;
    nodes_.push_back({entry.server, entry.member, weight->second, most});
    refresh(place);
  }
}

uint32_t LoadOrder::Weight::first_from(size_t load) const {
  for (size_t word = load / 64; word < used.size(); ++word) {
    uint64_t bits = used[word];
    if (word == load / 64) bits &= ~uint64_t{0} << load % 64;
    if (bits) return static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits)));
  }
  return none;
}

uint32_t LoadOrder::first_but(const Weight& weight, const std::vector<size_t>& skip) const {
  for (uint32_t load = weight.first_from(0); load != none; load = weight.first_from(load + 1)) {
    for (uint32_t place = weight.by_load[load].first; place != none; place = nodes_[place].next)
      if (std::find(skip.begin(), skip.end(), nodes_[place].member) == skip.end()) return place;
  }
  return none;
}

uint32_t LoadOrder::least_loaded(const std::vector<size_t>& skip) {
  uint32_t best = none;
  size_t start = weights_.size() > 1 ? turn_++ : 0;
  for (size_t i = 0; i < weights_.size(); ++i) {
    uint32_t place = first_but(weights_[weights_.size() > 1 ? (start + i) % weights_.size() : 0], skip);
    if (place == none) continue;
    // (load + 1) / weight without a division: compare by cross products.
    const Node &it = nodes_[place], &least = nodes_[best == none ? place : best];
    int64_t weight = weights_[it.weights].weight;
    if (best == none || (it.load + 1) * weights_[least.weights].weight < (least.load + 1) * weight) best = place;
  }
  return best == none ? none : nodes_[best].member;
}

void LoadOrder::refresh(uint32_t place) {
  Node& node = nodes_[place];
  int64_t load = node.server->in_flight.load(std::memory_order_relaxed);
  int64_t list = load < node.most ? std::max<int64_t>(load, 0) : -1;
  if (list == node.load) return;
  if (node.load >= 0) unlink(place);
  if (list >= 0) link(place, list);
}

void LoadOrder::link(uint32_t place, int64_t load) {
  Node& node = nodes_[place];
  Weight& weight = weights_[node.weights];
  auto at = static_cast<size_t>(load);
  if (at >= weight.by_load.size()) {
    weight.by_load.resize(std::bit_ceil(at + 8));
    weight.used.resize((weight.by_load.size() + 63) / 64);
  }
  List& list = weight.by_load[at];
  node.load = load;
  node.next = none;
  node.previous = list.last;
  (list.last == none ? list.first : nodes_[list.last].next) = place;
  list.last = place;
  weight.used[at / 64] |= uint64_t{1} << at % 64;
}

void LoadOrder::unlink(uint32_t place) {
  Node& node = nodes_[place];
  Weight& weight = weights_[node.weights];
  auto at = static_cast<size_t>(node.load);
  List& list = weight.by_load[at];
  (node.previous == none ? list.first : nodes_[node.previous].next) = node.next;
  (node.next == none ? list.last : nodes_[node.next].previous) = node.previous;
  if (list.first == none) weight.used[at / 64] &= ~(uint64_t{1} << at % 64);
  node.load = -1;
}

}  // namespace portolan::health
