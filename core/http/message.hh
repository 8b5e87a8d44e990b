#pragma once
// Request and response heads as every room sees them, whatever protocol brought them. Names and values are views;
// `storage` (when set) keeps their bytes alive, so a head may outlive the buffer it was parsed from.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hh"
#include "core/base/recycled.hh"

namespace portolan::http {

// Fields that are looked up by number. `other` is any other name.
enum class FieldId : uint8_t {
  other,
  accept,
  accept_encoding,
  accept_ranges,
  age,
  allow,
  authorization,
  cache_control,
  cache_status,
  cdn_cache_control,
  connection,
  content_encoding,
  content_language,
  content_length,
  content_location,
  content_range,
  content_type,
  cookie,
  date,
  etag,
  expect,
  expires,
  forwarded,
  host,
  if_match,
  if_modified_since,
  if_none_match,
  if_range,
  if_unmodified_since,
  keep_alive,
  last_modified,
  location,
  max_forwards,
  origin,
  pragma,
  proxy_authenticate,
  proxy_authentication_info,
  proxy_authorization,
  proxy_connection,
  range,
  referer,
  retry_after,
  server,
  set_cookie,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  user_agent,
  vary,
  via,
  warning,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_port,
  x_forwarded_proto,
  x_real_ip,
};

static_assert(static_cast<unsigned>(FieldId::x_real_ip) < 64, "Fields keeps a set of them in one word");

FieldId field_id(std::string_view name);                           // case-insensitive; no allocation
bool equal_ignoring_case(std::string_view a, std::string_view b);  // ASCII

struct Field {
  std::string_view name;   // as received, never empty
  std::string_view value;  // without surrounding SP and HTAB
  FieldId id = FieldId::other;
};

class Fields {
 public:
  using List = std::vector<Field, RecycledAllocator<Field>>;
  void add(std::string_view name, std::string_view value) { add({name, value, field_id(name)}); }
  void add(Field field) {
    if (list_.capacity() == 0) list_.reserve(24);  // as many as most messages have
    list_.push_back(field);
    known_ |= bit(field.id);
  }
  // First value, or nullopt.
  std::optional<std::string_view> find(FieldId id) const;
  std::optional<std::string_view> find(std::string_view name) const;
  size_t count(FieldId id) const;
  bool has(FieldId id) const { return find(id).has_value(); }
  bool may_have(FieldId id) const { return known_ & bit(id); }  // false: surely not; in no time
  void remove(FieldId id);
  void remove(std::string_view name);
  // All values of a list field joined by ", " (RFC 9110 §5.3); nullopt when absent. Allocates only for several.
  std::optional<std::string> joined(FieldId id) const;
  List::const_iterator begin() const { return list_.begin(); }
  List::const_iterator end() const { return list_.end(); }
  List& list() { return list_; }
  size_t size() const { return list_.size(); }
  void clear() {
    list_.clear();
    known_ = 0;
  }

 private:
  static constexpr uint64_t bit(FieldId id) { return uint64_t{1} << static_cast<unsigned>(id); }
  List list_;
  uint64_t known_ = 0;  // the ids that were ever added
};

enum class Method : uint8_t { other, get, head, post, put, delete_, connect, options, trace, patch };
Method method_of(std::string_view token);  // case-sensitive (RFC 9110 §9.1)
bool is_safe(Method m);                    // RFC 9110 §9.2.1
bool is_idempotent(Method m);              // RFC 9110 §9.2.2

// How a message's body ends (RFC 9112 §6).
enum class Framing : uint8_t { none, length, chunked, until_close };

struct RequestHead {
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target;  // as received
  // Split from the target: absolute-form gives scheme and authority, else the Host field gives the authority.
  std::string_view scheme;     // "http" | "https"; from the target or empty
  std::string_view authority;  // host[:port], validated; may be empty in HTTP/1.0
  std::string_view path;       // begins with '/', no query; "*" for OPTIONS *
  std::string_view query;      // without '?'
  bool has_query = false;
  int minor_version = 1;     // of HTTP/1.x
  bool http2 = false;        // it came by HTTP/2; minor_version says 1
  std::string_view upgrade;  // "websocket": its client asks for a tunnel; HTTP/1's Upgrade is left to the caller
  Fields fields;
  Framing framing = Framing::none;
  uint64_t content_length = 0;  // when framing is length
  bool keep_alive = true;
  bool expect_continue = false;
  BlockRef storage;
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;
  Fields fields;
  Framing framing = Framing::none;
  uint64_t content_length = 0;  // when framing is length
  bool keep_alive = true;
  BlockRef storage;
};

std::string_view reason_phrase(int status);  // "OK"; "" for unknown codes

}  // namespace portolan::http
