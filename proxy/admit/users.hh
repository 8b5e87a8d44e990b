#pragma once
// A users file in htpasswd's form: lines of name:hash, where what follows a second colon is a comment; empty lines and
// lines that begin with # say nothing. Immutable; any thread.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"

namespace portolan::proxy {

class Users {
 public:
  // Errors are "FILE:LINE: what; remedy", one a mistake.
  static std::shared_ptr<const Users> parse(std::string_view text, const std::string& file,
                                            std::vector<std::string>& errors);

  uint64_t id() const { return id_; }  // no other file, and no other reading of this one, has it
  size_t size() const { return hashes_.size(); }
  const std::string* find(std::string_view name) const;  // the hash; nullptr: nobody has that name
  // Some user's hash, the same for the same name: checking it takes as long as checking one that is there.
  const std::string& decoy(std::string_view name) const;

 private:
  void add_line(std::string_view line, const std::string& place, std::vector<std::string>& errors);
  uint64_t id_ = 0;
  std::map<std::string, std::string, std::less<>> hashes_;
  std::map<std::string, std::string, std::less<>> places_;  // while it is read
  std::vector<const std::string*> all_;
};

// What `Authorization: Basic` says (RFC 7617 §2). Strict: padded base64 and nothing else, a colon, no control characters,
// at most 255 bytes each of name and password. Allocates nothing; its destructor wipes it.
class Credentials {
 public:
  enum class Read : uint8_t { none, ok, malformed };  // none: another scheme, or nothing
  Credentials() = default;
  Credentials(std::string_view user, std::string_view password);
  ~Credentials();
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  Read read(std::string_view authorization);
  std::string_view user() const { return {text_, user_size_}; }
  std::string_view password() const { return {text_ + user_size_ + 1, size_ - user_size_ - 1}; }

  static constexpr size_t capacity = 512;

 private:
  char text_[capacity] = ":";  // user:password
  size_t size_ = 1, user_size_ = 0;
};

}  // namespace portolan::proxy
