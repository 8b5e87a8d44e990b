#include "core/http/message.hh"

#include <algorithm>

#include "core/http/chars.hh"

namespace portolan::http {
namespace {

// In the order of FieldId, which begins with `other`.
constexpr std::array<std::string_view, 57> field_names = {"",
                                                          "accept",
                                                          "accept-encoding",
                                                          "accept-ranges",
                                                          "age",
                                                          "allow",
                                                          "authorization",
                                                          "cache-control",
                                                          "cache-status",
                                                          "cdn-cache-control",
                                                          "connection",
                                                          "content-encoding",
                                                          "content-language",
                                                          "content-length",
                                                          "content-location",
                                                          "content-range",
                                                          "content-type",
                                                          "cookie",
                                                          "date",
                                                          "etag",
                                                          "expect",
                                                          "expires",
                                                          "forwarded",
                                                          "host",
                                                          "if-match",
                                                          "if-modified-since",
                                                          "if-none-match",
                                                          "if-range",
                                                          "if-unmodified-since",
                                                          "keep-alive",
                                                          "last-modified",
                                                          "location",
                                                          "max-forwards",
                                                          "origin",
                                                          "pragma",
                                                          "proxy-authenticate",
                                                          "proxy-authentication-info",
                                                          "proxy-authorization",
                                                          "proxy-connection",
                                                          "range",
                                                          "referer",
                                                          "retry-after",
                                                          "server",
                                                          "set-cookie",
                                                          "te",
                                                          "trailer",
                                                          "transfer-encoding",
                                                          "upgrade",
                                                          "user-agent",
                                                          "vary",
                                                          "via",
                                                          "warning",
                                                          "x-forwarded-for",
                                                          "x-forwarded-host",
                                                          "x-forwarded-port",
                                                          "x-forwarded-proto",
                                                          "x-real-ip"};
static_assert(static_cast<size_t>(FieldId::x_real_ip) + 1 == field_names.size());

constexpr size_t slot_count = 256;
constexpr size_t longest_name = 25;

constexpr size_t hash_name(const char* name, size_t size) {
  auto at = [&](size_t i) { return static_cast<uint32_t>(lower_table[static_cast<uint8_t>(name[i])]); };
  uint32_t h = static_cast<uint32_t>(size) * 0x9e3779b1u + at(0) * 0x85ebca6bu + at(size - 1) * 0xc2b2ae35u +
               at(size / 2) * 0x27d4eb2fu;
  return (h ^ (h >> 15)) >> 4 & (slot_count - 1);
}

constexpr std::array<uint8_t, slot_count> field_slots = [] {
  std::array<uint8_t, slot_count> slots{};
  for (size_t i = 1; i < field_names.size(); ++i) {
    size_t s = hash_name(field_names[i].data(), field_names[i].size());
    while (slots[s]) s = (s + 1) % slot_count;
    slots[s] = static_cast<uint8_t>(i);
  }
  return slots;
}();

// equal_ignoring_case of so many bytes at once, where `known` is letters in lower case and '-': the bit that tells cases
// apart is set where `known` has a letter.
template <class Word>
bool same_at(const char* known, const char* name) {
  constexpr auto letters = static_cast<Word>(0x4040404040404040);
  Word a, b;
  std::memcpy(&a, known, sizeof a);
  std::memcpy(&b, name, sizeof b);
  return a == (b | (a & letters) >> 1);
}

// equal_ignoring_case, where `known` is one of field_names.
bool is_name(std::string_view known, std::string_view name) {
  size_t n = known.size();
  if (n != name.size()) return false;
  const char *a = known.data(), *b = name.data();
  if (n < 4) return equal_ignoring_case(known, name);
  if (n < 8) return same_at<uint32_t>(a, b) && same_at<uint32_t>(a + n - 4, b + n - 4);
  for (size_t at = 0; at + 8 < n; at += 8)
    if (!same_at<uint64_t>(a + at, b + at)) return false;
  return same_at<uint64_t>(a + n - 8, b + n - 8);
}

struct MethodName {
  std::string_view name;
  Method method;
};
constexpr MethodName methods[] = {
    {"GET", Method::get},         {"HEAD", Method::head},      {"POST", Method::post},
    {"PUT", Method::put},         {"DELETE", Method::delete_}, {"CONNECT", Method::connect},
    {"OPTIONS", Method::options}, {"TRACE", Method::trace},    {"PATCH", Method::patch},
};

struct StatusName {
  int status;
  std::string_view reason;
};
constexpr StatusName status_names[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

constexpr std::array<std::string_view, 512> reasons = [] {
  std::array<std::string_view, 512> by_status{};
  for (const StatusName& s : status_names) by_status[static_cast<size_t>(s.status)] = s.reason;
  return by_status;
}();

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

FieldId field_id(std::string_view name) {
  if (name.size() < 2 || name.size() > longest_name) return FieldId::other;
  for (size_t s = hash_name(name.data(), name.size()); field_slots[s]; s = (s + 1) % slot_count) {
    if (is_name(field_names[field_slots[s]], name)) return static_cast<FieldId>(field_slots[s]);
  }
  return FieldId::other;
}

std::optional<std::string_view> Fields::find(FieldId id) const {
  if (!may_have(id)) return std::nullopt;
  for (const Field& f : list_) {
    if (f.id == id) return f.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Fields::find(std::string_view name) const {
  for (const Field& f : list_) {
    if (equal_ignoring_case(f.name, name)) return f.value;
  }
  return std::nullopt;
}

size_t Fields::count(FieldId id) const {
  if (!may_have(id)) return 0;
  return static_cast<size_t>(std::count_if(list_.begin(), list_.end(), [id](const Field& f) { return f.id == id; }));
}

void Fields::remove(FieldId id) {
  std::erase_if(list_, [id](const Field& f) { return f.id == id; });
}

void Fields::remove(std::string_view name) {
  std::erase_if(list_, [name](const Field& f) { return equal_ignoring_case(f.name, name); });
}

std::optional<std::string> Fields::joined(FieldId id) const {
  std::optional<std::string> out;
  if (!may_have(id)) return out;
  for (const Field& f : list_) {
    if (f.id != id) continue;
    if (out) {
      out->append(", ").append(f.value);
    } else {
      out.emplace(f.value);
    }
  }
  return out;
}

Method method_of(std::string_view token) {
  for (const MethodName& m : methods) {
    if (m.name == token) return m.method;
  }
  return Method::other;
}

bool is_safe(Method m) {
  return m == Method::get || m == Method::head || m == Method::options || m == Method::trace;
}

bool is_idempotent(Method m) {
  return is_safe(m) || m == Method::put || m == Method::delete_;
}

std::string_view reason_phrase(int status) {
  return status < 0 || status >= 512 ? std::string_view() : reasons[static_cast<size_t>(status)];
}

}  // namespace portolan::http
