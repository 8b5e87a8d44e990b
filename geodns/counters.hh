#pragma once
// Counting queries without a lock: each series is looked up once and its address kept. One
// worker's, on its thread.
#include <vector>

#include "core/base/metrics.hh"
#include "geodns/answer.hh"

namespace portolan::geodns {

class QueryCounters {
 public:
  explicit QueryCounters(metrics::Shard& shard);
  void set_zones(std::shared_ptr<const ZoneSet> zones);  // indices in AnswerInfo are of these
  // portolan_dns_queries_total{zone,type,rcode}; zone "-" outside all zones, type and rcode "OTHER"
  // for rare ones.
  void count(const AnswerInfo& info);
  void count_dropped() { dropped_.add(); }  // packets that got silence
  // portolan_dns_limited_total{action}: answers over the rate, of which nothing was sent, or little.
  void count_limited(bool dropped) { (dropped ? limited_dropped_ : limited_truncated_).add(); }

 private:
  metrics::Shard& shard_;
  metrics::Counter& dropped_;
  metrics::Counter& limited_dropped_;
  metrics::Counter& limited_truncated_;
  std::shared_ptr<const ZoneSet> zones_;
  std::vector<metrics::Counter*> series_;  // [zone + 1][type][rcode]; null until first counted
};

}  // namespace portolan::geodns
