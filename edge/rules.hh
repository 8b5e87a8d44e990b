#pragma once
// What may be stored, under which key, and for how long: pure functions over heads (RFC 9111; RFC
// 5861).
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.hh"
#include "core/http/message.hh"
#include "edge/cache.hh"
#include "edge/config.hh"
#include "edge/extension.hh"
#include "edge/groups.hh"
#include "edge/object.hh"
#include "edge/ttl_rules.hh"

namespace portolan::edge {

struct Saved;

// A configuration ready for use.
struct Rules {
  explicit Rules(const CacheConfig& config);
  Rules(const Rules&) = delete;  // the parts refer to config
  Rules& operator=(const Rules&) = delete;
  CacheConfig config;
  bool cdn_safe = true;
  std::string key_mark;         // of key_mark(); not empty: more than the URL is in the key
  bool extension_check = true;  // an answer must fit its URL's extension
  TtlRules ttl;
};

// ── the request ──

struct RequestFacts {
  bool lookup = false;    // may be answered from the store at all
  bool may_store = true;  // its response may be kept
  bool head = false;
  bool range = false;
  bool authorization = false;
  bool no_cache = false;
  bool only_if_cached = false;
  std::optional<int64_t> max_age_s, min_fresh_s;
  std::optional<int64_t> max_stale_s;  // INT64_MAX: any
  Forward forward = Forward::none;     // why not, when `lookup` is false
  const char* detail = nullptr;
  Asset asset = Asset::none;  // what its path says it is; known to fills
  bool no_transform = false;
  std::string_view told = {};  // of RequestView; a fill's own copy
};
RequestFacts examine(const Rules& rules, const RequestView& request);

// A digest of the rules by which more than the URL is in the key: of which values, by their names. So what was stored
// under other rules isn't found by a request that they would have kept apart. Rules for the query aren't in it: what they
// leave of it is all that servers are told. Empty where there are none.
std::string key_mark(const CacheConfig& config);

// The key: scheme, authority, path, and the query as the rules want it; then what else decides the answer: the route and
// pool where they do; behind key_mark() device class, country, key headers, key cookies. Each is written with its length
// before it ("4:http"), or "-" where there is none, so that no value can be read as another's end. Returns the length of
// the first part, the URL's, which is what a purge names.
size_t compose_key(const Rules& rules, const RequestView& request, std::string& out);
// The same for people: "http example.com /path?query", and what else is in it.
std::string key_text(std::string_view key);
// As a URL, and in brackets by its name what else is in it: "http://example.com/path?query (accept-language: de)". Names
// are those of `rules`; a key made by others may get wrong ones.
std::string key_for_people(const Rules& rules, std::string_view key);
void compose_url_key(const Rules& rules, std::string_view scheme, std::string_view authority, std::string_view path,
                     std::optional<std::string_view> query, std::string& out);

// The parts of a key that a purge names; views into it.
struct KeyParts {
  std::string_view primary;  // the URL's: scheme, authority, path, query
  std::string_view scheme, authority, path;
};
KeyParts split_key(std::string_view key);
std::string url_of(std::string_view key);  // "http://example.com/path?query"

// "https://Host:443/path?query#x" taken apart, the authority normalised; nullopt when it isn't
// absolute http(s).
struct Url {
  std::string scheme, authority, path;
  std::optional<std::string> query;
};
std::optional<Url> parse_url(std::string_view text);
// A URI reference of a response (Location) against the request's target; nullopt for what isn't
// http(s).
std::optional<Url> resolve(const RequestView& request, std::string_view reference);
// The query the key keeps and a fetch forwards; nullopt: none. Parameters are parted by '&' alone and named by what stands
// before the first '=', undecoded: a name that is written in another way is another name, and kept or dropped as that.
std::optional<std::string> kept_query(const Rules& rules, std::optional<std::string_view> query);
// A field that may change answers and is in no key: it doesn't travel with a request that may be cached (edge/unkeyed).
bool withheld(const Rules& rules, const http::Field& field);

// A list of names, "prefix*" included.
bool name_listed(const std::vector<std::string>& list, std::string_view name);
// Of "name=value", as a Cookie has it.
std::string_view cookie_name(std::string_view pair);
// The Cookie value without ignored cookies; empty when nothing is left.
std::string without_ignored(const Rules& rules, std::string_view cookie);

// A request's fields, kept for later Vary comparisons.
struct RequestCopy {
  explicit RequestCopy(const http::RequestHead& head);
  RequestCopy(const RequestCopy&) = delete;  // the fields are views into the text
  RequestCopy& operator=(const RequestCopy&) = delete;
  http::Fields fields;
  std::string text;
};

// ── Vary (RFC 9111 §4.1) ──

// The names of all Vary fields: lower case, sorted, each once, ended by '\n'. nullopt when one is
// "*".
std::optional<std::string> vary_names(const http::Fields& response);
// The request's values of those names, with their lengths, appended to `out`. Servers get the bytes, so all of them
// count, and so does how they are divided into lines; but for the space in a list of tokens, and around the ',' and ';'
// of Accept, Accept-Charset and Accept-Language; the latter's case and order; and Accept-Encoding, which goes on as
// accepted_encodings().
void vary_values(std::string_view names, const http::Fields& request, std::string& out);
void vary_value(std::string_view name, const http::Fields& request, std::string& out);  // of one name
// One of the names of vary_names() is among those of RequestView::told: what an answer varies by there no cache sees.
bool varies_by_told(std::string_view names, std::string_view told);
// The same for people: "accept-encoding: gzip; accept-language: (none)".
std::string vary_text(std::string_view names, std::string_view values);
// A response that varies by Accept-Language alone, in the one language the request wants most (RFC 9110 §12.5.4).
bool speaks_the_language(std::string_view names, const http::Fields& response, const http::Fields& request);

// ── the response ──

struct Storability {
  bool store = false;
  const char* reason = nullptr;  // a token, when not
};
Storability storable(const Rules& rules, const RequestFacts& request, const http::ResponseHead& response,
                     const Freshness& freshness);
// Freshness that the response itself states (RFC 9111 §4.2.1).
bool explicit_lifetime(const http::Fields& response);
Freshness freshness(const Rules& rules, const http::ResponseHead& response, int64_t request_ms, int64_t response_ms);
bool heuristically_cacheable(const Rules& rules, int status);
// Whatever the rules and the answer say of it.
bool never_stored(int status);
// Stored only where a rule of `ttl` names it: what one client's request brought about, and may be made for others.
bool needs_rule(int status, bool cdn_safe);

// What to do with a stored object for this request (RFC 9111 §4, §5.2.1).
enum class Use : uint8_t {
  serve,
  serve_and_validate,  // RFC 5861 §3
  validate_stale,
  validate_request,
};
Use judge(const Object& object, const RequestFacts& request, int64_t now_ms);

// False: a field that is never stored (RFC 9111 §3.1) or that is made anew.
bool stored_field(http::FieldId id);

// Builds heads.
class ObjectBuilder {
 public:
  // `origin`: of origin_hash(). `show_tags`: clients get Surrogate-Key and Cache-Tag.
  static ObjectRef make(const http::ResponseHead& response, const Freshness& freshness,
                        std::shared_ptr<Content> content, uint64_t sequence, uint64_t origin,
                        std::shared_ptr<Encodings> encodings = nullptr, bool show_tags = false);
  // The same, but stale from `until_ms` on; the object itself where it is stale by then.
  static ObjectRef stale_since(const ObjectRef& object, int64_t until_ms);
  // As it was saved.
  static ObjectRef restored(const Saved& saved, const http::ResponseHead& head, std::shared_ptr<Content> content,
                            uint64_t sequence, std::shared_ptr<Encodings> encodings);
  // `old` with the fields of a 304 (RFC 9111 §3.2), over the same body; `path` is the request's. `good`: it may be kept.
  struct Refreshed {
    ObjectRef object;
    bool good = false;
    std::string names;  // of vary_names()
  };
  static Refreshed refreshed(const Object& old, const http::ResponseHead& response, const Rules& rules,
                             const RequestFacts& facts, std::string_view path, int64_t request_ms, int64_t response_ms,
                             uint64_t sequence, uint64_t origin);
};

}  // namespace portolan::edge
