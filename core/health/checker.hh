#pragma once
// Runs checks, each (server, check) pair once a process whoever asks for it. Control worker only.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/health/board.hh"
#include "core/health/probe.hh"

namespace portolan::health {

class Target;

// Told of every result, from the loop. Must not drop targets inside the call.
class CheckObserver {
 public:
  // `changed`: the target's state or reason is another than before.
  virtual void on_check(const Target& target, bool good, bool changed) = 0;

 protected:
  ~CheckObserver() = default;
};

// A server under check, from its first check (at once) until its last reference goes.
//
// Checks start every `interval` counted from start to start, whether or not the previous one has
// ended: a server that dies right after a good check is down after at most interval × fall, one
// that freezes after interval × fall + timeout, for any relation of the two. Never more than `fall`
// run at once (more could not be needed to know). Jitter shortens an interval by up to a tenth and
// never lengthens it. The first result decides alone: who is dead at the start is not asked until `fall` more have said so.
class Target {
 public:
  Target(loop::Worker& worker, CheckObserver& observer, const StartProbe& start, const SocketAddress& address,
         const CheckConfig& check);
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  const SocketAddress& address() const { return address_; }
  const CheckConfig& check() const { return check_; }
  State state() const { return state_; }  // unknown, up or down
  const std::string& reason() const { return reason_; }
  int in_a_row() const { return in_a_row_; }  // results like the last one
  // Whatever the next checks say, so long at least passes before it is another state: whoever serves is down, who is down
  // is up. The next check may come at once.
  int64_t steady_ms() const;

 private:
  struct Attempt;
  void begin();
  void on_due();
  void launch();
  void on_verdict(uint64_t number, Verdict verdict);
  void on_timeout(uint64_t number);
  bool count(const Verdict& verdict);
  void drop(uint64_t number);

  loop::Worker& worker_;
  CheckObserver& observer_;
  const StartProbe& start_;
  SocketAddress address_;
  CheckConfig check_;
  State state_ = State::unknown;
  std::string reason_ = "not checked yet";
  bool last_good_ = false;
  int in_a_row_ = 0;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // under way, oldest first
  uint64_t launched_ = 0;
  uint64_t newest_counted_ = 0;
  bool owed_ = false;  // a start was skipped: too many under way
  int64_t next_start_ms_ = 0;
  loop::Timer due_;
};

class Checker {
 public:
  Checker(loop::Worker& worker, CheckObserver& observer, StartProbe start);
  // The same target for the same address and check while anybody holds it: keep the old reference
  // until the new one is there, and a reload changes neither state nor timing.
  std::shared_ptr<Target> watch(const SocketAddress& address, const CheckConfig& check);
  size_t size();  // targets alive

 private:
  loop::Worker& worker_;
  CheckObserver& observer_;
  StartProbe start_;
  std::map<SocketAddress, std::vector<std::weak_ptr<Target>>> targets_;
};

}  // namespace portolan::health
