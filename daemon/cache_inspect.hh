#pragma once
// `portolan cache inspect`: the way of a request to the cache of its route, and what is there for it. Two steps, for the
// second waits for a disk.
#include <memory>

#include "core/base/result.hh"
#include "daemon/asked_request.hh"
#include "daemon/cache_report.hh"
#include "proxy/snapshot.hh"

namespace portolan::daemon {

struct InspectionPlan {
  std::shared_ptr<AskedRequest> request;
  std::shared_ptr<edge::Cache> cache;  // null: it reaches none, and `found` says why
  CacheInspections found;
};
// On the control worker. The error: what was asked makes no sense, or no listener is known to take it.
Result<InspectionPlan> plan_inspection(const ExplainRequest& request, const ExplainWorld& world);
// Any thread that may wait, while the world's snapshot is kept.
CacheInspections look(InspectionPlan plan, int64_t now_ms);

}  // namespace portolan::daemon
