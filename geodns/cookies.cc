#include "geodns/cookies.hh"

#include <algorithm>
#include <cstring>

namespace portolan::geodns {
namespace {

constexpr size_t server_size = 16;  // version, three reserved bytes, time, hash
constexpr size_t hash_at = 8;       // in it

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool read_secret(std::string_view line, crypto::HashKey& key) {
  if (line.size() != 32) return false;
  uint64_t halves[2] = {0, 0};
  for (size_t i = 0; i < 16; i++) {
    const int high = hex_digit(line[2 * i]), low = hex_digit(line[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    halves[i / 8] |= static_cast<uint64_t>(high << 4 | low) << (8 * (i % 8));
  }
  key = {halves[0], halves[1]};
  return true;
}

// RFC 9018 §4.4. `server` is the first eight bytes of our half.
void put_hash(const crypto::HashKey& key, const uint8_t* client, const uint8_t* server, const IpAddress& ip,
              uint8_t* out) {
  char text[dns::Cookie::client_size + hash_at + 16];
  std::memcpy(text, client, dns::Cookie::client_size);
  std::memcpy(text + dns::Cookie::client_size, server, hash_at);
  std::memcpy(text + dns::Cookie::client_size + hash_at, ip.bytes.data(), ip.size());
  const uint64_t hash = crypto::keyed_hash(key, {text, dns::Cookie::client_size + hash_at + ip.size()});
  for (size_t i = 0; i < 8; i++) out[i] = static_cast<uint8_t>(hash >> (8 * i));
}

}  // namespace

Result<std::vector<crypto::HashKey>> CookieJar::read_secrets(std::string_view text) {
  std::vector<crypto::HashKey> secrets;
  for (size_t number = 1; !text.empty(); number++) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, std::min(text.find('#'), end));
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && std::strchr(" \t\r", line.back())) line.remove_suffix(1);
    if (line.empty()) continue;
    crypto::HashKey key;
    if (!read_secret(line, key))
      return Error{"line " + std::to_string(number) + " is not a secret: 32 hexadecimal digits"};
    secrets.push_back(key);
  }
  if (secrets.empty()) return Error{"there is no secret in it: 32 hexadecimal digits a line"};
  if (secrets.size() > most_secrets) return Error{"more than 8 secrets"};
  return secrets;
}

CookieJar::Standing CookieJar::answer(const dns::Cookie& cookie, const IpAddress& client, uint32_t now_s,
                                      dns::OptReply& reply) const {
  Standing standing = Standing::stranger;
  uint32_t age_s = 0;
  if (cookie.server_size == server_size && cookie.server[0] == 1) {
    const uint32_t made_s = dns::load32(cookie.server + 4);
    age_s = now_s - made_s;  // RFC 1982's arithmetic: below zero it is very old
    const bool timely = age_s <= oldest_s || made_s - now_s <= ahead_s;
    for (size_t i = 0; timely && i < secrets_.size() && standing != Standing::known; i++) {
      uint8_t hash[8];
      put_hash(secrets_[i], cookie.client, cookie.server, client, hash);
      if (std::memcmp(hash, cookie.server + hash_at, sizeof hash) != 0) continue;
      standing = Standing::known;
      if (i != 0) age_s = oldest_s;  // made by an old secret: time for a new one
    }
  }
  reply.has_cookie = true;
  reply.bad_cookie = standing == Standing::stranger && cookie.server_size > 0;
  std::memcpy(reply.cookie, cookie.client, dns::Cookie::client_size);
  uint8_t* server = reply.cookie + dns::Cookie::client_size;
  if (standing == Standing::known && age_s <= fresh_s) {
    std::memcpy(server, cookie.server, server_size);
    return standing;
  }
  std::memset(server, 0, hash_at);
  server[0] = 1;
  dns::store32(server + 4, now_s);
  put_hash(secrets_.front(), cookie.client, server, client, server + hash_at);
  return standing;
}

}  // namespace portolan::geodns
