#pragma once
// HTTP semantics shared by the proxy, the cache and the file source: RFC 9110, 9111, 8941. Pure functions: no clock, no
// state, safe from every thread. Views in results point into the arguments. Times are seconds since 1970, UTC.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/message.hh"

namespace portolan::http {

// ── lists and parameters (RFC 9110 §5.6) ──────────────────────────────────────────────────────────────────────────
// The elements of a comma-separated value: trimmed, empty ones left out, commas inside quoted strings no separators.
// A quoted string that doesn't end takes the rest.
class ListCursor {
 public:
  explicit ListCursor(std::string_view value, char separator = ',') : rest_(value), separator_(separator) {}
  bool next(std::string_view& element);

 private:
  std::string_view rest_;
  char separator_;
};

// `name` or `name=value`; a quoted value is given with its quotes.
struct Parameter {
  std::string_view name;
  std::optional<std::string_view> value;
};
Parameter split_parameter(std::string_view element);
// A token as it is, a quoted string without quotes and escapes; nullopt when it is neither.
std::optional<std::string> unquote(std::string_view text);
// True when a list field has the element, ignoring case (Connection, Vary, Upgrade).
bool list_has(std::string_view value, std::string_view element);

// ── methods (RFC 9110 §9.2.1, §16.1.1) ────────────────────────────────────────────────────────────────────────────
// A method that is registered as safe: is_safe()'s, and PROPFIND, QUERY, REPORT, SEARCH and PRI.
bool asks_safely(const RequestHead& request);

// ── hop-by-hop fields (RFC 9110 §7.6.1) ───────────────────────────────────────────────────────────────────────────
bool is_hop_by_hop(FieldId id);  // Connection, Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade, Proxy-*
// The same, or named by the value of Connection. Naming a field this program knows (FieldId), such as Host,
// Content-Length, Authorization or Cache-Control, does not make it hop-by-hop.
bool is_hop_by_hop(const Field& field, std::string_view connection);
// Removes all of them; every Connection line counts.
void remove_hop_by_hop(Fields& fields);

// ── dates (RFC 9110 §5.6.7) ───────────────────────────────────────────────────────────────────────────────────────
inline constexpr size_t date_size = 29;
void write_date(char* to, int64_t time_s);  // exactly date_size bytes; years 0 to 9999
std::string format_date(int64_t time_s);    // "Sun, 06 Nov 1994 08:49:37 GMT"
// All three forms, in any case (RFC 9111 §4.2). `now_s` decides the century of a two-digit year (at most 50 years ahead); 0: 1970 to 2069.
std::optional<int64_t> parse_date(std::string_view text, int64_t now_s = 0);

// ── Cache-Control (RFC 9111 §5.2, RFC 5861, RFC 8246) ─────────────────────────────────────────────────────────────
inline constexpr uint32_t longest_delta_s = uint32_t{1} << 31;  // what larger numbers become (RFC 9111 §1.2.2)
std::optional<uint32_t> parse_delta_seconds(std::string_view text);

// Requests and responses alike. Of a directive that comes twice the most restrictive value counts; an invalid one makes
// the response stale: 0.
struct CacheDirectives {
  std::optional<uint32_t> max_age, s_maxage, stale_while_revalidate, stale_if_error;
  std::optional<uint32_t> max_stale;  // without a value: longest_delta_s
  std::optional<uint32_t> min_fresh;
  bool no_store = false, must_revalidate = false, proxy_revalidate = false, public_ = false, immutable = false;
  bool must_understand = false, only_if_cached = false, no_transform = false;
  bool no_cache = false, private_ = false;  // without field names: the whole response
  std::vector<std::string> no_cache_fields, private_fields;
};
CacheDirectives parse_cache_control(std::string_view joined_value);
// The same of a targeted field, CDN-Cache-Control say, which is a structured one (RFC 9213 §2.1). nullopt: it is empty or
// has a fault, a directive with a value of another type among them, and counts as absent.
std::optional<CacheDirectives> parse_targeted_cache_control(std::string_view joined_value);

// ── validators and conditions (RFC 9110 §8.8, §13) ────────────────────────────────────────────────────────────────
struct EntityTag {
  bool weak = false;
  std::string_view opaque;  // without the quotes
};
std::optional<EntityTag> parse_etag(std::string_view text);
bool strong_match(const EntityTag& a, const EntityTag& b);
bool weak_match(const EntityTag& a, const EntityTag& b);
// If-Match (strong) or If-None-Match (weak) against the current tag, of a representation that exists: `*` matches it
// even without a tag. A malformed list matches what stands before the fault.
bool etag_list_matches(std::string_view list, std::optional<std::string_view> etag, bool strong);

enum class Condition : uint8_t { proceed, not_modified, precondition_failed };
// In the order of §13.2.2; Range is left to the caller. `etag` as in the ETag field. A date field that is not one date is
// ignored.
Condition evaluate_conditions(const Fields& request, std::optional<std::string_view> etag,
                              std::optional<int64_t> last_modified_s, Method method, int64_t now_s = 0);

// ── ranges (RFC 9110 §14) ─────────────────────────────────────────────────────────────────────────────────────────
struct ByteRange {
  uint64_t first = 0;
  uint64_t length = 0;  // never 0
  uint64_t last() const { return first + length - 1; }
};
enum class RangeKind : uint8_t { ignore, unsatisfiable, ranges };
struct RangeSet {
  RangeKind kind = RangeKind::ignore;
  std::vector<ByteRange> ranges;  // in the order asked for, all inside the representation
};
// Another unit, a syntax error, more than `most` ranges, overlapping ones, or more than two of which some are below 4 KiB
// and that don't ascend: ignore, i.e. answer 200 (§14.2 allows that).
RangeSet parse_range(std::string_view value, uint64_t size, size_t most = 16);
std::string content_range(const ByteRange& range, uint64_t size);  // "bytes 0-4/10"
// One range-spec, before the size is known: `first` empty: the last `last` bytes; `last` empty: to the end.
struct RangeSpec {
  std::optional<uint64_t> first, last;
};
std::optional<RangeSpec> first_range(std::string_view value);  // of a Range field; nullopt: malformed, another unit
// Content-Range (§14.4). `range` has length 0 in "bytes */10"; no `size` in "bytes 0-4/*". nullopt: malformed, or it
// contradicts itself.
struct ContentRange {
  ByteRange range;
  std::optional<uint64_t> size;
};
std::optional<ContentRange> parse_content_range(std::string_view value);
// What a request asks for of a representation: Range where If-Range allows it, of GET, and only when it came once.
RangeSet asked_ranges(const Fields& request, Method method, uint64_t size, std::optional<std::string_view> etag,
                      std::optional<int64_t> last_modified_s, std::optional<int64_t> date_s);
// True when Range may be honoured: the tag matches strongly, or the date is exactly Last-Modified and that is strong,
// i.e. at least a second older than `date_s`, the response's Date (§8.8.2.2); without it a date never matches.
bool if_range_matches(std::string_view value, std::optional<std::string_view> etag,
                      std::optional<int64_t> last_modified_s, std::optional<int64_t> date_s);

// ── paths and files ───────────────────────────────────────────────────────────────────────────────────────────────
std::optional<std::string> percent_decode(std::string_view text);  // nullopt: a malformed escape
// A request path as a path below a root: decoded once, begins with '/', without empty and "." segments; a final '/' is
// kept. nullopt: a malformed escape, "..", a control byte, a backslash, an encoded '/' or backslash.
std::optional<std::string> decode_path(std::string_view path);
std::string_view content_type_of(std::string_view path);  // by extension; application/octet-stream

// ── structured fields (RFC 8941 §3.3.3) ───────────────────────────────────────────────────────────────────────────
// Appends text as an sf-string; bytes it can't hold become '?'.
void append_sf_string(std::string& out, std::string_view text);

}  // namespace portolan::http
