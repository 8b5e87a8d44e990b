#include "daemon/remote.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "core/client/client.hh"
#include "daemon/status.hh"

namespace portolan::daemon {

using nlohmann::json;

namespace {

constexpr int64_t answer_ms = 60'000;  // a reload may read large databases
constexpr size_t largest_answer = 64u << 20;
constexpr std::chrono::milliseconds poll_every{100};

// Why no request could be made, with what to do about it.
std::string unreachable(const std::string& admin, const Error& error) {
  std::string text = "cannot reach the daemon at " + admin + ": " + error.text;
  if (error.code == ENOENT || error.code == ECONNREFUSED)
    text += "; is it running? `--admin unix:/path` or `--config FILE` names another socket";
  if (error.code == EACCES || error.code == EPERM) text += "; run this as root or as the daemon's user";
  return text;
}

}  // namespace

bool Remote::complain(const std::string& what) const {
  err_ << "portolan: " << what << "\n";
  return false;
}

bool Remote::ask(const std::string& method, const std::string& target, const std::string& body,
                 std::string& answer) const {
  auto address = SocketAddress::parse(admin_);
  if (!address) return complain(address.error().text);
  client::Request request;
  request.to = *address;
  request.method = method;
  request.target = target;
  request.body = body;
  if (!body.empty()) request.fields = {{"Content-Type", "application/json"}};
  request.timeout_ms = answer_ms;
  request.max_body_bytes = largest_answer;
  auto response = client::call_blocking(std::move(request));
  if (!response) return complain(unreachable(admin_, response.error()));
  answer = std::move(response->body);
  if (response->status == 200) return true;

  json j = json::parse(answer, nullptr, false);
  std::string what = "the daemon answered " + std::to_string(response->status);
  if (j.is_object() && j.contains("error") && j["error"].is_string()) what = j["error"];
  complain(what);
  if (j.is_object() && j.contains("errors"))
    for (const json& e : j["errors"])
      if (e.is_string()) err_ << e.get<std::string>() << "\n";
  return false;
}

int Remote::status(bool as_json, bool peers) const {
  std::string answer;
  if (!ask("GET", "/status", "", answer)) return 1;
  if (as_json) {
    out_ << answer;
    return 0;
  }
  auto report = parse_status(answer);
  if (!report) return complain(report.error().text), 1;
  out_ << (peers ? peers_tables(*report) : status_tables(*report));
  return 0;
}

int Remote::reload() const {
  std::string answer;
  if (!ask("POST", "/reload", "", answer)) return 1;
  out_ << "reloaded\n";
  json j = json::parse(answer, nullptr, false);
  if (j.is_object() && j.contains("notes") && j["notes"].is_array())
    for (const json& note : j["notes"])
      if (note.is_string()) out_ << note.get<std::string>() << "\n";
  return 0;
}

int Remote::drain_server(const std::string& pool, const std::string& address, bool drain) const {
  json body = {{"server", {{"pool", pool}, {"address", address}}}};
  std::string answer;
  if (!ask("POST", drain ? "/drain" : "/enable", body.dump(), answer)) return 1;
  out_ << "server " << address << " of pool " << pool << (drain ? " drains\n" : " is enabled\n");
  return 0;
}

int Remote::drain_datacenter(const std::string& name, bool drain) const {
  json body = {{"datacenter", name}};
  std::string answer;
  if (!ask("POST", drain ? "/drain" : "/enable", body.dump(), answer)) return 1;
  out_ << "datacenter " << name << (drain ? " drains\n" : " is enabled\n");
  return 0;
}

int Remote::maintenance(const std::string& route, bool on) const {
  json body = {{"on", on}};
  if (!route.empty()) body["route"] = route;
  std::string answer;
  if (!ask("POST", "/maintenance", body.dump(-1, ' ', false, json::error_handler_t::replace), answer)) return 1;
  json j = json::parse(answer, nullptr, false);
  if (j.is_object() && j.contains("routes") && j["routes"].is_array())
    for (const json& name : j["routes"])
      if (name.is_string())
        out_ << "route " << name.get<std::string>() << (on ? " is in maintenance\n" : " serves again\n");
  return 0;
}

int Remote::drain_node(bool drain) const {
  std::string answer;
  if (!ask("POST", drain ? "/drain" : "/enable", json{{"node", true}}.dump(), answer)) return 1;
  out_ << (drain ? "this node is not ready any more and ends its connections\n" : "this node is ready again\n");
  return 0;
}

int Remote::explain(const ExplainRequest& request) const {
  std::string answer;
  if (!ask("POST", "/explain", to_json(request), answer)) return 1;
  out_ << answer;
  return 0;
}

int Remote::explain_dns(const geodns::ExplainDnsRequest& request) const {
  std::string answer;
  const json body = {{"name", request.name}, {"type", request.type}, {"from", request.from}};
  if (!ask("POST", "/explain/dns", body.dump(), answer)) return 1;
  out_ << answer;
  return 0;
}

int Remote::cache_stats(bool as_json, bool segments) const {
  std::string answer;
  if (!ask("GET", fmt::format("/cache{}{}", segments ? "/segments" : "", as_json ? "" : "?format=text"), "", answer))
    return 1;
  out_ << answer;
  return 0;
}

int Remote::cache_verify(const VerifyOptions& options) const {
  std::string answer;
  auto state_of = [&](const char* method, const std::string& target) -> Result<VerifyState> {
    if (!ask(method, target, "", answer)) return Error{};
    auto state = parse_verify_state(answer);
    if (!state) complain(state.error().text);
    return state;
  };
  auto state = state_of("POST", "/cache/verify" + (options.cache.empty() ? "" : "?cache=" + options.cache));
  if (!state) return 2;
  const uint64_t number = state->number;
  {
    VerifyBar bar(err_, options.bar);
    while (state->running) {
      for (const StoreCheck& store : state->stores)
        if (!store.report && store.failure.empty()) {
          bar.draw(store);
          break;
        }
      std::this_thread::sleep_for(poll_every);
      state = state_of("GET", "/cache/verify");
      if (!state) return 2;
      if (state->number != number) return complain("another check began meanwhile, or the daemon anew"), 2;
    }
  }
  if (!options.json) return tell(*state, options, out_, err_);
  if (!ask("GET", "/cache/verify?segments=1", "", answer)) return 2;
  out_ << answer;
  return exit_code(*state);
}

int Remote::cache_top(unsigned most, bool as_json) const {
  std::string answer;
  if (!ask("GET", fmt::format("/cache/top?n={}{}", most, as_json ? "" : "&format=text"), "", answer)) return 1;
  out_ << answer;
  return 0;
}

int Remote::cache_inspect(const ExplainRequest& request, bool as_json) const {
  std::string answer;
  if (!ask("POST", as_json ? "/cache/inspect" : "/cache/inspect?format=text", to_json(request), answer)) return 1;
  out_ << answer;
  return 0;
}

int Remote::warm(const WarmOptions& options) const {
  std::string answer;
  if (!ask("GET", "/status", "", answer)) return 1;
  auto report = parse_status(answer);
  if (!report) return complain(report.error().text), 1;
  auto sign = [this](const SignOrder& order) { return this->sign(order); };
  if (options.file == "-") return warm_cache(report->listeners, options, sign, std::cin, out_, err_);
  std::ifstream list(options.file);
  if (list) list.peek();  // of a directory only a read says that it is one
  if (!list && !list.eof()) return complain("cannot read " + options.file + ": " + std::strerror(errno)), 2;
  list.clear();
  return warm_cache(report->listeners, options, sign, list, out_, err_);
}

Result<std::vector<std::string>> Remote::sign(const SignOrder& order) const {
  std::string answer;
  if (!ask("POST", "/sign-urls", to_json(order), answer)) return Error{};
  auto urls = parse_urls(answer);
  if (urls && urls->size() != order.urls.size()) return Error{"the daemon's answer has other URLs"};
  return urls;
}

// Objects of URLs are taken out at once and counted; for all else there is nothing to count.
int Remote::purge(const PurgeOrder& order) const {
  std::string answer;
  if (!ask("POST", "/purge", to_json(order), answer)) return 1;
  json j = json::parse(answer, nullptr, false);
  bool counted = j.is_object() && j.contains("purged") && j["purged"].is_number();
  uint64_t purged = counted ? j["purged"].get<uint64_t>() : 0;
  bool counts = std::all_of(order.purges.begin(), order.purges.end(),
                            [](const edge::Purge& p) { return p.kind == edge::PurgeKind::url && !p.soft; });
  if (counts) {
    const bool disk = j.contains("disk") && j["disk"] == true;
    out_ << purged << (purged == 1 ? " object" : " objects") << (disk ? " in memory" : "") << " purged"
         << (disk ? "; what is on the disk is outdated with them, and not counted\n" : "\n");
    return 0;
  }
  for (const edge::Purge& p : order.purges)
    out_ << edge::name_of(p.kind) << (p.value.empty() ? "" : " ") << p.value
         << (p.soft ? " is stale now\n" : " is purged\n");
  return 0;
}

int Remote::cache_dump(const std::string& cache, unsigned most, const std::string& file) const {
  std::string answer;
  std::string target = fmt::format("/cache/urls?n={}", most);
  if (!cache.empty()) target += "&cache=" + cache;
  if (!ask("GET", target, "", answer)) return 1;
  if (file == "-") {
    out_ << answer;
    return 0;
  }
  errno = 0;
  std::ofstream list(file, std::ios::trunc);
  if (list) list << answer;
  if (list) list.close();
  if (!list) return complain("cannot write " + file + (errno ? ": " + std::string(std::strerror(errno)) : "")), 1;
  out_ << file << ": " << std::count(answer.begin(), answer.end(), '\n') << " URLs\n";
  return 0;
}

}  // namespace portolan::daemon
