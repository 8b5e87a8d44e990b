#include "edge/saved.hh"

#include <xxhash.h>

#include "edge/parts.hh"

namespace portolan::edge {
namespace {

constexpr uint8_t form = 1;

class Out {
 public:
  void number(uint64_t n) {
    for (; n >= 0x80; n >>= 7) text.push_back(static_cast<char>(n | 0x80));
    text.push_back(static_cast<char>(n));
  }
  void number(int64_t n) { number(static_cast<uint64_t>(n) << 1 ^ static_cast<uint64_t>(n >> 63)); }
  void word(uint64_t n) {
    for (int i = 0; i < 8; ++i) text.push_back(static_cast<char>(n >> 8 * i));
  }
  void string(std::string_view s) {
    number(static_cast<uint64_t>(s.size()));
    text += s;
  }
  std::string text;
};

class In {
 public:
  explicit In(std::string_view text) : left_(text) {}
  uint64_t number() {
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) break;
      auto byte = static_cast<uint8_t>(left_.front());
      left_.remove_prefix(1);
      n |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return n;
    }
    good = false;
    return 0;
  }
  int64_t signed_number() {
    uint64_t n = number();
    return static_cast<int64_t>(n >> 1) ^ -static_cast<int64_t>(n & 1);
  }
  std::string_view string() {
    uint64_t size = number();
    if (!good || size > left_.size()) {
      good = false;
      return {};
    }
    std::string_view s = left_.substr(0, size);
    left_.remove_prefix(size);
    return s;
  }
  uint64_t word() {
    uint64_t n = 0;
    if (left_.size() < 8) {
      good = false;
      return 0;
    }
    for (size_t i = 0; i < 8; ++i) n |= static_cast<uint64_t>(static_cast<uint8_t>(left_[i])) << 8 * i;
    left_.remove_prefix(8);
    return n;
  }
  bool at_end() const { return left_.empty(); }
  bool good = true;

 private:
  std::string_view left_;
};

uint64_t flags_of(const Saved& s) {
  const Freshness& f = s.freshness;
  uint64_t flags = 0, bit = 1;
  for (bool set : {f.no_cache, f.must_revalidate, f.immutable, f.heuristic, f.status_ruled, s.coded, s.shows_tags}) {
    if (set) flags |= bit;
    bit <<= 1;
  }
  return flags;
}

void set_flags(Saved& s, uint64_t flags) {
  Freshness& f = s.freshness;
  for (bool* set :
       {&f.no_cache, &f.must_revalidate, &f.immutable, &f.heuristic, &f.status_ruled, &s.coded, &s.shows_tags}) {
    *set = flags & 1;
    flags >>= 1;
  }
}

disk::Key key_of(XXH128_hash_t hash) {
  return {hash.high64, hash.low64};
}

}  // namespace

std::string save(const Saved& s) {
  Out out;
  out.text.reserve(s.key.size() + s.names.size() + s.values.size() + s.lines.size() + 96);
  out.number(uint64_t{form});
  out.number(static_cast<uint64_t>(s.kind));
  for (std::string_view text : {s.key, s.names, s.values}) out.string(text);
  out.number(s.origin);
  const Freshness& f = s.freshness;
  for (int64_t ms : {f.response_ms, f.initial_age_ms, f.lifetime_ms, f.stale_while_revalidate_ms, f.stale_if_error_ms,
                     f.stale_if_unreachable_ms})
    out.number(ms);
  out.number(flags_of(s));
  out.number(static_cast<uint64_t>(s.status));
  out.string(s.reason);
  out.string(s.lines);
  out.number(s.parts_id);
  out.number(s.parts_size);
  out.string(s.validator);
  out.number(uint64_t{s.tags.surrogates});
  for (uint64_t digest : s.tags.digests) out.word(digest);
  return std::move(out.text);
}

std::optional<Saved> read_saved(std::string_view text) {
  In in(text);
  Saved s;
  if (in.number() != form) return std::nullopt;
  uint64_t kind = in.number();
  if (kind > static_cast<uint64_t>(Saved::Kind::gone)) return std::nullopt;
  s.kind = static_cast<Saved::Kind>(kind);
  for (std::string_view* field : {&s.key, &s.names, &s.values}) *field = in.string();
  s.origin = in.number();
  Freshness& f = s.freshness;
  for (int64_t* ms : {&f.response_ms, &f.initial_age_ms, &f.lifetime_ms, &f.stale_while_revalidate_ms,
                      &f.stale_if_error_ms, &f.stale_if_unreachable_ms})
    *ms = in.signed_number();
  set_flags(s, in.number());
  uint64_t status = in.number();
  s.reason = in.string();
  s.lines = in.string();
  s.parts_id = in.number();
  s.parts_size = in.number();
  s.validator = in.string();
  uint64_t surrogates = in.number();
  while (in.good && !in.at_end()) s.tags.digests.push_back(in.word());
  if (surrogates > s.tags.digests.size()) return std::nullopt;
  s.tags.surrogates = static_cast<uint32_t>(surrogates);
  bool has_head = s.kind == Saved::Kind::whole || s.kind == Saved::Kind::parts;
  if (!in.good || !in.at_end() || (has_head ? status < 200 || status > 999 : status != 0)) return std::nullopt;
  if (s.kind == Saved::Kind::parts && (s.parts_size == 0 || s.validator.empty())) return std::nullopt;
  s.status = static_cast<int>(status);
  return s;
}

bool read_lines(std::string_view lines, http::Fields& out) {
  while (!lines.empty()) {
    size_t end = lines.find("\r\n"), colon = lines.find(": ");
    if (end == std::string_view::npos || colon == std::string_view::npos || colon == 0 || colon + 2 > end) return false;
    out.add(lines.substr(0, colon), lines.substr(colon + 2, end - colon - 2));
    lines.remove_prefix(end + 2);
  }
  return true;
}

disk::Key disk_key(std::string_view key) {
  return key_of(XXH3_128bits_withSeed(key.data(), key.size(), 0));
}

disk::Key disk_key(std::string_view key, std::string_view names, std::string_view values) {
  if (names.empty()) return disk_key(key);
  std::string whole;
  whole.reserve(key.size() + names.size() + values.size() + 16);
  for (std::string_view part : {key, names}) whole.append(std::to_string(part.size())).append(":").append(part);
  whole += values;
  return key_of(XXH3_128bits_withSeed(whole.data(), whole.size(), 2));
}

disk::Key disk_key(const FragmentKey& key) {
  uint64_t words[2] = {key.object, key.number};
  return key_of(XXH3_128bits_withSeed(words, sizeof words, 1));
}

}  // namespace portolan::edge
