#include "daemon/sticky_keys.hh"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace portolan::daemon {
namespace {

constexpr size_t fewest_bytes = 32, most_bytes = 4096;

Result<crypto::MacKey> read_key(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{"cannot read " + path + ": " + std::strerror(errno)};
  std::string bytes(most_bytes, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (bytes.size() < fewest_bytes)
    return Error{path + " is no key: it must hold at least 32 bytes, as `openssl rand -base64 32` makes them"};
  return crypto::key_from(bytes);
}

}  // namespace

std::vector<std::string> give_sticky_keys(Config& config, const crypto::MacKey& own) {
  std::vector<std::string> errors;
  for (proxy::PoolConfig& pool : config.pools) {
    if (!pool.sticky) continue;
    pool.sticky->key = own;
    if (pool.sticky->key_file.empty()) continue;
    auto key = read_key(pool.sticky->key_file);
    if (key)
      pool.sticky->key = *key;
    else
      errors.push_back(pool.where + ": key_file in [pool." + pool.name + "].sticky: " + key.error().text);
  }
  return errors;
}

}  // namespace portolan::daemon
