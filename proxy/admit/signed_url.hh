#pragma once
// Signed URLs: links that open a path, or all below a prefix, until a time, and if it is said for one network alone. What
// is signed stands in the query: sig-key, sig-expires (Unix seconds), sig-prefix or none, sig-client or none, and sig, the
// HMAC-SHA-256 in base64url of signed_text(). Pure; any thread.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.hh"
#include "core/base/recycled.hh"
#include "core/base/result.hh"

namespace portolan::proxy {

// A keys file: lines of id:secret, the newest first; empty lines and lines that begin with # say nothing. Each of them
// opens; the first signs. Immutable.
class UrlKeys {
 public:
  struct Key {
    std::string id;  // letters, digits, '-' and '_', at most 32
    std::string secret;
  };
  // Errors are "FILE:LINE: what; remedy", one a mistake.
  static std::shared_ptr<const UrlKeys> parse(std::string_view text, const std::string& file,
                                              std::vector<std::string>& errors);
  const Key* find(std::string_view id) const;  // nullptr: there is none
  const Key& newest() const { return keys_.front(); }
  size_t size() const { return keys_.size(); }

 private:
  std::vector<Key> keys_;
};

struct SignedUrl {
  std::string_view host;    // lower case, without port and final dot
  std::string_view path;    // as asked for
  std::string_view query;   // without what signs; of a prefix it isn't signed
  int64_t expires_s = 0;    // Unix; good up to and including it
  std::string_view prefix;  // not empty: everything below it; begins and ends with '/'
  std::string_view client;  // a network or an address; empty: anybody
};

// "portolan-url-1", the key's id, host, expires, client, prefix and, without a prefix, path and query, each ended by a
// newline, which none of them can hold.
std::string signed_text(std::string_view key_id, const SignedUrl& url);
// The query to ask with: what it is without a signature, and then the signature.
std::string sign(const UrlKeys::Key& key, const SignedUrl& url);

enum class SignatureVerdict : uint8_t { good, bad, expired };
// `query` as it came. `rest` is what remains when what signs is taken out; nullopt: no query.
SignatureVerdict check_signature(const UrlKeys& keys, std::string_view host, std::string_view path,
                                 std::string_view query, const IpAddress& client, int64_t now_s,
                                 std::optional<Text>& rest);

// Takes what signs out of a query, whatever it is worth; false: nothing of it does. `rest` as above.
bool without_signature(std::string_view query, std::optional<Text>& rest);

}  // namespace portolan::proxy
