#include "proxy/admit/users.hh"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "core/crypto/password.hh"
#include "core/http/message.hh"

namespace portolan::proxy {
namespace {

constexpr size_t longest_name = 255;
constexpr size_t longest_decoded = longest_name + 1 + crypto::longest_password;
static_assert(longest_decoded < Credentials::capacity);

bool has_control(std::string_view text) {
  for (char c : text)
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

constexpr std::array<int8_t, 256> base64_values = [] {
  std::array<int8_t, 256> t{};
  t.fill(-1);
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < alphabet.size(); ++i) t[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  return t;
}();

// RFC 4648 §4, with its padding and with zeroes where bits are left over: one text is written in one way alone. How many
// bytes it is; 0: not so, or more than fit.
size_t decode_base64(std::string_view text, char* out, size_t room) {
  if (text.empty() || text.size() % 4 != 0 || text.size() / 4 * 3 > room + 2) return 0;
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() / 4 * 3 - padding > room) return 0;
  text.remove_suffix(padding);
  uint32_t bits = 0;
  size_t size = 0;
  unsigned count = 0;
  for (char c : text) {
    int8_t value = base64_values[static_cast<uint8_t>(c)];
    if (value < 0) return 0;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out[size++] = static_cast<char>(bits >> count);
  }
  return (bits & ((1u << count) - 1)) == 0 && count == padding * 2 ? size : 0;
}

}  // namespace

std::shared_ptr<const Users> Users::parse(std::string_view text, const std::string& file,
                                          std::vector<std::string>& errors) {
  static std::atomic<uint64_t> last_id{0};
  auto users = std::make_shared<Users>();
  users->id_ = ++last_id;
  size_t before = errors.size();
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && line.front() != '#') users->add_line(line, file + ":" + std::to_string(number), errors);
  }
  if (users->hashes_.empty() && errors.size() == before)
    errors.push_back(file + ":1: there is nobody in it; add users with `htpasswd -B " + file + " NAME`");
  users->places_.clear();
  for (const auto& [name, hash] : users->hashes_) users->all_.push_back(&hash);
  return users;
}

void Users::add_line(std::string_view line, const std::string& place, std::vector<std::string>& errors) {
  auto fail = [&](const std::string& what) { errors.push_back(place + ": " + what); };
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return fail("a line must be name:hash");
  std::string name(line.substr(0, colon));
  std::string_view rest = line.substr(colon + 1);
  std::string hash(rest.substr(0, rest.find(':')));
  if (has_control(name)) return fail("a name must not have control characters");
  if (name.size() > longest_name) return fail("a name may have 255 bytes");
  if (Status usable = crypto::check_hash(hash); !usable) return fail("user \"" + name + "\": " + usable.error().text);
  auto [it, fresh] = places_.emplace(name, place);
  if (!fresh) return fail("user \"" + name + "\" stands at " + it->second + " already");
  hashes_.emplace(std::move(name), std::move(hash));
}

const std::string* Users::find(std::string_view name) const {
  auto found = hashes_.find(name);
  return found == hashes_.end() ? nullptr : &found->second;
}

const std::string& Users::decoy(std::string_view name) const {
  return *all_[std::hash<std::string_view>()(name) % all_.size()];
}

Credentials::Credentials(std::string_view user, std::string_view password) {
  user_size_ = user.copy(text_, longest_name);
  text_[user_size_] = ':';
  size_ = user_size_ + 1 + password.copy(text_ + user_size_ + 1, crypto::longest_password);
}

Credentials::~Credentials() {
  ::explicit_bzero(text_, sizeof text_);
}

Credentials::Read Credentials::read(std::string_view authorization) {
  constexpr std::string_view scheme = "basic";
  size_t space = authorization.find(' ');
  if (!http::equal_ignoring_case(authorization.substr(0, space), scheme)) return Read::none;
  if (space == std::string_view::npos) return Read::malformed;
  std::string_view encoded = authorization.substr(space);
  encoded.remove_prefix(std::min(encoded.find_first_not_of(' '), encoded.size()));
  size_t size = decode_base64(encoded, text_, longest_decoded);
  std::string_view text(text_, size);
  size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon > longest_name || size - colon - 1 > crypto::longest_password ||
      has_control(text))
    return Read::malformed;
  user_size_ = colon;
  size_ = size;
  return Read::ok;
}

}  // namespace portolan::proxy
