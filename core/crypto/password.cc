#include "core/crypto/password.hh"

#include <crypt.h>
#include <openssl/crypto.h>

#include <charconv>
#include <memory>

namespace portolan::crypto {
namespace {

constexpr std::string_view salt_alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr const char* remedy = "; make one with `htpasswd -B` or `openssl passwd -6`";

bool all_of(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

Error unusable(const std::string& what) {
  return Error{what + remedy};
}

// "$2y$10$" and 53 more: 22 of the salt, 31 of the hash.
Status check_bcrypt(std::string_view hash) {
  int cost = 0;
  std::string_view digits = hash.substr(4, 2);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), cost);
  bool formed = hash.size() == 60 && error == std::errc() && end == digits.data() + 2 && hash[6] == '$' && cost >= 4 &&
                cost <= 31 && all_of(hash.substr(7), salt_alphabet);
  if (!formed) return unusable("the bcrypt hash is incomplete or damaged");
  if (cost > costliest_bcrypt)
    return Error{"the bcrypt hash has cost " + std::to_string(cost) + ", at most " + std::to_string(costliest_bcrypt) +
                 " are taken: a client would wait for seconds"};
  return {};
}

// "$6$salt$hash" or "$6$rounds=N$salt$hash".
Status check_sha512(std::string_view hash) {
  std::string_view rest = hash.substr(3);
  constexpr std::string_view rounds_key = "rounds=";
  if (rest.starts_with(rounds_key)) {
    long rounds = 0;
    rest.remove_prefix(rounds_key.size());
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), rounds);
    if (error != std::errc() || end == rest.data() + rest.size() || *end != '$' || rounds < 1000)
      return unusable("the SHA-512 hash is incomplete or damaged");
    if (rounds > most_sha512_rounds)
      return Error{"the SHA-512 hash has " + std::to_string(rounds) + " rounds, at most " +
                   std::to_string(most_sha512_rounds) + " are taken: a client would wait for seconds"};
    rest.remove_prefix(static_cast<size_t>(end - rest.data()) + 1);
  }
  size_t dollar = rest.find('$');
  bool formed = dollar != std::string_view::npos && dollar > 0 && dollar <= 16 && rest.size() - dollar - 1 == 86 &&
                all_of(rest.substr(dollar + 1), salt_alphabet);
  if (!formed) return unusable("the SHA-512 hash is incomplete or damaged");
  return {};
}

}  // namespace

Status check_hash(const std::string& hash) {
  std::string_view h = hash;
  if (h.starts_with("$2b$") || h.starts_with("$2y$") || h.starts_with("$2a$")) return check_bcrypt(h);
  if (h.starts_with("$6$")) return check_sha512(h);
  if (h.starts_with("$apr1$") || h.starts_with("$1$")) return unusable("MD5 hashes are too weak to be taken");
  if (h.starts_with("{SHA}")) return unusable("SHA-1 hashes are too weak to be taken");
  if (h.starts_with("$5$")) return unusable("SHA-256 crypt hashes are not taken");
  if (h.starts_with("$y$") || h.starts_with("$7$")) return unusable("yescrypt and scrypt hashes are not taken");
  if (h.starts_with("$argon2")) return unusable("Argon2 hashes are not taken");
  if (h.starts_with("{") || h.starts_with("$")) return unusable("this kind of hash is not known");
  return unusable(h.empty() ? "the hash is missing" : "a plain password or DES hash is not taken");
}

bool check_password(const std::string& password, const std::string& hash) {
  if (password.size() > longest_password || password.find('\0') != std::string::npos) return false;
  auto data = std::make_unique<crypt_data>();  // 32 KiB; its password is wiped below
  const char* computed = crypt_rn(password.c_str(), hash.c_str(), data.get(), sizeof *data);
  bool good = computed && std::string_view(computed).size() == hash.size() &&
              CRYPTO_memcmp(computed, hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(data.get(), sizeof *data);
  return good;
}

}  // namespace portolan::crypto
