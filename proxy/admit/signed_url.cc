#include "proxy/admit/signed_url.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/crypto/mac.hh"

namespace portolan::proxy {
namespace {

constexpr size_t longest_id = 32;
constexpr size_t shortest_secret = 32;

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= longest_id && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_';
  });
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Clients write "/" as %2F in a parameter, and ":" as %3A. A control character stands in no path.
bool decode(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    int c = static_cast<unsigned char>(text[i]);
    if (c == '%') {
      if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
      c = hex(text[i + 1]) * 16 + hex(text[i + 2]);
      i += 2;
    }
    if (c < 0x20 || c == 0x7f) return false;
    out.push_back(static_cast<char>(c));
  }
  return true;
}

// What of a query signs it.
struct Signature {
  enum Part : size_t { key, expires, prefix, client, mac, parts };
  static constexpr std::array<std::string_view, parts> names = {"sig-key", "sig-expires", "sig-prefix", "sig-client",
                                                                "sig"};
  std::array<std::optional<std::string_view>, parts> said;
  bool twice = false;

  // Takes them out of the query.
  void read(std::string_view query, std::optional<Text>& rest) {
    while (!query.empty()) {
      std::string_view pair = query.substr(0, query.find('&'));
      query.remove_prefix(std::min(pair.size() + 1, query.size()));
      size_t equals = pair.find('=');
      auto at = std::find(names.begin(), names.end(), pair.substr(0, equals));
      if (at == names.end()) {
        if (rest) rest->push_back('&');
        if (!rest) rest.emplace();
        rest->append(pair);
        continue;
      }
      auto& value = said[static_cast<size_t>(at - names.begin())];
      twice = twice || value;
      value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    }
  }
};

bool is_prefix(std::string_view text) {
  return text.starts_with('/') && text.ends_with('/');
}

std::string mac_of(const UrlKeys::Key& key, const SignedUrl& url) {
  crypto::Mac mac = crypto::mac(key.secret, signed_text(key.id, url));
  return crypto::base64url(mac.data(), mac.size());
}

bool is_client(const std::string& network, const IpAddress& client) {
  if (network.empty()) return true;
  auto parsed = IpNetwork::parse(network);
  return parsed && parsed->contains(client);
}

}  // namespace

std::shared_ptr<const UrlKeys> UrlKeys::parse(std::string_view text, const std::string& file,
                                              std::vector<std::string>& errors) {
  auto keys = std::make_shared<UrlKeys>();
  const size_t before = errors.size();
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    auto fail = [&](const std::string& what) { errors.push_back(fmt::format("{}:{}: {}", file, number, what)); };
    size_t colon = line.find(':');
    std::string_view id = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_id(id)) {
      fail("a line must be id:secret, the id of letters, digits, \"-\" and \"_\"");
    } else if (line.size() - colon - 1 < shortest_secret) {
      fail(fmt::format(
          "the secret of key \"{}\" must have at least 32 characters, as `openssl rand -hex 32` makes them", id));
    } else if (keys->find(id)) {
      fail(fmt::format("key \"{}\" is there already", id));
    } else {
      keys->keys_.push_back({std::string(id), std::string(line.substr(colon + 1))});
    }
  }
  if (keys->keys_.empty() && errors.size() == before)
    errors.push_back(file + ":1: there is no key in it; write a line of id:secret");
  return keys;
}

const UrlKeys::Key* UrlKeys::find(std::string_view id) const {
  auto found = std::find_if(keys_.begin(), keys_.end(), [id](const Key& k) { return k.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

std::string signed_text(std::string_view key_id, const SignedUrl& url) {
  std::string target;
  if (url.prefix.empty()) target = fmt::format("{}{}{}", url.path, url.query.empty() ? "" : "?", url.query);
  return fmt::format("portolan-url-1\n{}\n{}\n{}\n{}\n{}\n{}\n", key_id, url.host, url.expires_s, url.client,
                     url.prefix, target);
}

std::string sign(const UrlKeys::Key& key, const SignedUrl& url) {
  std::string out(url.query);
  out += fmt::format("{}sig-key={}&sig-expires={}", out.empty() ? "" : "&", key.id, url.expires_s);
  if (!url.prefix.empty()) out += fmt::format("&sig-prefix={}", url.prefix);
  if (!url.client.empty()) out += fmt::format("&sig-client={}", url.client);
  return out + "&sig=" + mac_of(key, url);
}

bool without_signature(std::string_view query, std::optional<Text>& rest) {
  Signature signature;
  rest.reset();
  signature.read(query, rest);
  return std::any_of(signature.said.begin(), signature.said.end(), [](const auto& s) { return s.has_value(); });
}

SignatureVerdict check_signature(const UrlKeys& keys, std::string_view host, std::string_view path,
                                 std::string_view query, const IpAddress& client, int64_t now_s,
                                 std::optional<Text>& rest) {
  using enum SignatureVerdict;
  Signature signature;
  rest.reset();
  signature.read(query, rest);
  const auto& said = signature.said;
  if (signature.twice || !said[Signature::key] || !said[Signature::expires] || !said[Signature::mac]) return bad;
  const UrlKeys::Key* key = keys.find(*said[Signature::key]);
  if (!key) return bad;
  SignedUrl url{host, path, rest ? std::string_view(*rest) : std::string_view(), 0, {}, {}};
  std::string_view expires = *said[Signature::expires];
  auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), url.expires_s);
  if (error != std::errc() || end != expires.data() + expires.size() || std::to_string(url.expires_s) != expires)
    return bad;
  std::string prefix, network;
  if (!decode(said[Signature::prefix].value_or(""), prefix) || !decode(said[Signature::client].value_or(""), network))
    return bad;
  if (said[Signature::prefix] && !(is_prefix(prefix) && path.starts_with(prefix))) return bad;
  url.prefix = prefix;
  url.client = network;
  if (!crypto::equal(mac_of(*key, url), *said[Signature::mac])) return bad;
  if (!is_client(network, client)) return bad;
  return now_s > url.expires_s ? expired : good;
}

}  // namespace portolan::proxy
