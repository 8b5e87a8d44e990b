#include "edge/purge/purge.hh"

#include <algorithm>

#include "core/http/authority.hh"
#include "core/http/semantics.hh"
#include "edge/purge/digest.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

constexpr std::string_view blanks = " \t";

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

// "host" or "host:port" as a request could name it, so that there is one spelling of it.
bool sound_authority(std::string_view text) {
  std::string_view name = http::without_port(text), port = text.substr(name.size());
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!port.empty() && port.front() != ':') return false;
  if (!port.empty()) port.remove_prefix(1);
  if (!std::all_of(port.begin(), port.end(), digit)) return false;
  while (port.size() > 1 && port.starts_with('0')) port.remove_prefix(1);
  if (port.size() > 5) return false;
  if (name.starts_with('['))
    return name.ends_with(']') && name.find_first_not_of("0123456789abcdefABCDEF:.", 1) == name.size() - 1;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.ends_with('.')) return false;
  return http::has_sound_labels(name) && std::all_of(name.begin(), name.end(), [&](char c) {
           auto letter = static_cast<char>(c | 0x20);
           return digit(c) || (letter >= 'a' && letter <= 'z') || c == '.' || c == '-' || c == '_' || (c & 0x80) != 0;
         });
}

// parse_url() of what names such a host.
std::optional<Url> parse_sound(const std::string& text) {
  size_t begin = text.find("://");
  if (begin == std::string::npos) return std::nullopt;
  std::string_view authority = std::string_view(text).substr(begin + 3);
  if (!sound_authority(authority.substr(0, authority.find_first_of("/?#")))) return std::nullopt;
  return parse_url(text);
}

// "host/path", whatever scheme stands before it: the authority as keys have it, the path as it is.
std::optional<Url> parse_place(std::string_view text) {
  std::string whole(text);
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || text.find_first_of("/?#") < scheme) whole = "http://" + whole;
  auto url = parse_sound(whole);
  if (!url) return url;
  // It is of both schemes: a port that is given is that port, whichever one's default it is.
  std::string_view authority = std::string_view(whole).substr(whole.find("://") + 3);
  Text storage;
  url->authority = http::normal_authority(authority.substr(0, authority.find_first_of("/?#")), "", storage);
  return url;
}

Result<Purge> normal_url(Purge purge) {
  auto url = parse_sound(purge.value);
  if (!url) return Error{"\"" + purge.value + "\" is not a URL such as https://host/path?query", 400};
  purge.value = url->scheme + "://" + url->authority + url->path;
  if (url->query) purge.value += "?" + *url->query;
  return purge;
}

Result<Purge> normal_prefix(Purge purge) {
  auto place = parse_place(purge.value);
  size_t mark = purge.value.find_first_of("?#");
  if (!place || mark != std::string::npos)
    return Error{"\"" + purge.value + "\" is not a prefix such as host/path, without a query", 400};
  if (place->path.size() > Purge::longest_path)
    return Error{"the path of a prefix has at most " + std::to_string(Purge::longest_path) + " bytes", 400};
  purge.value = place->authority + place->path;
  return purge;
}

Result<Purge> normal_host(Purge purge) {
  auto place = parse_place(purge.value);
  if (!place || place->query || (place->path != "/") || purge.value.find('#') != std::string::npos)
    return Error{"\"" + purge.value + "\" is not a host such as www.example.com", 400};
  purge.value = place->authority;
  return purge;
}

void split(std::string_view text, std::string_view separators, std::vector<uint64_t>& out) {
  while (!text.empty()) {
    size_t end = std::min(text.find_first_of(separators), text.size());
    std::string_view tag = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!tag.empty() && blanks.find(tag.front()) != std::string_view::npos) tag.remove_prefix(1);
    while (!tag.empty() && blanks.find(tag.back()) != std::string_view::npos) tag.remove_suffix(1);
    if (!tag.empty()) out.push_back(tag_digest(tag));
  }
}

bool named(const http::Field& f, std::string_view name) {
  return f.id == http::FieldId::other && http::equal_ignoring_case(f.name, name);
}

}  // namespace

const char* name_of(PurgeKind kind) {
  switch (kind) {
    case PurgeKind::url:
      return "url";
    case PurgeKind::prefix:
      return "prefix";
    case PurgeKind::host:
      return "host";
    case PurgeKind::tag:
      return "tag";
    case PurgeKind::all:
      return "all";
  }
  return "";
}

Result<Purge> normalised(Purge purge) {
  if (purge.value.size() > Purge::longest_value)
    return Error{std::string("a ") + name_of(purge.kind) + " to purge has at most 8192 bytes", 400};
  switch (purge.kind) {
    case PurgeKind::url:
      if (!printable(purge.value)) break;
      return normal_url(std::move(purge));
    case PurgeKind::prefix:
      if (!printable(purge.value)) break;
      return normal_prefix(std::move(purge));
    case PurgeKind::host:
      if (!printable(purge.value)) break;
      return normal_host(std::move(purge));
    case PurgeKind::tag:
      if (purge.value.empty() || purge.value.find_first_of("\r\n") != std::string::npos) break;
      return purge;
    case PurgeKind::all:
      purge.value.clear();
      return purge;
  }
  return Error{std::string("\"") + purge.value + "\" is not a " + name_of(purge.kind) + " to purge", 400};
}

PurgeTags purge_tags(const http::Fields& response) {
  return updated_tags({}, response);
}

bool is_tag_field(const http::Field& field) {
  return named(field, surrogate_key) || named(field, cache_tag);
}

PurgeTags updated_tags(const PurgeTags& old, const http::Fields& response) {
  PurgeTags out;
  std::vector<uint64_t> others;
  bool surrogates = false, tags = false;
  for (const http::Field& f : response) {
    if (named(f, surrogate_key)) {
      surrogates = true;
      split(f.value, blanks, out.digests);
    } else if (named(f, cache_tag)) {
      tags = true;
      split(f.value, ",", others);
    }
  }
  auto middle = old.digests.begin() + old.surrogates;
  if (!surrogates) out.digests.assign(old.digests.begin(), middle);
  if (!tags) others.assign(middle, old.digests.end());
  out.surrogates = static_cast<uint32_t>(out.digests.size());
  out.digests.insert(out.digests.end(), others.begin(), others.end());
  return out;
}

}  // namespace portolan::edge
