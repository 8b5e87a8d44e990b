// Keys: what makes two requests ask for the same, and the URLs that purges and invalidations name.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>

#include "core/http/authority.hh"
#include "core/http/semantics.hh"
#include "edge/device.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

void append_part(std::string& out, std::string_view text) {
  char digits[20];
  char* end = digits;
  if (text.size() < 10) {  // most are short, and this is on the way of every hit
    *end++ = static_cast<char>('0' + text.size());
  } else {
    end = std::to_chars(digits, digits + sizeof digits, text.size()).ptr;
  }
  *end++ = ':';
  out.append(digits, static_cast<size_t>(end - digits)).append(text);
}

void append_optional(std::string& out, std::optional<std::string_view> text) {
  if (text) {
    append_part(out, *text);
  } else {
    out += '-';
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

// Takes the next part off; nullopt: "-", or the end.
std::optional<std::string_view> take_part(std::string_view& key) {
  size_t size = 0;
  auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), size);
  auto digits = static_cast<size_t>(end - key.data());
  if (error != std::errc() || size > key.size() || digits + 1 + size > key.size()) {
    key.remove_prefix(std::min<size_t>(1, key.size()));
    return std::nullopt;
  }
  std::string_view part = key.substr(digits + 1, size);
  key.remove_prefix(digits + 1 + size);
  return part;
}

std::string_view parameter_name(std::string_view pair) {
  return pair.substr(0, pair.find('='));
}

// RFC 3986 §5.2.4, of a path that begins with a slash.
std::string without_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    std::string_view segment = path.substr(0, path.find('/', 1));
    path.remove_prefix(segment.size());
    const bool up = segment == "/..";
    if (up) out.resize(out.empty() ? 0 : out.rfind('/'));
    if (!up && segment != "/.") {
      out += segment;
    } else if (path.empty()) {
      out += '/';
    }
  }
  return out;
}

}  // namespace

std::string key_mark(const CacheConfig& config) {
  if (config.key_headers.empty() && config.key_cookies.empty() && !config.key_device && !config.key_country) return {};
  std::string text = fmt::format("{:d}{:d}", config.key_device, config.key_country);
  for (const std::string& name : config.key_headers) append_part(text, name);
  text += '|';
  std::vector<std::string> cookies = config.key_cookies;  // which come in the order that clients send them
  std::sort(cookies.begin(), cookies.end());
  for (const std::string& name : cookies) append_part(text, name);
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

std::optional<std::string> kept_query(const Rules& rules, std::optional<std::string_view> query) {
  const QueryKey& rule = rules.config.query;
  const bool sort = rules.config.sort_query;
  if (!query || rule.mode == QueryKey::Mode::none) return std::nullopt;
  if (rule.mode == QueryKey::Mode::all && !sort) return std::string(*query);
  std::vector<std::string_view> pairs;
  std::string_view rest = *query;
  while (!rest.empty()) {
    std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    bool keep = !pair.empty();
    if (keep && rule.mode != QueryKey::Mode::all)
      keep = name_listed(rule.names, parameter_name(pair)) == (rule.mode == QueryKey::Mode::allow);
    if (keep) pairs.push_back(pair);
  }
  if (pairs.empty()) return std::nullopt;
  if (sort)
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](std::string_view a, std::string_view b) { return parameter_name(a) < parameter_name(b); });
  std::string out;
  out.reserve(query->size());
  for (std::string_view pair : pairs) out.append(out.empty() ? "" : "&").append(pair);
  return out;
}

void compose_url_key(const Rules& rules, std::string_view scheme, std::string_view authority, std::string_view path,
                     std::optional<std::string_view> query, std::string& out) {
  append_part(out, scheme);
  append_part(out, authority);
  append_part(out, path);
  if (rules.config.query.mode == QueryKey::Mode::all && !rules.config.sort_query) {
    append_optional(out, query);  // the usual way: no allocation
  } else {
    append_optional(out, kept_query(rules, query));
  }
}

size_t compose_key(const Rules& rules, const RequestView& request, std::string& out) {
  const http::RequestHead& head = request.head;
  const CacheConfig& config = rules.config;
  out.clear();
  std::optional<std::string_view> query;
  if (head.has_query) query = head.query;
  compose_url_key(rules, request.scheme, request.authority, head.path, query, out);
  const size_t primary = out.size();
  if (!request.route.empty() || !request.pool.empty()) {
    append_part(out, request.route);
    append_part(out, request.pool);
  }
  if (rules.key_mark.empty()) return primary;
  out += '|';
  append_part(out, rules.key_mark);
  if (config.key_device) append_part(out, device_class(head.fields));
  if (config.key_country) append_part(out, request.country);
  for (const std::string& name : config.key_headers) {
    thread_local std::string values;
    values.clear();
    vary_value(name, head.fields, values);
    append_part(out, values);
  }
  if (config.key_cookies.empty()) return primary;
  for (const http::Field& f : head.fields) {
    if (f.id != http::FieldId::cookie) continue;
    http::ListCursor pairs(f.value, ';');
    for (std::string_view pair; pairs.next(pair);)
      if (name_listed(config.key_cookies, cookie_name(pair))) append_part(out, pair);
  }
  return primary;
}

