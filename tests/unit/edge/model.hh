#pragma once
// A small reference model of a shared cache, written from RFC 9111 (with RFC 5861) and nothing else: lists of strings,
// no index, no limits, none of the code of edge/ and core/http. It doesn't decide as a cache must; it says of what a
// cache did whether it was forbidden, allowed, or what everybody expects.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace portolan::edge::model {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method, url;
  Pairs fields;
};

struct Response {
  int status = 200;
  Pairs fields;
  std::string body;
  bool delimited = true;  // false: it ends with its connection
};

// What the text says of doing a thing.
enum class May : uint8_t { never, may, should };

struct Stored {
  Request request;
  Response response;
  int64_t request_ms = 0, response_ms = 0;
  uint64_t number = 0;    // of the body
  uint64_t updates = 0;   // by 304s
  bool gone = false;      // invalidated, purged, or replaced for certain: never served without validation
  bool doubtful = false;  // a cache may have thrown it away
};

// Cache-Control as a list: names in lower case, values without quotes; the first of each name counts (§4.2.1).
class Directives {
 public:
  explicit Directives(const Pairs& fields);
  bool has(const std::string& name) const { return count(name) > 0; }
  bool bare(const std::string& name) const;  // once at least without a value
  size_t count(const std::string& name) const;
  // Of the first: nullopt when absent; -1 when it is no number.
  std::optional<int64_t> seconds(const std::string& name) const;
  std::vector<std::string> names_in(const std::string& name) const;  // of no-cache="a, b"
  bool empty() const { return list_.empty(); }

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> list_;
};

struct Rules {
  bool cdn_safe = true;  // the profile: what a cache on the open Internet does, where it differs from the letter
  int64_t grain_ms = 0;  // moments closer to a limit than this may go either way
};

// §3: may this response be stored?
May may_store(const Rules& rules, const Request& request, const Response& response, int64_t request_ms,
              int64_t response_ms);
// §4: may it be served for this request without asking the origin?
May may_serve(const Rules& rules, const Stored& stored, const Request& request, int64_t now_ms);
// §4.2.4, RFC 5861 §4: after the origin failed? `disconnected`: it gave no answer at all.
May may_serve_on_error(const Rules& rules, const Stored& stored, const Request& request, int64_t now_ms,
                       bool disconnected);
// §4.1: `may` where only a normalisation makes the values equal.
May matches(const Stored& stored, const Request& request);
// Requests that the profile keeps away from the store.
bool may_pass(const Rules& rules, const Request& request);
int64_t age_ms(const Stored& stored, int64_t now_ms);  // §4.2.3
// §3.2: the stored response with the fields of a 304, which was an answer to `request`.
Stored updated(const Stored& stored, const Request& request, const Response& response, int64_t request_ms,
               int64_t response_ms);
// §4.3.4: may this 304 update it?
May may_update(const Stored& stored, const Response& response);
// The fields a client may see, sorted: end-to-end ones without Age and Content-Length, names in lower case.
Pairs sent_fields(const Stored& stored);
int64_t date_of(const Stored& stored);  // seconds; when it was received if it has none
// RFC 9110 §13.2.2, with If-None-Match and If-Modified-Since alone: is a 304 the answer?
May not_modified(const Stored& stored, const Request& request);

std::optional<std::string> value(const Pairs& fields, const std::string& name);  // joined by ", "
std::optional<int64_t> parse_date(const std::string& text);                      // IMF-fixdate alone
std::string lower(std::string text);

}  // namespace portolan::edge::model
