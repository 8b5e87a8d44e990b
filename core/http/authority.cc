#include "core/http/authority.hh"

#include <algorithm>

namespace portolan::http {
namespace {

std::string_view default_port(std::string_view scheme) {
  return scheme == "https" ? "443" : scheme == "http" ? "80" : "";
}

}  // namespace

std::string_view lower_case(std::string_view text, Text& lowered) {
  auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::none_of(text.begin(), text.end(), capital)) return text;
  lowered.assign(text);
  for (char& c : lowered)
    if (capital(c)) c = static_cast<char>(c + 32);
  return lowered;
}

std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

std::string_view normal_authority(std::string_view authority, std::string_view scheme, Text& storage) {
  authority = lower_case(authority, storage);
  std::string_view name = without_port(authority);
  if (name.size() < authority.size() && authority[name.size()] != ':')
    return authority;  // none that could be asked for
  std::string_view port = authority.substr(std::min(authority.size(), name.size() + 1));
  const size_t written = port.size();
  while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
  const bool kept = !port.empty() && port != default_port(scheme);
  const bool dot = name.size() > 1 && name.ends_with('.');
  if (!kept) return dot ? name.substr(0, name.size() - 1) : name;
  if (!dot && port.size() == written) return authority;
  Text joined(name.substr(0, name.size() - (dot ? 1 : 0)));
  joined.push_back(':');
  joined.append(port);
  storage = std::move(joined);
  return storage;
}

std::string_view with_port(std::string_view normal, std::string_view scheme, Text& storage) {
  if (without_port(normal).size() < normal.size()) return normal;
  storage.assign(normal);
  storage.push_back(':');
  storage.append(default_port(scheme));
  return storage;
}

bool has_sound_labels(std::string_view host) {
  return !host.starts_with('.') && host.find("..") == std::string_view::npos;
}

}  // namespace portolan::http