KeyParts split_key(std::string_view key) {
  KeyParts out;
  std::string_view rest = key;
  for (std::string_view* part : {&out.scheme, &out.authority, &out.path}) *part = take_part(rest).value_or("");
  take_part(rest);  // the query
  out.primary = key.substr(0, key.size() - rest.size());
  return out;
}

std::string url_of(std::string_view key) {
  std::string out;
  for (const char* behind : {"://", "", ""}) out.append(take_part(key).value_or("")).append(behind);
  if (auto query = take_part(key)) out.append("?").append(*query);
  return out;
}

std::string key_text(std::string_view key) {
  std::string out;
  for (const char* between : {"", " ", " "}) out.append(between).append(take_part(key).value_or(""));
  if (auto query = take_part(key)) out.append("?").append(*query);
  while (!key.empty()) {
    auto part = take_part(key);
    if (!part || part->empty()) continue;
    out += " ";
    std::replace_copy(part->begin(), part->end(), std::back_inserter(out), '\n', ' ');
  }
  return out;
}

std::string key_for_people(const Rules& rules, std::string_view key) {
  std::string out, more;
  for (const char* behind : {"://", "", ""}) out.append(take_part(key).value_or("")).append(behind);
  if (auto query = take_part(key)) out.append("?").append(*query);
  auto name = [&more](std::string_view what, std::string_view value) {
    more.append(more.empty() ? "" : "; ").append(what).append(": ").append(value.empty() ? "(none)" : value);
  };
  const CacheConfig& config = rules.config;
  if (!key.empty() && key[0] != '|') {
    if (auto route = take_part(key); route && !route->empty()) name("route", *route);
    if (auto pool = take_part(key); pool && !pool->empty()) name("pool", *pool);
  }
  key.remove_prefix(std::min<size_t>(1, key.size()));  // the '|'
  if (!key.empty() && take_part(key) != rules.key_mark) {
    name("key", "of other rules");
    key = {};
  }
  if (config.key_device && !key.empty()) name("device", take_part(key).value_or(""));
  if (config.key_country && !key.empty()) name("country", take_part(key).value_or(""));
  for (auto header = config.key_headers.begin(); header != config.key_headers.end() && !key.empty(); ++header)
    more.append(more.empty() ? "" : "; ").append(vary_text(*header + "\n", take_part(key).value_or("")));
  while (!key.empty())
    if (auto pair = take_part(key)) name("cookie", *pair);
  if (!more.empty()) out.append(" (").append(more).append(")");
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::optional<Url> parse_url(std::string_view text) {
  size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  Url url;
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return std::nullopt;
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));
  size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  if (size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  Text storage;
  url.authority = http::normal_authority(authority, url.scheme, storage);
  if (url.authority.empty() || !http::has_sound_labels(url.authority)) return std::nullopt;
  text.remove_prefix(end);
  size_t mark = text.find('?');
  url.path = text.substr(0, mark);
  if (url.path.empty()) url.path = "/";
  if (mark != std::string_view::npos) url.query = std::string(text.substr(mark + 1));
  return url;
}

std::optional<Url> resolve(const RequestView& request, std::string_view reference) {
  const http::RequestHead& head = request.head;
  std::optional<Url> url;
  reference = reference.substr(0, reference.find('#'));
  if (reference.find("://") < reference.find_first_of("/?")) {
    url = parse_url(reference);
  } else if (reference.starts_with("//")) {
    url = parse_url(fmt::format("{}:{}", request.scheme, reference));
  } else {
    std::string target(reference);
    if (reference.empty() || reference.starts_with("?")) {
      target = fmt::format("{}{}{}{}", head.path, reference.empty() && head.has_query ? "?" : "",
                           reference.empty() ? head.query : "", reference);
    } else if (!reference.starts_with("/")) {
      target = fmt::format("{}{}", head.path.substr(0, head.path.rfind('/') + 1), reference);
    }
    url = parse_url(fmt::format("{}://{}{}", request.scheme, request.authority, target));
    if (reference.empty() || reference.starts_with("?")) return url;  // the path it has
  }
  if (url) url->path = without_dot_segments(url->path);
  return url;
}

}  // namespace portolan::edge
