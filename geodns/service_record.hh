#pragma once
// A name that is answered with a service: A and AAAA chosen by policy among its datacentres; a CNAME where its sites have
// names.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "geodns/config.hh"
#include "geodns/directory.hh"
#include "geodns/plan.hh"
#include "geodns/rdata_svcb.hh"

namespace portolan::geodns {

// What is answered where no datacentre is usable.
enum class LastResort : uint8_t { all, first, none };

struct ServiceRecord {
  static constexpr int no_plan = -1;
  uint32_t service = 0;  // Directory's index
  const PolicyPart* policy = nullptr;
  uint32_t ttl_s = 30;
  uint32_t answers = 1;  // datacentres; Slate::every
  LastResort last_resort = LastResort::all;
  int plan[2] = {no_plan, no_plan};    // for IPv4 (or names) and IPv6, index into View::plans; none: no such addresses
  int flow[2] = {no_plan, no_plan};    // the same of ZoneSet::flows()
  std::unique_ptr<HintedRdata> https;  // null: it has no HTTPS record
};

// A service and a plan its queries go by.
struct Flow {
  uint32_t service = 0;
  int plan = 0;
};

// The specs of all records of a configuration, each once.
class PlanSpecs {
 public:
  int add(PlanSpec spec);                    // its index
  int add_flow(uint32_t service, int plan);  // its index
  const std::vector<PlanSpec>& list() const { return list_; }
  const std::vector<Flow>& flows() const { return flows_; }

 private:
  std::vector<PlanSpec> list_;
  std::map<std::string, int> known_;
  std::vector<Flow> flows_;
  std::map<std::pair<uint32_t, int>, int> known_flows_;
};

// Makes the record and adds its plans to `specs`; whatever is wrong is appended to `mistakes`. `config.service` is the name
// of `directory.services[service]`.
ServiceRecord make_service_record(const RecordConfig& config, uint32_t service, const Directory& directory,
                                  PlanSpecs& specs, std::vector<Mistake>& mistakes);

}  // namespace portolan::geodns
