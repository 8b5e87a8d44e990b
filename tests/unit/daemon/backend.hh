#pragma once
// A daemon that does nothing but remember what it was asked.
#include <string>
#include <vector>

#include "daemon/admin.hh"

namespace portolan::daemon {

class FakeBackend final : public AdminBackend {
 public:
  StatusReport status() override { return report; }
  void reload(std::function<void(const ReloadResult&)> done) override {
    calls.push_back("reload");
    if (reload_later)
      waiting.push_back(std::move(done));
    else
      done({errors, notes});
  }
  Status drain_server(const std::string& pool, const std::string& address, bool drain) override {
    calls.push_back((drain ? "drain " : "enable ") + pool + " " + address);
    return pool == "app" ? Status() : Error{"no pool " + pool + "; there are: app", 404};
  }
  Status drain_datacenter(const std::string& name, bool drain) override {
    calls.push_back((drain ? "drain " : "enable ") + name);
    return {};
  }
  Status drain_node(bool drain) override {
    calls.push_back(drain ? "drain node" : "enable node");
    return {};
  }
  Result<uint64_t> purge(const std::string& url) override {
    calls.push_back("purge " + url);
    if (url.starts_with("http")) return uint64_t{3};
    return Error{"not a URL: " + url, 400};
  }
  Result<std::vector<std::string>> set_maintenance(const std::string& route, bool on) override {
    calls.push_back("maintenance " + std::string(on ? "on " : "off ") + route);
    if (route == "nowhere") return Error{"no route nowhere has maintenance; there are: shop", 404};
    return std::vector<std::string>{"shop"};
  }
  Result<std::string> explain(const ExplainRequest& request) override {
    calls.push_back("explain " + to_json(request));
    if (request.url.starts_with("http")) return std::string("route      any\n");
    return Error{"not a URL: " + request.url, 400};
  }
  CacheCounts cache_counts() override { return counts; }
  CacheTops cache_top(size_t most) override {
    calls.push_back("top " + std::to_string(most));
    return tops;
  }
  Result<CacheInspections> inspect(const ExplainRequest& request) override {
    calls.push_back("inspect " + to_json(request));
    if (request.url.starts_with("http")) return inspections;
    return Error{"not a URL: " + request.url, 400};
  }
  std::string metrics_text() override { return "portolan_requests_total 7\n"; }
  void ready(int64_t hold_ms, std::function<void(Status)> done) override {
    if (hold_ms) calls.push_back("hold " + std::to_string(hold_ms));
    done(is_ready ? Status() : Error{"no listener is open yet"});
  }
  health::Report health() override { return told; }

  StatusReport report;
  CacheCounts counts;
  CacheTops tops;
  CacheInspections inspections;
  health::Report told{"edge-1", "us-east", 1, false, {{"app", {2, 2, 1, health::State::up}}}};
  bool is_ready = true;
  bool reload_later = false;
  std::vector<std::string> errors, notes;
  std::vector<std::string> calls;
  std::vector<std::function<void(const ReloadResult&)>> waiting;
};

}  // namespace portolan::daemon
