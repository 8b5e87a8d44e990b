#include "proxy/steering.hh"

#include <xxhash.h>

#include "core/http/semantics.hh"
#include "proxy/shards.hh"
#include "proxy/sticky.hh"

namespace portolan::proxy {
std::string_view key_text(const KeyConfig& config, const http::RequestHead& head) {
  switch (config.by) {
    case KeyConfig::By::client_address:
      return {};
    case KeyConfig::By::path:
      return head.path;
    case KeyConfig::By::header:
      return head.fields.find(config.name).value_or("");
    case KeyConfig::By::cookie:
      return find_cookie(head.fields, config.name);
    case KeyConfig::By::query:
      return find_parameter(head.query, config.name);
  }
  return {};
}

std::string_view find_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name))
      return pair.substr(name.size() + 1);
  }
  return {};
}

namespace {

uint64_t hashed(std::string_view text, const IpAddress& client, uint64_t seed) {
  if (!text.empty()) return XXH3_64bits_withSeed(text.data(), text.size(), seed);
  return XXH3_64bits_withSeed(client.bytes.data(), client.size(), seed);
}

}  // namespace

uint64_t key_of(const HashConfig& config, const http::RequestHead& head, const IpAddress& client) {
  uint64_t seed = config.seed.empty() ? 0 : XXH3_64bits(config.seed.data(), config.seed.size());
  return hashed(key_text(config.key, head), client, seed);
}

uint32_t slot_of(const KeyConfig& config, const http::RequestHead& head, const IpAddress& client) {
  std::string_view text = key_text(config, head);
  if (text.empty() && config.by != KeyConfig::By::client_address) return ShardsConfig::slots;
  return slot_of(hashed(text, client, 0));
}

}  // namespace portolan::proxy
