#pragma once
// The keys that session tickets are sealed with (RFC 5077 §4, RFC 8446 §4.6.1): the newest seals, all of them open. One
// set for all workers, kept over a restart, so that a client may come back to any of them. Immutable; any thread.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"

namespace portolan::crypto {

struct TicketKey {
  static constexpr size_t name_size = 16;
  std::array<unsigned char, name_size> name;
  std::array<unsigned char, 32> cipher;  // AES-256-CBC
  std::array<unsigned char, 32> mac;     // HMAC-SHA-256
  int64_t made_s = 0;                    // wall time, seconds since 1970
  ~TicketKey();
};

class TicketKeys {
 public:
  static constexpr int64_t period_s = 12 * 3600;  // a new key seals after this long
  static constexpr size_t most_keys = 3;          // so that a ticket is good for one to one and a half days

  TicketKeys() = default;
  static TicketKeys fresh(int64_t now_s);
  // What write() made; an error where it is something else.
  static Result<TicketKeys> read(std::string_view bytes);
  std::string write() const;

  // These keys, with a new one in front if it is time. `rotated` says so.
  TicketKeys at(int64_t now_s, bool& rotated) const;
  const TicketKey& newest() const { return keys_.front(); }
  const TicketKey* find(const unsigned char* name) const;  // nullptr: none of ours
  bool is_newest(const TicketKey& key) const { return &key == keys_.data(); }
  const std::vector<TicketKey>& all() const { return keys_; }

 private:
  std::vector<TicketKey> keys_;  // the newest first
};

}  // namespace portolan::crypto
