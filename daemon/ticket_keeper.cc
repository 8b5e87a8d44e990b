#include "daemon/ticket_keeper.hh"

#include "core/base/log.hh"
#include "daemon/private_file.hh"

namespace portolan::daemon {
namespace {

constexpr int64_t look_every_ms = 60'000;
}  // namespace

TicketKeeper::TicketKeeper(loop::Worker& control, Executor& executor, const std::string& directory, Publish publish)
    : control_(control),
      executor_(executor),
      path_(directory.empty() ? "" : directory + "/ticket-keys"),
      publish_(std::move(publish)),
      timer_(control, this, &loop::Calls<&TicketKeeper::look>::call) {
  if (std::string bytes = path_.empty() ? "" : read_private(path_); !bytes.empty()) {
    auto read = crypto::TicketKeys::read(bytes);
    if (read) {
      keys_ = std::move(*read);
    } else {
      log::warning("cannot use the ticket keys; new ones are made", {{"file", path_}, {"reason", read.error().text}});
    }
  }
  bool rotated = false;
  keys_ = keys_.at(control_.wall_ms() / 1000, rotated);
  if (rotated) save();
  publish_(std::make_shared<crypto::TicketKeys>(keys_));
  timer_.set(look_every_ms);
}

void TicketKeeper::look() {
  timer_.set(look_every_ms);
  bool rotated = false;
  crypto::TicketKeys next = keys_.at(control_.wall_ms() / 1000, rotated);
  if (!rotated) return;
  keys_ = std::move(next);
  save();
  publish_(std::make_shared<crypto::TicketKeys>(keys_));
}

void TicketKeeper::save() const {
  if (path_.empty()) return;
  executor_.submit([path = path_, bytes = keys_.write()] {
    if (auto written = write_private(path, bytes); !written)
      log::warning("ticket keys are not kept: clients will not resume after a restart",
                   {{"setting", "server.state"}, {"reason", written.error().text}});
  });
}

}  // namespace portolan::daemon
