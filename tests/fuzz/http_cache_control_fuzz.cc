// Cache-Control lines: read as a slow reference reads them, however they are divided into lines and elements, in either
// case of letters, and again after they are written from what was read.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

#include "core/http/semantics.hh"

namespace {

using portolan::http::CacheDirectives;
using Strings = std::vector<std::string>;

void check(bool good) {
  if (!good) std::abort();
}

bool blank(char c) {
  return c == ' ' || c == '\t';
}

std::string trim(std::string text) {
  while (!text.empty() && blank(text.back())) text.pop_back();
  while (!text.empty() && blank(text.front())) text.erase(0, 1);
  return text;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

// One character after the other; `open`: a quoted string doesn't end.
Strings elements(const std::string& text, bool& open) {
  Strings out(1);
  enum { plain, quoted, escaped } state = plain;
  for (char c : text) {
    if (state == plain && c == ',') {
      out.emplace_back();
      continue;
    }
    out.back() += c;
    if (state == escaped)
      state = quoted;
    else if (state == quoted)
      state = c == '"' ? plain : c == '\\' ? escaped : quoted;
    else if (c == '"')
      state = quoted;
  }
  open = state != plain;
  for (std::string& e : out) e = trim(e);
  std::erase(out, "");
  return out;
}

bool token(const std::string& text) {
  for (char c : text)
    if (!std::isalnum(static_cast<unsigned char>(c)) && !std::strchr("!#$%&'*+-.^_`|~", c)) return false;
  return !text.empty() && text.find('\0') == std::string::npos;
}

// A token or a whole quoted string, without its quotes and escapes.
bool plain_of(const std::string& text, std::string& out) {
  if (token(text)) return out = text, true;
  if (text.size() < 2 || text.front() != '"') return false;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1 == text.size();
    if (text[i] == '\\' && ++i == text.size()) return false;
    out += text[i];
  }
  return false;
}

uint32_t delta(const std::string* value, uint32_t otherwise) {
  if (!value) return otherwise;
  std::string digits = *value;
  if (digits.size() >= 2 && digits.front() == '"' && digits.back() == '"') digits = digits.substr(1, digits.size() - 2);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return otherwise;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits.size() > 10 ? 1u << 31 : static_cast<uint32_t>(std::min(std::stoull(digits), 1ull << 31));
}

void least(std::optional<uint32_t>& kept, uint32_t value) {
  kept = std::min(kept.value_or(value), value);
}

void qualified(const std::string* value, bool& whole, Strings& names) {
  std::string text;
  bool open = false, any = false;
  if (value && plain_of(*value, text))
    for (const std::string& name : elements(text, open)) {
      if (token(name)) {
        names.push_back(name);
        any = true;
      } else {
        whole = true;
      }
    }
  if (!any) whole = true;
}

CacheDirectives reference(const std::string& text) {
  CacheDirectives d;
  bool open = false;
  for (const std::string& e : elements(text, open)) {
    size_t equals = e.find('=');
    std::string name = lower(trim(e.substr(0, equals)));
    std::string raw = equals == std::string::npos ? "" : trim(e.substr(equals + 1));
    const std::string* value = equals == std::string::npos ? nullptr : &raw;
    if (name == "max-age") least(d.max_age, delta(value, 0));
    if (name == "s-maxage") least(d.s_maxage, delta(value, 0));
    if (name == "stale-while-revalidate") least(d.stale_while_revalidate, delta(value, 0));
    if (name == "stale-if-error") least(d.stale_if_error, delta(value, 0));
    if (name == "max-stale") least(d.max_stale, value ? delta(value, 0) : 1u << 31);
    if (name == "min-fresh") d.min_fresh = std::max(d.min_fresh.value_or(0), delta(value, 1u << 31));
    if (name == "no-store") d.no_store = true;
    if (name == "must-revalidate") d.must_revalidate = true;
    if (name == "proxy-revalidate") d.proxy_revalidate = true;
    if (name == "public") d.public_ = true;
    if (name == "immutable") d.immutable = true;
    if (name == "must-understand") d.must_understand = true;
    if (name == "only-if-cached") d.only_if_cached = true;
    if (name == "no-transform") d.no_transform = true;
    if (name == "no-cache") qualified(value, d.no_cache, d.no_cache_fields);
    if (name == "private") qualified(value, d.private_, d.private_fields);
  }
  return d;
}

std::string written(const CacheDirectives& d) {
  std::string out = "x";
  auto number = [&](const char* name, const std::optional<uint32_t>& value) {
    if (value) out += std::string(", ") + name + "=" + std::to_string(*value);
  };
  auto flag = [&](const char* name, bool set) {
    if (set) out += std::string(",") + name;
  };
  auto names = [&](const char* name, const Strings& list) {
    if (list.empty()) return;
    out += std::string(", ") + name + "=\"";
    for (const std::string& n : list) out += n + ",";
    out += '"';
  };
  number("max-age", d.max_age);
  number("s-maxage", d.s_maxage);
  number("stale-while-revalidate", d.stale_while_revalidate);
  number("stale-if-error", d.stale_if_error);
  number("max-stale", d.max_stale);
  number("min-fresh", d.min_fresh);
  flag("no-store", d.no_store);
  flag("must-revalidate", d.must_revalidate);
  flag("proxy-revalidate", d.proxy_revalidate);
  flag("public", d.public_);
  flag("immutable", d.immutable);
  flag("must-understand", d.must_understand);
  flag("only-if-cached", d.only_if_cached);
  flag("no-transform", d.no_transform);
  flag("no-cache", d.no_cache);
  flag("private", d.private_);
  names("no-cache", d.no_cache_fields);
  names("private", d.private_fields);
  return out;
}

// As text, so that every difference counts.
bool same(const CacheDirectives& a, const CacheDirectives& b) {
  return written(a) == written(b);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::http;
  if (size > 4096) return 0;
  std::string text(reinterpret_cast<const char*>(data), size);
  CacheDirectives whole = parse_cache_control(text);
  check(same(whole, reference(text)));
  check(same(whole, parse_cache_control(written(whole))));
  // Other letters say the same, but for names of fields, which are kept as they are written.
  CacheDirectives low = parse_cache_control(lower(text));
  for (Strings* list : {&whole.no_cache_fields, &whole.private_fields, &low.no_cache_fields, &low.private_fields})
    for (std::string& name : *list) name = lower(name);
  check(same(whole, low));

  // A line an element says the same as all in one.
  bool open = false;
  Strings parts = elements(text, open);
  if (open) return 0;
  Fields lines;
  for (const std::string& part : parts) lines.add("Cache-Control", part);
  auto joined = lines.joined(FieldId::cache_control);
  check(joined.has_value() == !parts.empty());
  if (joined) check(same(parse_cache_control(text), parse_cache_control(*joined)));
  // The order says nothing but for that of field names.
  std::reverse(parts.begin(), parts.end());
  std::string backwards;
  for (const std::string& part : parts) backwards += part + ",";
  CacheDirectives other = parse_cache_control(backwards);
  for (CacheDirectives* d : {&whole, &other})
    for (Strings* list : {&d->no_cache_fields, &d->private_fields}) {
      for (std::string& name : *list) name = lower(name);
      std::sort(list->begin(), list->end());
    }
  check(same(whole, other));
  return 0;
}
