#include "core/crypto/ticket_keys.hh"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "core/base/clock.hh"

namespace portolan::crypto {
namespace {

constexpr std::string_view magic = "portolan tickets 1\n";
constexpr size_t record_size = TicketKey::name_size + 32 + 32 + 8;

TicketKey new_key(int64_t now_s) {
  TicketKey key;
  system_entropy(key.name.data(), key.name.size());
  system_entropy(key.cipher.data(), key.cipher.size());
  system_entropy(key.mac.data(), key.mac.size());
  key.made_s = now_s;
  return key;
}

}  // namespace

TicketKey::~TicketKey() {
  OPENSSL_cleanse(cipher.data(), cipher.size());
  OPENSSL_cleanse(mac.data(), mac.size());
}

TicketKeys TicketKeys::fresh(int64_t now_s) {
  TicketKeys keys;
  keys.keys_.push_back(new_key(now_s));
  return keys;
}

Result<TicketKeys> TicketKeys::read(std::string_view bytes) {
  if (!bytes.starts_with(magic)) return Error{"not a file of ticket keys"};
  bytes.remove_prefix(magic.size());
  size_t count = bytes.size() / record_size;
  if (count == 0 || count > most_keys || bytes.size() % record_size != 0) return Error{"the ticket keys are cut short"};
  TicketKeys keys;
  for (const char* at = bytes.data(); at != bytes.data() + bytes.size();) {
    TicketKey& key = keys.keys_.emplace_back();
    auto take = [&at](void* to, size_t size) {
      std::memcpy(to, at, size);
      at += size;
    };
    take(key.name.data(), key.name.size());
    take(key.cipher.data(), key.cipher.size());
    take(key.mac.data(), key.mac.size());
    take(&key.made_s, sizeof key.made_s);
  }
  return keys;
}

std::string TicketKeys::write() const {
  std::string out(magic);
  auto put = [&out](const void* from, size_t size) { out.append(static_cast<const char*>(from), size); };
  for (const TicketKey& key : keys_) {
    put(key.name.data(), key.name.size());
    put(key.cipher.data(), key.cipher.size());
    put(key.mac.data(), key.mac.size());
    put(&key.made_s, sizeof key.made_s);
  }
  return out;
}

// A key from the future was made under another clock: it is as old as can be.
TicketKeys TicketKeys::at(int64_t now_s, bool& rotated) const {
  TicketKeys next;
  for (const TicketKey& key : keys_)
    if (key.made_s <= now_s && now_s - key.made_s < static_cast<int64_t>(most_keys) * period_s)
      next.keys_.push_back(key);
  rotated = next.keys_.empty() || now_s - next.keys_.front().made_s >= period_s || next.keys_.size() != keys_.size();
  if (next.keys_.empty() || now_s - next.keys_.front().made_s >= period_s)
    next.keys_.insert(next.keys_.begin(), new_key(now_s));
  if (next.keys_.size() > most_keys) next.keys_.resize(most_keys);
  return next;
}

const TicketKey* TicketKeys::find(const unsigned char* name) const {
  for (const TicketKey& key : keys_)
    if (std::memcmp(key.name.data(), name, TicketKey::name_size) == 0) return &key;
  return nullptr;
}

}  // namespace portolan::crypto
