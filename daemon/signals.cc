#include "daemon/signals.hh"

#include <sys/signalfd.h>
#include <csignal>

namespace portolan::daemon {
namespace {

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, s);
  return set;
}

int open_signals() {
  sigset_t set = watched();
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

}  // namespace

void Signals::block() {
  sigset_t set = watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Signals::Signals(loop::Worker& control, std::function<void(int)> on_signal)
    : on_signal_(std::move(on_signal)),
      fd_(open_signals()),
      event_(control, fd_.get(), loop::SocketEvent::Mode::level_read, this, &loop::Calls<&Signals::on_ready>::call) {}

void Signals::on_ready(loop::Ready) {
  signalfd_siginfo info;
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) on_signal_(static_cast<int>(info.ssi_signo));
}

}  // namespace portolan::daemon
