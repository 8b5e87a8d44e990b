#pragma once
// Another Portolan, followed through its /health?watch=1: a line at once, a line at every change,
// and a heartbeat at least twice an interval. Control worker only.
//
// Failures are counted like a check's: an interval without a word, a refused or broken connection,
// an answer that is no report. `fall` in a row make it down, within interval × fall of its death or
// freeze. One that was down is believed again after `rise` lines.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/client/client.hh"
#include "core/client/url.hh"
#include "core/health/config.hh"
#include "core/health/names.hh"
#include "core/health/report.hh"

namespace portolan::health {

class Peer {
 public:
  Peer(loop::Worker& worker, Names& names, const client::Url& url, const CheckConfig& check,
       const std::function<void()>& on_change);
  State state() const { return state_; }  // unknown (no contact yet), up or down
  const std::string& reason() const { return reason_; }
  const Report& report() const { return report_; }  // the last one heard
  const client::Url& url() const { return url_; }
  const CheckConfig& check() const { return check_; }

 private:
  void attempt();
  void on_tick();
  void on_head(int status);
  void on_data(std::string_view data);
  void on_line(std::string_view line);
  void on_end(std::string reason);
  void fail(std::string reason);

  loop::Worker& worker_;
  client::Url url_;
  CheckConfig check_;
  const std::function<void()>& on_change_;
  Endpoint endpoint_;
  State state_ = State::unknown;
  std::string reason_ = "not heard from yet";
  Report report_;
  int good_ = 0;        // lines in a row
  int bad_ = 0;         // failures in a row
  bool heard_ = false;  // a line came on this connection
  int64_t attempt_ms_ = 0;
  std::string line_;
  std::unique_ptr<client::Call> call_;  // empty: nothing under way until the next tick
  loop::Timer tick_;
};

class Peers {
 public:
  // `on_change` runs when a peer's state or report changed. Must not drop peers inside the call.
  Peers(loop::Worker& worker, Names& names, std::function<void()> on_change);
  std::shared_ptr<Peer> watch(const client::Url& url,
                              const CheckConfig& check);  // shared while held
  std::vector<std::shared_ptr<const Peer>> all() const;

 private:
  loop::Worker& worker_;
  Names& names_;
  std::function<void()> on_change_;
  std::vector<std::weak_ptr<Peer>> peers_;
};

}  // namespace portolan::health
