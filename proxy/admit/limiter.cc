#include "proxy/admit/limiter.hh"

#include "core/http/semantics.hh"

namespace portolan::proxy {
namespace {

constexpr int64_t finest = 1000;  // ticks a token takes at least, so that rounding is a thousandth at most

std::optional<std::string_view> cookie(const http::Fields& fields, std::string_view name) {
  if (!fields.may_have(http::FieldId::cookie)) return std::nullopt;
  for (const http::Field& f : fields) {
    if (f.id != http::FieldId::cookie) continue;
    std::string_view pair;
    for (http::ListCursor pairs(f.value, ';'); pairs.next(pair);)
      if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name))
        return pair.substr(name.size() + 1);
  }
  return std::nullopt;
}

}  // namespace

Limiter::Limiter(const LimitConfig& config)
    : config_(config),
      address_key_(crypto::HashKey::fresh()),
      value_key_(crypto::HashKey::fresh()),
      slots_(config.entries * 2, ways) {
  const Rate& rate = config.rate;
  while (ticks(rate.period_us) / rate.requests < finest) ++shift_;
  cost_ = (ticks(rate.period_us) + rate.requests / 2) / rate.requests;
  depth_ = cost_ * config.depth();
}

uint64_t Limiter::key_of(const http::RequestHead& head, const IpAddress& client) const {
  std::optional<std::string_view> value;
  if (config_.by.kind == LimitKey::Kind::header) value = head.fields.find(config_.by.name);
  if (config_.by.kind == LimitKey::Kind::cookie) value = cookie(head.fields, config_.by.name);
  uint64_t hash;
  if (value) {
    hash = crypto::keyed_hash(value_key_, *value);
  } else {
    IpAddress whole = client.is_v6() ? client.masked(config_.ipv6_prefix) : client;
    hash = crypto::keyed_hash(address_key_, {reinterpret_cast<const char*>(whole.bytes.data()), whole.size()});
  }
  return hash >> time_bits ? hash : hash | uint64_t{1} << time_bits;  // no word of a key is zero
}

Limiter::Found Limiter::find(uint64_t key, int64_t now) const {
  Found found;
  int64_t least = INT64_MAX;
  uint64_t* set = slots_.set_of(key);
  for (size_t i = 0; i < ways; ++i) {
    uint64_t word = read_slot(set[i]);
    if (word != 0 && word >> time_bits == key >> time_bits) {
      (found.slot ? found.second_word : found.word) = word;
      (found.slot ? found.second : found.slot) = &set[i];
      if (found.second) break;
      continue;
    }
    int64_t owes = word == 0 ? -1 : debt(word, now);
    if (owes >= least) continue;
    least = owes;
    found.victim = &set[i];
    found.victim_word = word;
  }
  return found;
}

int64_t Limiter::take(uint64_t key, int64_t now_us) {
  const int64_t now = ticks(now_us);
  if (int64_t last = swept_.load(std::memory_order_relaxed); last < 0 || now - last > sweep_ticks) sweep(now, last);
  for (;;) {
    Found found = find(key, now);
    if (found.second) {
      merge(found, now);
      continue;
    }
    if (!found.slot) {
      // A full bucket first, and then a look whether somebody else has made one: tokens come out of one alone.
      change_slot(*found.victim, found.victim_word, word_of(key, now));
      continue;
    }
    int64_t owes = debt(found.word, now) + cost_;
    if (owes > depth_) return std::max<int64_t>(1, (owes - depth_) >> shift_);
    if (change_slot(*found.slot, found.word, word_of(key, now + owes))) return 0;
  }
}

void Limiter::give_back(uint64_t key, int64_t now_us) {
  const int64_t now = ticks(now_us);
  for (;;) {
    Found found = find(key, now);
    if (!found.slot) return;
    int64_t owes = std::max<int64_t>(0, debt(found.word, now) - cost_);
    if (change_slot(*found.slot, found.word, word_of(key, now + owes))) return;
  }
}

// What was taken from the second is owed by the first. In this order nobody finds both of them fuller than they are.
void Limiter::merge(const Found& found, int64_t now) {
  int64_t moved = debt(found.second_word, now);
  int64_t owes = debt(found.word, now) + moved;
  uint64_t merged = word_of(found.word, now + owes);
  if (!change_slot(*found.slot, found.word, merged)) return;
  if (change_slot(*found.second, found.second_word, 0)) return;
  // The second was used meanwhile; the next look finds both again.
  for (uint64_t word = merged; word >> time_bits == merged >> time_bits; word = read_slot(*found.slot))
    if (change_slot(*found.slot, word, word_of(word, now + std::max<int64_t>(0, debt(word, now) - moved)))) return;
}

void Limiter::sweep(int64_t now, int64_t last) {
  if (!swept_.compare_exchange_strong(last, now) || last < 0) return;
  // Nobody has asked for so long that every bucket is full, whatever its time seems to say.
  bool all = now - last > sweep_ticks + sweep_ticks / 2;
  for (uint64_t& slot : slots_) {
    uint64_t word = read_slot(slot);
    if (word != 0 && (all || debt(word, now) == 0)) change_slot(slot, word, 0);
  }
}

}  // namespace portolan::proxy
