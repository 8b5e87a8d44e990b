#include "tests/unit/edge/model.hh"

#include <time.h>

#include <algorithm>
#include <array>
#include <set>

namespace portolan::edge::model {
namespace {

constexpr int64_t longest_s = int64_t{1} << 31;  // §1.2.2
constexpr int64_t longest_negative_s = 86'400;   // a guess for errors is as good as one for answers

std::string trim(const std::string& text) {
  size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\' && i + 1 < text.size()) {
      out.back() += text[i++];
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
      out.emplace_back();
      continue;
    }
    out.back() += text[i];
  }
  for (std::string& part : out) part = trim(part);
  std::erase(out, "");
  return out;
}

bool all_digits(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// The least and the most that the text allows for freshness_lifetime (§4.2.1, §4.2.2); what everybody expects is the
// least: where information is doubled or broken, a response may be taken as stale.
struct Lifetime {
  int64_t least_s = 0, most_s = 0;
  bool explicit_ = false;
};

bool heuristic_status(const Rules& rules, int status) {  // RFC 9110 §15.1, without 206
  std::set<int> known = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501};
  if (rules.cdn_safe)
    for (int refused : {405, 414, 501}) known.erase(refused);
  return known.contains(status);
}

Lifetime lifetime(const Rules& rules, const Response& response, int64_t response_ms) {
  Directives d(response.fields);
  for (const char* name : {"s-maxage", "max-age"}) {
    auto seconds = d.seconds(name);
    if (!seconds) continue;
    int64_t most = std::max<int64_t>(0, *seconds);
    return {d.count(name) == 1 ? most : 0, most, true};
  }
  auto date_text = value(response.fields, "date");
  auto parsed = date_text ? parse_date(*date_text) : std::nullopt;
  int64_t date = parsed.value_or(response_ms / 1000);
  if (auto text = value(response.fields, "expires")) {
    auto expires = parse_date(*text);
    int64_t s = expires ? std::max<int64_t>(0, *expires - date) : 0;
    return {s, s, true};
  }
  bool heuristics = heuristic_status(rules, response.status) || d.has("public");
  if (heuristics && response.status >= 400) return {0, longest_negative_s, false};
  auto modified = value(response.fields, "last-modified");
  auto modified_s = modified ? parse_date(*modified) : std::nullopt;
  if (!modified_s || *modified_s >= date || !heuristics) return {};
  int64_t s = std::min<int64_t>((date - *modified_s) / 10, 86'400);  // a tenth, a day at most
  return {s, s + 1, false};
}

// Never served stale (§4.2.4): must-revalidate, proxy-revalidate and s-maxage (§5.2.2.10) forbid it.
bool no_stale(const Directives& d) {
  return d.has("must-revalidate") || d.has("proxy-revalidate") || d.has("s-maxage");
}

May at_most(May a, May b) {
  return std::min(a, b);
}

std::string squeezed(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t'; });
  return lower(text);
}

std::string opaque(const std::string& etag) {
  return etag.starts_with("W/") ? etag.substr(2) : etag;
}

bool understood(int status) {
  static const std::set<int> known = {200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401,
                                      403, 404, 405, 406, 410, 414, 500, 501, 502, 503, 504};
  return known.contains(status);
}

}  // namespace

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

std::optional<std::string> value(const Pairs& fields, const std::string& name) {
  std::optional<std::string> out;
  for (const auto& [n, v] : fields)
    if (lower(n) == name) out = out ? *out + ", " + trim(v) : trim(v);
  return out;
}

std::optional<int64_t> parse_date(const std::string& text) {
  tm t{};
  const char* end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &t);
  if (!end || *end) return std::nullopt;
  return timegm(&t);
}

Directives::Directives(const Pairs& fields) {
  for (const std::string& part : split(value(fields, "cache-control").value_or(""))) {
    size_t equals = part.find('=');
    std::string name = lower(trim(part.substr(0, equals)));
    std::optional<std::string> v;
    if (equals != std::string::npos) v = trim(part.substr(equals + 1));
    if (v && v->size() >= 2 && v->front() == '"' && v->back() == '"') v = v->substr(1, v->size() - 2);
    list_.emplace_back(name, v);
  }
}

