#pragma once
// [cache.NAME].ttl: for how long which answers are fresh, whatever or when nothing is said by the server itself. Asked
// once an answer, when it is stored or validated; never on a hit. Immutable; any thread.
#include <string>
#include <string_view>
#include <vector>

#include "core/http/message.hh"
#include "core/http/regex.hh"
#include "edge/config.hh"
#include "edge/object.hh"

namespace portolan::edge {

class TtlRules {
 public:
  explicit TtlRules(const std::vector<TtlRule>& rules);  // checked ones, which outlive this
  bool empty() const { return rules_.empty(); }
  // The first that fits, or null.
  const TtlRule* match(std::string_view path, const http::ResponseHead& response) const;

 private:
  struct Rule {
    const TtlRule* config;
    http::Regex path;
  };
  std::vector<Rule> rules_;
};

// Of an answer: what the rules of HTTP see of it, and what is kept and sent, where a rule (null: none) changes that.
// Views into the response, the rule and itself.
class Ruled {
 public:
  Ruled(const TtlRule* rule, const http::ResponseHead& response);
  Ruled(const Ruled&) = delete;
  Ruled& operator=(const Ruled&) = delete;

  const http::ResponseHead& counts() const { return changed_ ? counts_ : response_; }
  const http::ResponseHead& sent() const { return dressed_ || cookieless_ ? sent_ : response_; }
  bool cookieless() const { return cookieless_; }  // sent() has lost its Set-Cookie
  // Completes what was computed of counts(). A rule's time runs from the receipt, however old the answer came.
  void settle(Freshness& freshness) const;

 private:
  void edit(http::FieldId id, bool add_time);
  const TtlRule* rule_;
  const http::ResponseHead& response_;
  bool changed_ = false, dressed_ = false, cookieless_ = false;
  bool timed_ = false;  // the rule's ttl counts
  http::ResponseHead counts_, sent_;
  std::string cache_control_, cdn_cache_control_;  // of counts_
};

// Whether an answer says itself how long it is fresh (RFC 9111 §4.2.1, RFC 9213).
bool says_freshness(const http::Fields& fields);

}  // namespace portolan::edge
