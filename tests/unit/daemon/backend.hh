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
  void purge(PurgeOrder order, std::function<void(Result<PurgeOutcome>)> done) override {
    calls.push_back("purge " + to_json(order));
    who = order.who;
    if (!order.cache.empty() && order.cache != "edge") return done(Error{"no cache " + order.cache, 404});
    done(PurgeOutcome{3, {{"edge", 7}}, disk});
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
  std::vector<std::string> sign_urls(const SignOrder& order) override {
    calls.push_back("sign " + to_json(order));
    std::vector<std::string> out;
    for (const std::string& url : order.urls) out.push_back(url + "?signed");
    return out;
  }
  Result<std::string> explain_dns(const geodns::ExplainDnsRequest& request) override {
    calls.push_back("explain dns " + request.name + " " + request.type + " from " + request.from);
    if (request.type == "A") return std::string("question    ") + request.name + "\n";
    return Error{"only A", 400};
  }
  CacheCounts cache_counts() override { return counts; }
  CacheSegments cache_segments() override { return segments; }
  Status begin_check(const std::string& cache) override {
    calls.push_back("check " + cache);
    if (cache == "none") return Error{"there is no cache none with a disk", 404};
    if (checks.empty()) return Error{"the stores are being checked already", 409};
    return {};
  }
  VerifyState check() override {
    VerifyState state = checks.at(0);
    if (checks.size() > 1) checks.erase(checks.begin());
    return state;
  }
  CacheTops cache_top(size_t most) override {
    calls.push_back("top " + std::to_string(most));
    return tops;
  }
  Result<std::vector<std::string>> hot_urls(const std::string& cache, size_t most) override {
    calls.push_back("urls " + std::to_string(most) + cache);
    if (cache == "none") return Error{"no cache none", 404};
    return std::vector<std::string>{"http://a/1", "http://a/2"};
  }
  void inspect(const ExplainRequest& request, std::function<void(Result<CacheInspections>)> done) override {
    calls.push_back("inspect " + to_json(request));
    if (request.url.starts_with("http")) return done(inspections);
    done(Error{"not a URL: " + request.url, 400});
  }
  std::string metrics_text() override { return "portolan_requests_total 7\n"; }
  void ready(int64_t hold_ms, std::function<void(Status)> done) override {
    if (hold_ms) calls.push_back("hold " + std::to_string(hold_ms));
    done(is_ready ? Status() : Error{"no listener is open yet"});
  }
  health::Report health() override { return told; }

  StatusReport report;
  CacheCounts counts;
  CacheSegments segments;
  std::vector<VerifyState> checks;  // told one after the other, the last again and again
  CacheTops tops;
  CacheInspections inspections;
  health::Report told{"edge-1", "us-east", 1, false, {{"app", {2, 2, 1, health::State::up}}}};
  bool is_ready = true;
  bool disk = false;
  bool reload_later = false;
  std::vector<std::string> errors, notes;
  std::vector<std::string> calls;
  std::string who;
  std::vector<std::function<void(const ReloadResult&)>> waiting;
};

}  // namespace portolan::daemon