size_t Directives::count(const std::string& name) const {
  return static_cast<size_t>(std::count_if(list_.begin(), list_.end(), [&](const auto& d) { return d.first == name; }));
}

bool Directives::bare(const std::string& name) const {
  return std::any_of(list_.begin(), list_.end(), [&](const auto& d) { return d.first == name && !d.second; });
}

std::optional<int64_t> Directives::seconds(const std::string& name) const {
  for (const auto& [n, v] : list_) {
    if (n != name) continue;
    if (!v || !all_digits(*v)) return -1;
    return v->size() > 10 ? longest_s : std::min<int64_t>(std::stoll(*v), longest_s);
  }
  return std::nullopt;
}

std::vector<std::string> Directives::names_in(const std::string& name) const {
  std::vector<std::string> out;
  for (const auto& [n, v] : list_)
    if (n == name && v)
      for (const std::string& field : split(*v)) out.push_back(lower(field));
  return out;
}

May may_store(const Rules& rules, const Request& request, const Response& response, int64_t request_ms,
              int64_t response_ms) {
  Directives asked(request.fields), d(response.fields);
  int status = response.status;
  if (request.method != "GET" || asked.has("no-store") || !response.delimited) return May::never;
  if (status < 200 || status == 206 || status == 304) return May::never;
  static const std::set<int> mustnt = {428, 429, 431, 511};  // RFC 6585
  if (mustnt.contains(status)) return May::never;
  May verdict = May::should;
  if (d.has("must-understand")) {  // §5.2.2.3
    if (!understood(status)) return May::never;
    if (d.has("no-store")) verdict = May::may;
  } else if (d.has("no-store")) {
    return May::never;
  }
  if (d.bare("private")) return May::never;
  if (d.has("private")) verdict = May::may;  // without the fields it names
  bool shared = d.has("public") || d.has("s-maxage") || d.has("must-revalidate");
  if (value(request.fields, "authorization") && !shared) {
    // §3.5 names no other directive. proxy-revalidate "is analogous to must-revalidate" (§5.2.2.8).
    if (!d.has("proxy-revalidate")) return May::never;
    verdict = May::may;
  }
  for (const std::string& name : split(value(response.fields, "vary").value_or("")))
    if (name == "*") return May::never;  // it would never be chosen
  bool reason = d.has("public") || value(response.fields, "expires") || d.has("max-age") || d.has("s-maxage") ||
                heuristic_status(Rules{false, 0}, status);
  if (!reason) return May::never;
  if (rules.cdn_safe) {
    if (value(response.fields, "set-cookie")) return May::never;
    static const std::set<int> of_one_request = {400, 406, 412, 413, 414, 417};
    if (of_one_request.contains(status)) return May::never;
  }
  if (value(response.fields, "content-range")) verdict = May::may;
  Stored stored{request, response, request_ms, response_ms};
  int64_t left = lifetime(rules, response, response_ms).least_s * 1000 - age_ms(stored, response_ms);
  if (left <= rules.grain_ms || d.has("no-cache")) verdict = May::may;  // of use once validated, or never
  return verdict;
}

int64_t date_of(const Stored& stored) {
  auto text = value(stored.response.fields, "date");
  auto date = text ? parse_date(*text) : std::nullopt;
  return date.value_or(stored.response_ms / 1000);
}

int64_t age_ms(const Stored& stored, int64_t now_ms) {
  int64_t apparent = std::max<int64_t>(0, stored.response_ms / 1000 - date_of(stored)) * 1000;
  int64_t age_value = 0;
  if (auto text = value(stored.response.fields, "age")) {  // the first of several; nonsense counts as none (§5.1)
    auto parts = split(*text);
    if (!parts.empty() && all_digits(parts[0]))
      age_value = parts[0].size() > 10 ? longest_s : std::min<int64_t>(std::stoll(parts[0]), longest_s);
  }
  int64_t corrected = age_value * 1000 + (stored.response_ms - stored.request_ms);
  return std::max(apparent, corrected) + (now_ms - stored.response_ms);
}

