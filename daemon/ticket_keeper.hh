#pragma once
// Makes the keys of session tickets, changes them in time, and keeps them in a file over a restart. Control worker only.
#include <functional>
#include <memory>
#include <string>

#include "core/base/clock.hh"
#include "core/base/io.hh"
#include "core/crypto/ticket_keys.hh"
#include "core/loop/event.hh"
#include "core/loop/worker.hh"

namespace portolan::daemon {

class TicketKeeper {
 public:
  using Publish = std::function<void(std::shared_ptr<const crypto::TicketKeys>)>;
  // `directory`: where the file is kept; empty: nowhere. Publishes at once, and whenever a key is added.
  TicketKeeper(loop::Worker& control, Executor& executor, const std::string& directory, Publish publish);

 private:
  void look();
  void save() const;
  loop::Worker& control_;
  Executor& executor_;
  std::string path_;  // empty: kept in memory alone
  Publish publish_;
  crypto::TicketKeys keys_;
  loop::Timer timer_;
};

}  // namespace portolan::daemon
