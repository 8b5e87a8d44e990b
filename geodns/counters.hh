#pragma once
// Counting queries without a lock: each series is looked up once and its address kept. One
// worker's, on its thread.
#include <array>
#include <unordered_map>
#include <vector>

#include "core/base/metrics.hh"
#include "geodns/answer.hh"

namespace portolan::geodns {

class QueryCounters {
 public:
  explicit QueryCounters(metrics::Shard& shard);
  void set_view(std::shared_ptr<const View> view);  // indices in AnswerInfo are of this
  // portolan_dns_queries_total{zone,type,rcode}; zone "-" outside all zones, type and rcode "OTHER"
  // for rare ones.
  void count(const AnswerInfo& info);
  // portolan_dns_service_answers_total{zone,policy,datacenter}, datacenter "-" for several at once; and for one in
  // country_sample of them portolan_dns_countries_total{country}, "-" where it isn't known.
  void count_service(const AnswerInfo& info, const IpAddress& asker);
  void count_dropped() { dropped_.add(); }  // packets that got silence
  // portolan_dns_limited_total{action}: answers over the rate, of which nothing was sent, or little.
  void count_limited(bool dropped) { (dropped ? limited_dropped_ : limited_truncated_).add(); }

 private:
  static constexpr unsigned country_sample = 16;
  static constexpr size_t letters = 36;
  void count_country(const IpAddress& asker);
  metrics::Counter& service_series(const AnswerInfo& info);
  metrics::Shard& shard_;
  metrics::Counter& dropped_;
  metrics::Counter& limited_dropped_;
  metrics::Counter& limited_truncated_;
  std::shared_ptr<const View> view_;
  std::shared_ptr<const ZoneSet> zones_;
  std::vector<metrics::Counter*> series_;                     // [zone + 1][type][rcode]; null until first counted
  std::unordered_map<uint64_t, metrics::Counter*> services_;  // by zone, policy and datacentre
  std::vector<metrics::Counter*> countries_;                  // by code; null until first counted
  unsigned until_sample_ = 0;
};

}  // namespace portolan::geodns