May may_serve(const Rules& rules, const Stored& stored, const Request& request, int64_t now_ms) {
  if (stored.gone) return May::never;
  Directives asked(request.fields), d(stored.response.fields);
  if (d.bare("no-cache") || asked.has("no-cache")) return May::never;
  May most = d.has("no-cache") ? May::may : May::should;
  if (asked.empty() && value(request.fields, "pragma")) most = May::may;  // §5.4
  for (const char* name : {"max-age", "min-fresh", "max-stale"})
    if (asked.count(name) > 1) most = May::may;
  int64_t age = age_ms(stored, now_ms), grain = rules.grain_ms;
  Lifetime life = lifetime(rules, stored.response, stored.response_ms);
  int64_t least_left = life.least_s * 1000 - age, most_left = life.most_s * 1000 - age;
  if (auto limit = asked.seconds("max-age")) {  // §5.2.1.1; max-age=0 asks for validation by custom
    bool over = age / 1000 - (grain ? 1 : 0) > std::max<int64_t>(0, *limit);
    if (over && !(d.has("immutable") && most_left > 0)) return May::never;  // RFC 8246 §2
    if ((age + grain) / 1000 >= *limit) most = May::may;
  }
  if (auto wanted = asked.seconds("min-fresh")) {                    // §5.2.1.3
    int64_t wanted_ms = (*wanted < 0 ? longest_s : *wanted) * 1000;  // what is no number may ask for any
    if (most_left + grain < wanted_ms) return May::never;
    if (least_left - grain < wanted_ms || *wanted < 0) most = May::may;
  }
  if (least_left > grain) return most;
  if (most_left > -grain) return at_most(most, May::may);
  auto meanwhile = d.seconds("stale-while-revalidate");  // RFC 5861 §3
  bool within = meanwhile && *meanwhile > 0 && -most_left - grain <= *meanwhile * 1000;
  bool letter_alone = d.has("s-maxage") && !d.has("must-revalidate") && !d.has("proxy-revalidate");
  if (no_stale(d)) return within && letter_alone && rules.cdn_safe ? May::may : May::never;
  if (asked.has("max-stale")) {  // §5.2.1.2; what is no number is as good as 0
    if (asked.bare("max-stale")) return most;
    if (*asked.seconds("max-stale") == longest_s) return at_most(most, May::may);  // as good as any
    int64_t limit_ms = std::max<int64_t>(0, *asked.seconds("max-stale")) * 1000;
    if (-most_left - grain <= limit_ms) return -least_left + grain < limit_ms ? most : at_most(most, May::may);
  }
  return within ? at_most(most, May::may) : May::never;
}

May may_serve_on_error(const Rules& rules, const Stored& stored, const Request& request, int64_t now_ms,
                       bool disconnected) {
  Directives asked(request.fields), d(stored.response.fields);
  if (stored.gone || d.has("no-cache")) return May::never;
  Lifetime life = lifetime(rules, stored.response, stored.response_ms);
  int64_t stale = age_ms(stored, now_ms) - life.most_s * 1000;
  if (stale < rules.grain_ms) return May::may;  // fresh: it was the request that asked for validation
  bool shared_only = d.has("s-maxage") && !d.has("must-revalidate") && !d.has("proxy-revalidate");
  // By the letter s-maxage forbids it (§5.2.2.10); beside stale-if-error it hardly ever means to.
  if (no_stale(d) && !(shared_only && rules.cdn_safe && d.has("stale-if-error"))) return May::never;
  if (disconnected && !d.has("stale-if-error")) return May::may;  // §4.2.4
  int64_t window = std::max(d.seconds("stale-if-error").value_or(0), asked.seconds("stale-if-error").value_or(0));
  if (stale - rules.grain_ms > window * 1000) return May::never;
  // "regardless of other freshness information" (RFC 5861 §4), which a client that asks for validation need not expect.
  bool plain = !asked.has("no-cache") && !no_stale(d) && d.count("stale-if-error") == 1 && life.least_s == life.most_s;
  return plain && stale + 1000 + rules.grain_ms < window * 1000 ? May::should : May::may;
}

