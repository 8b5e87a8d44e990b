#include "daemon/purge_access.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/clock.hh"
#include "core/base/log.hh"
#include "core/http/message.hh"
#include "daemon/files.hh"

namespace portolan::daemon {
namespace {

constexpr size_t largest_file = 1 << 20;

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool read_hash(std::string_view text, crypto::MacKey& out) {
  if (text.size() != 2 * out.size()) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return true;
}

std::string_view view(const crypto::MacKey& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, line.find('#'));
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  return line;
}

}  // namespace

bool is_token_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

std::shared_ptr<const PurgeTokens> PurgeTokens::parse(std::string_view text, const std::string& file,
                                                      std::vector<std::string>& errors) {
  auto tokens = std::make_shared<PurgeTokens>();
  for (int number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    size_t colon = std::min(line.find(':'), line.size());
    Token token{std::string(line.substr(0, colon)), {}};
    auto same = [&](const Token& t) { return t.name == token.name; };
    if (!is_token_name(token.name))
      errors.push_back(
          fmt::format("{}:{}: not NAME:HASH; make the line with `portolan purge-token NAME`", file, number));
    else if (!read_hash(line.substr(std::min(colon + 1, line.size())), token.hash))
      errors.push_back(
          fmt::format("{}:{}: the hash of {} is not a SHA-256 of 64 hexadecimal digits; make the line with "
                      "`portolan purge-token {}`",
                      file, number, token.name, token.name));
    else if (std::any_of(tokens->tokens_.begin(), tokens->tokens_.end(), same))
      errors.push_back(fmt::format("{}:{}: a second {}; give it another name", file, number, token.name));
    else
      tokens->tokens_.push_back(std::move(token));
  }
  return tokens;
}

std::string_view PurgeTokens::find(std::string_view token) const {
  crypto::MacKey hash = crypto::key_from(token);
  std::string_view found;
  for (const Token& t : tokens_)
    if (crypto::equal(view(t.hash), view(hash))) found = t.name;
  return token.size() < shortest ? std::string_view() : found;
}

NewPurgeToken new_purge_token(const std::string& name) {
  unsigned char bytes[32];
  system_entropy(bytes, sizeof bytes);
  NewPurgeToken made{crypto::base64url(bytes, sizeof bytes), name + ":"};
  for (unsigned char byte : crypto::key_from(made.token)) made.line += fmt::format("{:02x}", byte);
  return made;
}

std::shared_ptr<const PurgeTokens> read_purge_tokens(const PurgeConfig& config, std::vector<std::string>& errors) {
  if (config.tokens_file.empty()) return nullptr;
  auto text = read_file(config.tokens_file, largest_file);
  if (text) return PurgeTokens::parse(*text, config.tokens_file, errors);
  errors.push_back((config.where.empty() ? "" : config.where + ": ") +
                   "tokens_file in [server.purge]: " + text.error().text);
  return nullptr;
}

void PurgeAccess::use(std::shared_ptr<const PurgeTokens> tokens, const PurgeConfig& config) {
  tokens_ = std::move(tokens);
  if (tokens_ && tokens_->size() == 0)
    log::warning("the tokens_file holds no token: nobody purges by one", {{"file", config.tokens_file}});
  a_ms_ = static_cast<double>(config.rate.requests) * 1000 / static_cast<double>(config.rate.period_us);
  depth_ = static_cast<double>(config.depth());
}

std::string_view PurgeAccess::admit(std::string_view authorization) const {
  constexpr std::string_view scheme = "bearer ";
  if (!tokens_ || authorization.size() <= scheme.size()) return {};
  if (!http::equal_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return {};
  authorization.remove_prefix(scheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return tokens_->find(authorization);
}

int64_t PurgeAccess::take(const std::string& name, size_t purges, int64_t now_ms) {
  auto [at, fresh] = buckets_.emplace(name, Bucket{depth_, now_ms});
  Bucket& bucket = at->second;
  bucket.tokens = std::min(depth_, bucket.tokens + static_cast<double>(now_ms - bucket.at_ms) * a_ms_);
  bucket.at_ms = now_ms;
  auto asked = static_cast<double>(purges);
  double needed = std::min(asked, depth_);
  if (bucket.tokens < needed) return static_cast<int64_t>(std::ceil((needed - bucket.tokens) / a_ms_));
  bucket.tokens -= asked;
  return 0;
}

}  // namespace portolan::daemon
