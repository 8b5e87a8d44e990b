#pragma once
// `portolan explain dns`: what somebody would be answered, stage by stage, without asking and without counting. Pure but
// for the Rng, by which a pick that goes by chance goes.
#include <string>

#include "core/base/result.hh"
#include "geodns/view.hh"

namespace portolan::geodns {

struct ExplainDnsRequest {
  std::string name;
  std::string type = "A";          // any but ANY
  std::string from = "127.0.0.1";  // an address, or as a resolver tells it a network: "192.0.2.0/24"
};

// Lines for people. An error where what was asked makes no sense.
Result<std::string> explain_dns(const ExplainDnsRequest& request, const View& view, Rng& rng);

}  // namespace portolan::geodns
