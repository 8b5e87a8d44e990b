#include "daemon/cache_inspect.hh"

#include <fmt/format.h>

#include "daemon/route_names.hh"

namespace portolan::daemon {
namespace {

std::string what_answers(const proxy::RouteConfig& route) {
  if (!route.to_servers()) return "the route answers itself, without a cache";
  return "the route has no cache, servers answer";
}

void refuse(CacheInspections& found, std::string why) {
  found.outcome = "refused";
  found.why = std::move(why);
}

}  // namespace

Result<InspectionPlan> plan_inspection(const ExplainRequest& asked, const ExplainWorld& world) {
  InspectionPlan plan;
  plan.request = std::make_shared<AskedRequest>(asked, world);
  AskedRequest& request = *plan.request;
  CacheInspections& found = plan.found;
  if (Status good = request.read(); !good) return good.error();
  if (auto end = request.parse()) return Error{"no such request: " + end->text, 400};
  if (auto end = request.find_listener())
    return Error{(asked.listener.empty() ? "no listener: " : "") + end->text, 400};
  found.listener = request.listener().name;
  request.identify();
  if (auto end = request.find_route()) {
    refuse(found, end->step == "route" ? "404: no route takes it" : end->text);
    return plan;
  }
  const proxy::RouteConfig& route = request.route();
  found.route = route.name;
  AskedRequest::Admission admission = request.admit();
  if (!admission.refused.empty()) refuse(found, admission.refused);
  for (std::string& line : admission.lines)
    if (line != AskedRequest::passes) found.asked.push_back(std::move(line));
  const auto& caches = world.snapshot.route_caches;
  if (route.to_servers() && request.route_index() < caches.size()) plan.cache = caches[request.route_index()];
  if (!plan.cache && found.outcome.empty()) {
    found.outcome = "uncached";
    found.why = what_answers(route);
  }
  return plan;
}

CacheInspections look(InspectionPlan plan, int64_t now_ms) {
  CacheInspections& found = plan.found;
  if (!plan.cache) return std::move(found);
  AskedRequest& request = *plan.request;
  edge::Inspection seen = plan.cache->inspect(request.view(now_ms), true);
  if (request.bypasses()) {
    if (request.route().cache_bypass->store) {
      if (seen.outcome == edge::Outcome::stale) seen.why += ", as the route's cache_bypass says";
    } else if (found.outcome.empty()) {
      found.outcome = edge::name_of(edge::Outcome::bypass);
      found.why = "passed by, as the route's cache_bypass says";
    }
  }
  if (found.outcome.empty()) {
    found.outcome = edge::name_of(seen.outcome);
    found.why = seen.why;
  }
  RouteNames({request.route()}).tell(seen.key);
  found.caches.emplace_back(plan.cache->name(), std::move(seen));
  return std::move(found);
}

}  // namespace portolan::daemon
