#include "geodns/policy/policy.hh"

#include <cmath>

namespace portolan::geodns {
namespace {

uint64_t mix(uint64_t n) {
  n = (n ^ n >> 32) * 0xd6e8feb86659fd93;
  n = (n ^ n >> 32) * 0xd6e8feb86659fd93;
  return n ^ n >> 32;
}

uint64_t draw_for(const Slate& slate, const Ranked& r, Rng& rng) {
  return slate.by_network ? mix(slate.network + r.datacenter * 0x9e3779b97f4a7c15) : rng.next();
}

// Those that were passed by for want of room: where all were, one of them by its room.
struct Fallback {
  const Ranked* chosen = nullptr;
  uint64_t room = 0;  // of all that were offered
  void offer(const Ranked& r, uint32_t its_room, uint64_t draw) {
    room += its_room;
    if (!chosen || draw % (room | 1) < its_room) chosen = &r;
  }
};

// Which of a group were tried.
class Tried {
 public:
  bool has(size_t i) const { return words_[i / 64] >> i % 64 & 1; }
  void add(size_t i) { words_[i / 64] |= uint64_t{1} << i % 64; }

 private:
  uint64_t words_[Picks::most / 64] = {};
};

void take(const Slate& slate, const Ranked& r, const Condition& c, Rng& rng, Picks& picks, Fallback& fallback) {
  if (c.room == Condition::full_room) return picks.add(r);
  const uint64_t draw = draw_for(slate, r, rng);
  if (draw >> 48 < c.room) return picks.add(r);
  fallback.offer(r, c.room, draw & 0xffffffffffff);
}

// `choose(begin, end, tried)`: the index of the next to try, or -1.
template <class Choose>
void pick_from_group(const Slate& slate, size_t begin, size_t end, Rng& rng, Picks& picks, Fallback& fallback,
                     Choose choose) {
  Tried tried;
  for (size_t i = begin; i < end; i++) {
    const Condition& c = slate.of(slate.order[i]);
    picks.look_at(c);
    if (!usable(c.state)) tried.add(i);
  }
  while (picks.count < slate.answers) {
    const int next = choose(begin, end, tried);
    if (next < 0) return;
    const Ranked& r = slate.order[static_cast<size_t>(next)];
    tried.add(static_cast<size_t>(next));
    const Condition& c = slate.of(r);
    take(slate, r, c, rng, picks, fallback);
  }
}

template <class Choose>
void go_down(const Slate& slate, Rng& rng, Picks& picks, Choose choose) {
  Fallback fallback;
  size_t end = 0;
  for (size_t begin = 0; begin < slate.order.size() && picks.count < slate.answers; begin = end) {
    const Ranked& first = slate.order[begin];
    end = first.group_end;
    if (end - begin > 1) {
      pick_from_group(slate, begin, end, rng, picks, fallback, choose);
      continue;
    }
    const Condition& c = slate.of(first);
    picks.look_at(c);
    if (!usable(c.state)) continue;
    take(slate, first, c, rng, picks, fallback);
  }
  if (picks.count == 0 && fallback.chosen) picks.add(*fallback.chosen);
}

}  // namespace

void pick_by_weight(const Slate& slate, Rng& rng, Picks& picks) {
  go_down(slate, rng, picks, [&](size_t begin, size_t end, const Tried& tried) {
    uint64_t total = 0, count = 0;
    for (size_t i = begin; i < end; i++)
      if (!tried.has(i)) {
        total += slate.order[i].weight;
        count++;
      }
    if (count == 0) return -1;
    const bool equal = total == 0;
    uint64_t ticket = rng.below(equal ? count : total);
    for (size_t i = begin;; i++) {
      if (tried.has(i)) continue;
      const uint64_t share = equal ? 1 : slate.order[i].weight;
      if (ticket < share) return static_cast<int>(i);
      ticket -= share;
    }
  });
}

// Thaler and Ravishankar's highest random weight, weighted: -ln(u) / w is least for a candidate as often as its weight
// says.
void pick_by_network(const Slate& slate, Rng& rng, Picks& picks) {
  go_down(slate, rng, picks, [&](size_t begin, size_t end, const Tried& tried) {
    int best = -1;
    double least = 0;
    for (size_t i = begin; i < end; i++) {
      if (tried.has(i)) continue;
      const Ranked& r = slate.order[i];
      const uint64_t drawn = mix(slate.network ^ mix(r.datacenter + 1));
      const double u = (static_cast<double>(drawn >> 11) + 0.5) * 0x1p-53;
      const double score = -std::log(u) / (r.weight ? r.weight : 1);
      if (best >= 0 && score >= least) continue;
      best = static_cast<int>(i);
      least = score;
    }
    return best;
  });
}

}  // namespace portolan::geodns
