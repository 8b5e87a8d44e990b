#pragma once
// Counts answered requests by listener, route, pool, server and status. One a worker. The series of a combination is
// looked up by name once and then found by a few numbers, so that counting a request allocates nothing.
#include <string_view>
#include <unordered_map>

#include "core/base/metrics.hh"

namespace portolan::proxy {

// Families other rooms sum up.
extern const metrics::Family requests_total;  // listener, route, pool, server, status

struct RequestLabels {
  std::string_view listener, route, pool, server;  // empty where there is none
  int status = 0;
};

// A server that was asked, in numbers.
struct ServerId {
  uint64_t cluster = 0;          // Cluster::id; 0: none was asked
  uint32_t member = UINT32_MAX;  // of the cluster
  bool operator==(const ServerId&) const = default;
};

// Which combination it is, in numbers that name nothing else as long as forget() was not called.
struct RequestKey {
  uint64_t listener = 0;        // ListenerView::id
  uint64_t snapshot = 0;        // Snapshot::version
  uint32_t route = UINT32_MAX;  // index into the snapshot's routes
  uint32_t share = 0;           // index into the route's pools
  ServerId server;
  int status = 0;
  bool operator==(const RequestKey&) const = default;
};

class RequestMeter {
 public:
  explicit RequestMeter(metrics::Shard& shard) : shard_(shard) {}
  // `labels` are what `key` stands for.
  void count(const RequestKey& key, const RequestLabels& labels, int64_t duration_us, uint64_t bytes_in,
             uint64_t bytes_out);
  void forget() { series_.clear(); }  // the numbers begin to mean something else

 private:
  struct Hash {
    size_t operator()(const RequestKey& key) const;
  };
  struct Series {
    metrics::Counter* requests;
    metrics::Histogram* seconds;
    metrics::Counter* bytes_in;
    metrics::Counter* bytes_out;
  };
  Series make(const RequestLabels& labels);
  metrics::Shard& shard_;
  std::unordered_map<RequestKey, Series, Hash> series_;
};

}  // namespace portolan::proxy
