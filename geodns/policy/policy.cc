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
  return slate.by_network ? mix(slate.network + slate.name_hash(r) * 0x9e3779b97f4a7c15) : rng.next();
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

// A group, and what of it is still to be tried.
class Group {
 public:
  Group(const Slate& slate, size_t begin, size_t end, Picks& picks) : begin(begin), end(end) {
    for (size_t i = begin; i < end; i++) {
      const Ranked& r = slate.order.data()[i];
      const Condition& c = slate.of(r);
      picks.look_at(c);
      if (usable(c.state)) {
        left++;
        weight += r.weight;
      } else {
        mark(i);
      }
    }
  }
  bool whole() const { return left == end - begin; }
  bool has(size_t i) const { return !(gone_[i / 64] >> i % 64 & 1); }
  void remove(size_t i, const Ranked& r) {
    mark(i);
    left--;
    weight -= r.weight;
  }

  const size_t begin, end;  // in the order
  size_t left = 0;
  uint64_t weight = 0;  // of those left

 private:
  void mark(size_t i) { gone_[i / 64] |= uint64_t{1} << i % 64; }
  uint64_t gone_[Picks::most / 64] = {};
};

// One with less than full room takes some.
[[gnu::noinline]] void offer(const Slate& slate, const Ranked& r, uint32_t room, Rng& rng, Picks& picks,
                             Fallback& fallback) {
  const uint64_t draw = draw_for(slate, r, rng);
  if (draw >> 48 < room) return picks.add(r);
  fallback.offer(r, room, draw & 0xffffffffffff);
}

inline void take(const Slate& slate, const Ranked& r, Rng& rng, Picks& picks, Fallback& fallback) {
  const Condition& c = slate.of(r);
  if (c.room == Condition::full_room) return picks.add(r);
  offer(slate, r, c.room, rng, picks, fallback);
}

// `choose(group)`: the index of the next to try, of a group that has some left.
template <class Choose>
void pick_from_group(const Slate& slate, Group group, Rng& rng, Picks& picks, Fallback& fallback, Choose choose) {
  while (picks.count < slate.answers && group.left > 0) {
    const size_t next = choose(group);
    const Ranked& r = slate.order.data()[next];
    group.remove(next, r);
    take(slate, r, rng, picks, fallback);
  }
}

// So many are wanted, room or not: of those that were passed by, by their room.
[[gnu::noinline]] void fill_up(const Slate& slate, Rng& rng, Picks& picks) {
  bool picked[Picks::most] = {};
  for (unsigned i = 0; i < picks.count; i++) picked[picks.list[i]] = true;
  while (picks.count < slate.answers) {
    Fallback left;
    for (const Ranked& r : slate.order) {
      const Condition& c = slate.of(r);
      if (usable(c.state) && !picked[r.candidate]) left.offer(r, c.room, draw_for(slate, r, rng) & 0xffffffffffff);
    }
    if (!left.chosen) return;
    picked[left.chosen->candidate] = true;
    picks.add(*left.chosen);
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
      pick_from_group(slate, Group(slate, begin, end, picks), rng, picks, fallback, choose);
      continue;
    }
    const Condition& c = slate.of(first);
    picks.look_at(c);
    if (!usable(c.state)) continue;
    take(slate, first, rng, picks, fallback);
  }
  if (!fallback.chosen) return;
  if (picks.count == 0) picks.add(*fallback.chosen);
  if (picks.count < slate.answers) fill_up(slate, rng, picks);
}

}  // namespace

void pick_by_weight(const Slate& slate, Rng& rng, Picks& picks) {
  go_down(slate, rng, picks, [&](const Group& group) {
    const bool equal = group.weight == 0, whole = group.whole();
    uint64_t ticket = rng.below(equal ? group.left : group.weight);
    for (size_t i = group.begin;; i++) {
      if (!whole && !group.has(i)) continue;
      const uint64_t share = equal ? 1 : slate.order.data()[i].weight;
      if (ticket < share) return i;
      ticket -= share;
    }
  });
}

// Thaler and Ravishankar's highest random weight, weighted: -ln(u) / w is least for a candidate as often as its weight
// says.
void pick_by_network(const Slate& slate, Rng& rng, Picks& picks) {
  go_down(slate, rng, picks, [&](const Group& group) {
    size_t best = group.end;
    double least = 0;
    for (size_t i = group.begin; i < group.end; i++) {
      if (!group.has(i)) continue;
      const Ranked& r = slate.order[i];
      const uint64_t drawn = mix(slate.network ^ mix(slate.name_hash(r) + 1));
      const double u = (static_cast<double>(drawn >> 11) + 0.5) * 0x1p-53;
      const double score = -std::log(u) / (r.weight ? r.weight : 1);
      if (best < group.end && score >= least) continue;
      best = i;
      least = score;
    }
    return best;
  });
}

}  // namespace portolan::geodns
