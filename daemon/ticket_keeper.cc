#include "daemon/ticket_keeper.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/fd.hh"
#include "core/base/log.hh"

namespace portolan::daemon {
namespace {

constexpr int64_t look_every_ms = 60'000;
constexpr size_t largest = 4096;

// Empty where there is none. Whoever may read these keys may read recorded traffic: a file that others can read is not
// believed.
std::string read_keys(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return {};
  struct stat s {};
  if (::fstat(fd.get(), &s) != 0 || s.st_mode & 077) {
    log::warning("ticket keys are not private; new ones are made", {{"file", path}});
    return {};
  }
  std::string bytes(largest, '\0');
  ssize_t n = ::read(fd.get(), bytes.data(), bytes.size());
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return bytes;
}

Status write_keys(const std::string& path, const std::string& bytes) {
  std::string next = path + ".new";
  UniqueFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return system_error("cannot write " + next);
  if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || ::fsync(fd.get()) != 0)
    return system_error("cannot write " + next);
  if (::rename(next.c_str(), path.c_str()) != 0) return system_error("cannot replace " + path);
  return {};
}

}  // namespace

TicketKeeper::TicketKeeper(loop::Worker& control, Executor& executor, const std::string& directory, Publish publish)
    : control_(control),
      executor_(executor),
      path_(directory.empty() ? "" : directory + "/ticket-keys"),
      publish_(std::move(publish)),
      timer_(control, this, &loop::Calls<&TicketKeeper::look>::call) {
  if (std::string bytes = path_.empty() ? "" : read_keys(path_); !bytes.empty()) {
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
    if (auto written = write_keys(path, bytes); !written)
      log::warning("ticket keys are not kept: clients will not resume after a restart",
                   {{"reason", written.error().text}});
  });
}

}  // namespace portolan::daemon
