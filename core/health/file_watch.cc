#include "core/health/file_watch.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "core/base/fd.hh"

namespace portolan::health {
namespace {

constexpr size_t most_bytes = 64;

std::string_view first_word(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return text.substr(0, text.find_first_of(blanks));
}

}  // namespace

FileWatch::FileWatch(loop::Worker& worker, std::string path, int64_t max_age_ms, int64_t interval_ms,
                     const std::function<void()>& on_change)
    : worker_(worker),
      path_(std::move(path)),
      max_age_ms_(max_age_ms),
      interval_ms_(interval_ms),
      on_change_(on_change),
      health_(read()),
      due_(worker, this, &loop::Calls<&FileWatch::on_due>::call) {
  due_.set(interval_ms_);
}

void FileWatch::on_due() {
  due_.set(interval_ms_);
  Health now = read();
  const bool news = now.state != health_.state || now.reason != health_.reason;
  health_ = std::move(now);
  if (news) on_change_();
}

Health FileWatch::read() const {
  const auto nothing = [this](std::string why) { return Health{State::unknown, path_ + " " + why, 0, 0}; };
  // O_NONBLOCK: a FIFO in its place must not hold anybody up.
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (fd.get() < 0 || ::fstat(fd.get(), &status) != 0) return {State::unknown, system_error(path_, errno).text, 0, 0};
  if (!S_ISREG(status.st_mode)) return nothing("is not a regular file");
  const int64_t age_ms = worker_.wall_ms() - (status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000);
  if (max_age_ms_ > 0 && age_ms > max_age_ms_)
    return nothing("was not written for more than " + std::to_string(max_age_ms_ / 1000) + " s");
  char bytes[most_bytes];
  const ssize_t size = ::read(fd.get(), bytes, sizeof bytes);
  const std::string_view word = first_word({bytes, size < 0 ? 0 : static_cast<size_t>(size)});
  for (const State state : {State::up, State::down, State::draining})
    if (word == to_string(state)) return {state, path_ + " says so", 0, 0};
  return nothing("says none of up, down, draining");
}

}  // namespace portolan::health
