#pragma once
// Random requests, and an origin whose answers are as random as real ones are: good, careless and broken.
#include <string>
#include <vector>

#include "core/base/clock.hh"
#include "tests/unit/edge/model.hh"

namespace portolan::edge::model {

// One URL at the origin. What it says of its answers changes now and then, and so does what it answers.
class Site {
 public:
  Site(std::string url, int64_t now_ms, Rng& rng);
  const std::string& url() const { return url_; }
  // `conditions`: what the cache adds to the request.
  Response answer(const Request& request, const Pairs& conditions, int64_t now_ms, uint64_t number, Rng& rng);
  void change(int64_t now_ms);

 private:
  void redraw(Rng& rng);
  std::string tag(const Request& request) const;
  void add_dates(Response& response, int64_t now_ms, Rng& rng) const;
  void add_cache_control(Response& response) const;
  std::string url_;
  uint64_t version_ = 1;
  int64_t modified_ms_;
  int tag_kind_ = 0;  // none, strong, weak
  bool dated_ = false, sets_cookie_ = false;
  int expires_kind_ = 0, date_kind_ = 0;
  std::string age_;
  std::vector<std::string> vary_, cache_control_;
};

Request random_request(const std::vector<std::string>& urls, int64_t now_ms, Rng& rng);
std::string format_date(int64_t time_ms);

}  // namespace portolan::edge::model
