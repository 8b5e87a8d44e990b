#include "tests/unit/edge/random_origin.hh"

#include <time.h>

#include <algorithm>

namespace portolan::edge::model {
namespace {

template <typename T, size_t N>
const T& one_of(Rng& rng, const T (&list)[N]) {
  return list[rng.below(N)];
}

bool chance(Rng& rng, unsigned percent) {
  return rng.below(100) < percent;
}

const char* const seconds[] = {"0", "1", "5", "60", "60", "60", "600", "86400", "99999999999"};
const char* const odd_seconds[] = {"\"60\"", "abc", "-1", "1.5", "", "60 s", "0060"};

std::string delta(const char* name, Rng& rng) {
  const char* number = chance(rng, 6) ? one_of(rng, odd_seconds) : one_of(rng, seconds);
  std::string out = std::string(name) + "=" + number;
  if (chance(rng, 5)) out[0] = static_cast<char>(out[0] - 32);
  return out;
}

std::string response_directive(Rng& rng) {
  switch (rng.below(24)) {
    case 0:
      return "no-store";
    case 1:
      return chance(rng, 20) ? "no-cache=\"x-tag\"" : "no-cache";
    case 2:
      return chance(rng, 20) ? "private=\"x-tag, x-hop\"" : "private";
    case 3:
    case 4:
      return "public";
    case 5:
      return "must-revalidate";
    case 6:
      return "proxy-revalidate";
    case 7:
      return "must-understand, no-store";
    case 8:
    case 9:
      return delta("s-maxage", rng);
    case 10:
      return delta("stale-if-error", rng);
    case 11:
      return delta("stale-while-revalidate", rng);
    case 12:
      return "community=\"a, no-store\"";
    case 13:
      return "immutable";
    default:
      return delta("max-age", rng);
  }
}

std::string request_directive(Rng& rng) {
  switch (rng.below(8)) {
    case 0:
      return "no-cache";
    case 1:
      return "no-store";
    case 2:
      return "only-if-cached";
    case 3:
      return chance(rng, 40) ? "max-stale" : delta("max-stale", rng);
    case 4:
      return delta("min-fresh", rng);
    case 5:
      return delta("stale-if-error", rng);
    default:
      return delta("max-age", rng);
  }
}

}  // namespace

std::string format_date(int64_t time_ms) {
  time_t t = time_ms / 1000;
  tm parts{};
  gmtime_r(&t, &parts);
  char text[64];
  strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

Site::Site(std::string url, int64_t now_ms, Rng& rng) : url_(std::move(url)), modified_ms_(now_ms - 10'000'000) {
  redraw(rng);
}

void Site::change(int64_t now_ms) {
  ++version_;
  modified_ms_ = now_ms;
}

void Site::redraw(Rng& rng) {
  tag_kind_ = static_cast<int>(rng.below(3));
  dated_ = chance(rng, 50);
  sets_cookie_ = chance(rng, 4);
  expires_kind_ = chance(rng, 20) ? 1 + static_cast<int>(rng.below(5)) : 0;
  date_kind_ = chance(rng, 25) ? 1 + static_cast<int>(rng.below(5)) : 0;
  static const char* const ages[] = {"0", "1", "3", "55", "1000", "x", "5, 7", "99999999999"};
  age_ = chance(rng, 15) ? one_of(rng, ages) : "";
  vary_.clear();
  if (chance(rng, 40)) {
    static const char* const names[] = {"Accept-Language", "Accept-Encoding", "accept-encoding, Accept-Language",
                                        "X-Kind",          "User-Agent",      "*"};
    vary_.push_back(one_of(rng, names));
    if (chance(rng, 20)) vary_.push_back("X-Kind");
  }
  cache_control_.clear();
  for (uint64_t lines = chance(rng, 85) ? 1 + rng.below(2) : 0; lines; --lines) {
    std::string line = chance(rng, 60) ? delta("max-age", rng) : response_directive(rng);
    for (uint64_t more = rng.below(3); more; --more) line += (chance(rng, 50) ? ", " : " ,,") + response_directive(rng);
    cache_control_.push_back(line);
  }
}

std::string Site::tag(const Request& request) const {
  std::string text = url_.substr(url_.rfind('/') + 1) + "." + std::to_string(version_);
  for (const std::string& name : vary_) text += "." + lower(value(request.fields, lower(name)).value_or("-"));
  std::erase_if(text, [](char c) { return c == ' ' || c == ','; });
  return (tag_kind_ == 2 ? "W/\"" : "\"") + text + "\"";
}

void Site::add_dates(Response& response, int64_t now_ms, Rng& rng) const {
  int64_t date_ms = now_ms;
  if (date_kind_ == 1) date_ms -= static_cast<int64_t>(rng.below(200)) * 1000;
  if (date_kind_ == 2) date_ms += static_cast<int64_t>(rng.below(30)) * 1000;
  if (date_kind_ == 3) date_ms -= 50'000;
  if (date_kind_ == 4) response.fields.emplace_back("Date", "yesterday");
  if (date_kind_ < 4) response.fields.emplace_back("Date", format_date(date_ms));
  static const int64_t offsets[] = {0, 60'000, -60'000, 3'600'000, 0};
  if (expires_kind_ == 5) response.fields.emplace_back("Expires", "0");
  if (expires_kind_ > 0 && expires_kind_ < 5)
    response.fields.emplace_back("Expires", format_date(now_ms + offsets[expires_kind_]));
  if (dated_) response.fields.emplace_back("Last-Modified", format_date(modified_ms_));
  if (!age_.empty()) response.fields.emplace_back("Age", age_);
}

void Site::add_cache_control(Response& response) const {
  for (const std::string& line : cache_control_) response.fields.emplace_back("Cache-Control", line);
}

Response Site::answer(const Request& request, const Pairs& conditions, int64_t now_ms, uint64_t number, Rng& rng) {
  if (chance(rng, 4)) redraw(rng);
  if (chance(rng, 4)) change(now_ms);
  Response r;
  static const int statuses[] = {203, 204, 206, 300, 301, 302, 307, 308, 400, 403, 404, 405, 410, 414,
                                 418, 431, 451, 500, 501, 502, 503, 504, 299, 599, 500, 503, 503, 404};
  bool ordinary = chance(rng, 88);
  r.status = ordinary ? 200 : one_of(rng, statuses);
  add_dates(r, now_ms, rng);
  add_cache_control(r);
  for (const std::string& line : vary_) r.fields.emplace_back("Vary", line);
  if (sets_cookie_) r.fields.emplace_back("Set-Cookie", "a=b");
  if (chance(rng, 5)) {
    r.fields.emplace_back("Connection", "x-hop, keep-alive");
    r.fields.emplace_back("X-Hop", "1");
  }
  r.fields.emplace_back("X-Tag", std::to_string(rng.below(4)));
  if (r.status / 100 == 3) r.fields.emplace_back("Location", "/elsewhere");
  std::string etag = tag(request);
  if (tag_kind_ > 0) r.fields.emplace_back("ETag", chance(rng, 1) ? "\"another\"" : etag);
  // RFC 9110 §13.2.2
  auto none_match = value(conditions, "if-none-match");
  auto since = value(conditions, "if-modified-since");
  bool unchanged = none_match ? tag_kind_ > 0 && *none_match == etag
                              : since && dated_ && modified_ms_ / 1000 <= parse_date(*since).value_or(0);
  if (ordinary && unchanged) {
    r.status = 304;
    if (chance(rng, 5)) std::erase_if(r.fields, [](const auto& f) { return f.first == "ETag"; });
    return r;
  }
  r.fields.emplace_back("X-Number", std::to_string(number));
  r.delimited = r.status == 204 || !chance(rng, 3);
  if (r.status != 204) r.body = "#" + std::to_string(number) + "#" + url_ + "#" + std::string(rng.below(300), 'x');
  return r;
}

Request random_request(const std::vector<std::string>& urls, int64_t now_ms, Rng& rng) {
  Request r;
  r.url = urls[rng.below(urls.size())];
  static const char* const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO", "get"};
  r.method = chance(rng, 90) ? "GET" : chance(rng, 40) ? "HEAD" : one_of(rng, methods);
  auto maybe = [&](unsigned percent, const char* name, std::initializer_list<const char*> values) {
    if (chance(rng, percent)) r.fields.emplace_back(name, values.begin()[rng.below(values.size())]);
  };
  maybe(50, "Accept-Language", {"de", "en", "DE", "en,de", "en, de"});
  maybe(50, "Accept-Encoding", {"gzip", "br", "gzip, br", "GZIP", "gzip,br"});
  maybe(30, "X-Kind", {"1", "2"});
  maybe(20, "User-Agent", {"a", "A"});
  maybe(5, "Authorization", {"Basic eA==", "Basic eQ=="});
  maybe(4, "Cookie", {"a=b"});
  maybe(3, "Range", {"bytes=0-4"});
  maybe(2, "Pragma", {"no-cache"});
  maybe(2, "If-Match", {"\"x\""});
  maybe(4, "If-None-Match", {"*", "\"x\", W/\"y\"", "\"a.1\"", "W/\"a.1\", \"b.1\"", "\"b.2\"", "\"c.1\""});
  if (chance(rng, 4))
    r.fields.emplace_back("If-Modified-Since", format_date(now_ms - static_cast<int64_t>(rng.below(12'000)) * 1000));
  if (chance(rng, 20)) r.fields.emplace_back("Cache-Control", request_directive(rng));
  if (chance(rng, 3)) r.fields.emplace_back("Cache-Control", request_directive(rng));
  return r;
}

}  // namespace portolan::edge::model
