#pragma once
// Who may purge through [server.purge]: tokens of a file, of which it holds hashes, and how fast each of them may.
//
// The file: one NAME:HASH a line, "#" begins a comment. NAME: letters, digits, ".", "-" and "_"; HASH: the token's SHA-256
// in hexadecimal. Tokens are long and random, so that a hash that is quick to make gives nothing away.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/mac.hh"
#include "daemon/config.hh"

namespace portolan::daemon {

class PurgeTokens {
 public:
  static constexpr size_t shortest = 20;  // characters of a token
  // Errors are "FILE:LINE: what; remedy", one a mistake.
  static std::shared_ptr<const PurgeTokens> parse(std::string_view text, const std::string& file,
                                                  std::vector<std::string>& errors);
  // The name of the one that `token` is; empty: of none. Takes as long whichever it is, and however much of one fits.
  std::string_view find(std::string_view token) const;
  size_t size() const { return tokens_.size(); }

 private:
  struct Token {
    std::string name;
    crypto::MacKey hash;
  };
  std::vector<Token> tokens_;
};

// A new token, and the line of the file that is for it.
struct NewPurgeToken {
  std::string token, line;
};
NewPurgeToken new_purge_token(const std::string& name);
bool is_token_name(std::string_view name);

// nullptr without [server.purge].
std::shared_ptr<const PurgeTokens> read_purge_tokens(const PurgeConfig& config, std::vector<std::string>& errors);

// On the control worker. Outlives reloads: nobody gets a full bucket by one.
class PurgeAccess {
 public:
  void use(std::shared_ptr<const PurgeTokens> tokens, const PurgeConfig& config);
  // Of "Bearer TOKEN" (RFC 6750 §2.1); empty: not one that counts.
  std::string_view admit(std::string_view authorization) const;
  // Takes so many purges of a token's; 0, or how long it has to wait for them, in ms, and nothing is taken. More at once
  // than ever fit are taken from a full bucket, whose emptiness then lasts the longer.
  int64_t take(const std::string& name, size_t purges, int64_t now_ms);

 private:
  struct Bucket {
    double tokens = 0;
    int64_t at_ms = 0;
  };
  std::shared_ptr<const PurgeTokens> tokens_;
  double a_ms_ = 0.1, depth_ = 100;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace portolan::daemon
