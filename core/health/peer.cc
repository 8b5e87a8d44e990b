#include "core/health/peer.hh"

#include <algorithm>

namespace portolan::health {

namespace {

constexpr size_t longest_line = 1u << 20;
constexpr int64_t longest_heartbeat_ms = 1'000;
constexpr int64_t shortest_heartbeat_ms = 50;

}  // namespace

Peer::Peer(loop::Worker& worker, Names& names, const client::Url& url, const CheckConfig& check,
           const std::function<void()>& on_change)
    : worker_(worker),
      url_(url),
      check_(check),
      on_change_(on_change),
      endpoint_(names, url.endpoint),
      tick_(worker, this, &loop::Calls<&Peer::on_tick>::call) {
  attempt();
}

void Peer::attempt() {
  attempt_ms_ = worker_.now_ms();
  heard_ = false;
  line_.clear();
  call_.reset();
  tick_.set(check_.interval_ms);
  auto address = endpoint_.first();
  if (!address) return fail("name " + endpoint_.configured().host + " is not resolved");
  int64_t heartbeat = std::clamp(check_.interval_ms / 2, shortest_heartbeat_ms, longest_heartbeat_ms);
  client::Request request;
  request.to = *address;
  request.host = url_.authority;
  request.target = "/health?watch=1&heartbeat_ms=" + std::to_string(heartbeat);
  request.timeout_ms = check_.timeout_ms;
  client::StreamCallbacks callbacks;
  callbacks.on_head = [this](const http::ResponseHead& head) { on_head(head.status); };
  callbacks.on_data = [this](std::string_view data) { on_data(data); };
  callbacks.on_end = [this](Status status) { on_end(status ? "the connection was closed" : status.error().text); };
  call_ = client::stream(worker_, std::move(request), std::move(callbacks));
}

// An interval without a line, or the pause after a failed attempt.
void Peer::on_tick() {
  if (call_) fail("no word for " + std::to_string(check_.interval_ms) + " ms");
  attempt();
}

void Peer::on_head(int status) {
  if (status != 200) on_end("HTTP " + std::to_string(status));
}

void Peer::on_data(std::string_view data) {
  while (call_) {
    size_t newline = data.find('\n');
    line_.append(data.substr(0, newline));
    if (line_.size() > longest_line) return on_end("a line is longer than 1 MiB");
    if (newline == std::string_view::npos) return;
    data.remove_prefix(newline + 1);
    std::string line = std::move(line_);
    line_.clear();
    if (!line.empty()) on_line(line);
  }
}

void Peer::on_line(std::string_view line) {
  auto report = parse_report(line);
  if (!report) return on_end("its report is unreadable: " + report.error().text);
  tick_.set(check_.interval_ms);
  heard_ = true;
  bad_ = 0;
  ++good_;
  State before = state_;
  if (state_ == State::unknown || (state_ == State::down && good_ >= check_.rise)) state_ = State::up;
  if (state_ != before) reason_ = "heard from " + report->server;
  bool news = state_ != before || !report->says_as(report_);
  report_ = std::move(*report);
  if (news) on_change_();
}

void Peer::on_end(std::string reason) {
  call_.reset();
  // A peer that was well and closed has most likely been restarted: ask again before calling it a
  // failure.
  bool lasted = heard_ && worker_.now_ms() - attempt_ms_ >= check_.interval_ms;
  if (lasted) return attempt();
  fail(std::move(reason));
}

void Peer::fail(std::string reason) {
  good_ = 0;
  ++bad_;
  if (bad_ < check_.fall) return;
  bool news = state_ != State::down || reason_ != reason;
  state_ = State::down;
  reason_ = std::move(reason);
  if (news) on_change_();
}

Peers::Peers(loop::Worker& worker, Names& names, std::function<void()> on_change)
    : worker_(worker), names_(names), on_change_(std::move(on_change)) {}

std::shared_ptr<Peer> Peers::watch(const client::Url& url, const CheckConfig& check) {
  std::erase_if(peers_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : peers_)
    if (auto peer = weak.lock(); peer->url().authority == url.authority && peer->check() == check) return peer;
  auto peer = std::make_shared<Peer>(worker_, names_, url, check, on_change_);
  peers_.push_back(peer);
  return peer;
}

std::vector<std::shared_ptr<const Peer>> Peers::all() const {
  std::vector<std::shared_ptr<const Peer>> list;
  for (const auto& weak : peers_)
    if (auto peer = weak.lock()) list.push_back(std::move(peer));
  return list;
}

}  // namespace portolan::health