May matches(const Stored& stored, const Request& request) {
  if (stored.request.url != request.url || (request.method != "GET" && request.method != "HEAD")) return May::never;
  May verdict = May::should;
  for (const std::string& each : split(value(stored.response.fields, "vary").value_or(""))) {
    std::string name = lower(each);
    if (name == "*") return May::never;
    auto was = value(stored.request.fields, name), is = value(request.fields, name);
    if (was.has_value() != is.has_value()) return May::never;
    if (!was || *was == *is) continue;
    if (squeezed(*was) != squeezed(*is)) return May::never;
    verdict = May::may;
  }
  return verdict;
}

bool may_pass(const Rules& rules, const Request& request) {
  if (value(request.fields, "if-match") || value(request.fields, "if-unmodified-since")) return true;
  return rules.cdn_safe && value(request.fields, "cookie");
}

// A date is a strong validator where it is old enough by the response's own Date (RFC 9110 §8.8.2.2); where it is not
// quite, either is right.
May may_update(const Stored& stored, const Response& response) {
  auto theirs = value(response.fields, "etag"), ours = value(stored.response.fields, "etag");
  auto their_date = value(response.fields, "last-modified"), our_date = value(stored.response.fields, "last-modified");
  bool strong = theirs && !theirs->starts_with("W/");
  if (theirs && ours && *theirs == *ours) return May::should;
  if (their_date && our_date && *their_date == *our_date) return May::may;
  // "x" in the 304 of a W/"x": another by the letter, yet what servers say whose coding weakens tags.
  if (theirs && ours && opaque(*theirs) == opaque(*ours)) return May::may;
  if (!theirs && their_date && our_date) return May::never;
  return strong || theirs ? May::never : May::may;  // without any, it is of what was asked for
}

Stored updated(const Stored& stored, const Request& request, const Response& response, int64_t request_ms,
               int64_t response_ms) {
  Stored out = stored;
  ++out.updates;
  // The tag of the plain bytes in a 304 is none of what may be coded (RFC 9110 §8.8.1).
  auto ours = value(stored.response.fields, "etag");
  bool keeps_tag = !ours || ours->starts_with("W/");
  out.request = request;  // its Vary may be another: it speaks of this one
  out.request_ms = request_ms;
  out.response_ms = response_ms;
  std::set<std::string> replaced = {"age", "date"};
  Pairs news;
  for (const auto& [name, v] : response.fields) {
    std::string n = lower(name);
    if (n == "content-length" || n == "content-encoding" || n == "content-range") continue;
    if (n == "etag" && keeps_tag) continue;
    replaced.insert(n);
    news.emplace_back(name, v);
  }
  std::erase_if(out.response.fields, [&](const auto& f) { return replaced.contains(lower(f.first)); });
  out.response.fields.insert(out.response.fields.end(), news.begin(), news.end());
  return out;
}

Pairs sent_fields(const Stored& stored) {
  static const std::set<std::string> dropped = {"age",
                                                "content-length",
                                                "connection",
                                                "keep-alive",
                                                "te",
                                                "transfer-encoding",
                                                "upgrade",
                                                "proxy-connection",
                                                "trailer",
                                                "proxy-authenticate",
                                                "proxy-authentication-info"};
  std::vector<std::string> named = split(lower(value(stored.response.fields, "connection").value_or("")));
  Pairs out;
  for (const auto& [name, v] : stored.response.fields) {
    std::string n = lower(name);
    if (!dropped.contains(n) && std::find(named.begin(), named.end(), n) == named.end()) out.emplace_back(n, v);
  }
  std::sort(out.begin(), out.end());
  return out;
}

May not_modified(const Stored& stored, const Request& request) {
  if (stored.response.status != 200) return May::never;
  if (auto list = value(request.fields, "if-none-match")) {
    if (*list == "*") return May::should;
    auto etag = value(stored.response.fields, "etag");
    for (const std::string& tag : split(*list))
      if (etag && opaque(tag) == opaque(*etag)) return May::should;
    return May::never;
  }
  auto since = value(request.fields, "if-modified-since");
  auto since_s = since ? parse_date(*since) : std::nullopt;
  if (!since_s) return May::never;
  auto modified = value(stored.response.fields, "last-modified");
  if (!modified) return date_of(stored) <= *since_s ? May::may : May::never;  // §4.3.2
  auto modified_s = parse_date(*modified);
  return modified_s && *modified_s <= *since_s ? May::should : May::never;
}

}  // namespace portolan::edge::model
