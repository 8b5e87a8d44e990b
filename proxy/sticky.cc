#include "proxy/sticky.hh"

#include <xxhash.h>

#include "core/crypto/mac.hh"
#include "core/http/semantics.hh"

namespace portolan::proxy {
namespace {

constexpr size_t mac_bytes = 16;

// Whether any cache may keep the answer and give it, with its cookie, to everybody.
bool is_public(const http::Fields& fields) {
  for (const http::Field& f : fields)
    if (f.id == http::FieldId::cache_control &&
        (http::list_has(f.value, "public") || f.value.find("s-maxage") != std::string_view::npos))
      return true;
  return false;
}

}  // namespace

std::string_view find_cookie(const http::Fields& fields, std::string_view name) {
  if (!fields.may_have(http::FieldId::cookie)) return {};
  for (const http::Field& f : fields) {
    if (f.id != http::FieldId::cookie) continue;
    http::ListCursor pairs(f.value, ';');
    for (std::string_view pair; pairs.next(pair);)
      if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name))
        return pair.substr(name.size() + 1);
  }
  return {};
}

Sticky::Sticky(const StickyConfig& config, const health::Pool& pool) : config_(config), pool_(pool) {
  uint64_t of = XXH3_64bits_withSeed(config.key.data(), config.key.size(), pool.members.size());
  of = XXH3_64bits_withSeed(pool.name.data(), pool.name.size(), of);
  for (const health::Member& m : pool.members) of = XXH3_64bits_withSeed(m.name.data(), m.name.size(), of);
  std::lock_guard lock(pool.state->exact);
  health::PoolState::Built& built = pool.state->cookies;
  if (built.of != of || !built.it) built = {of, make_values(config, pool)};
  values_ = std::static_pointer_cast<const Values>(built.it);
}

std::shared_ptr<const Sticky::Values> Sticky::make_values(const StickyConfig& config, const health::Pool& pool) {
  auto values = std::make_shared<Values>();
  for (const health::Member& m : pool.members) {
    std::string text = "portolan sticky 1\n" + pool.name + "\n" + m.name;
    values->of.push_back(crypto::base64url(crypto::mac(config.key, text).data(), mac_bytes));
  }
  for (size_t i = 0; i < values->of.size(); ++i) values->members.emplace(values->of[i], i);
  return values;
}

size_t Sticky::named(const http::Fields& fields) const {
  std::string_view value = find_cookie(fields, config_.cookie);
  if (value.empty()) return SIZE_MAX;
  auto found = values_->members.find(value);
  return found == values_->members.end() ? SIZE_MAX : found->second;
}

std::string Sticky::give(size_t used, size_t named, bool tls, const http::Fields& fields) const {
  if (used == named || used >= values_->of.size()) return {};
  if (named != SIZE_MAX) {
    const health::Member& m = pool_.members[named];
    bool full = m.max_connections > 0 && m.state->in_flight.load(std::memory_order_relaxed) >= m.max_connections;
    if (full && pool_.takes(m)) return {};
  }
  if (is_public(fields)) return {};
  std::string field = config_.cookie + "=" + values_->of[used] + "; Path=" + config_.path;
  if (config_.ttl_s > 0) field += "; Max-Age=" + std::to_string(config_.ttl_s);
  if (config_.secure == "always" || (config_.secure == "auto" && tls)) field += "; Secure";
  if (config_.http_only) field += "; HttpOnly";
  field += config_.same_site == "strict" ? "; SameSite=Strict"
           : config_.same_site == "none" ? "; SameSite=None"
                                         : "; SameSite=Lax";
  return field;
}

}  // namespace portolan::proxy
