#include "geodns/session.hh"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "core/dns/wire.hh"

namespace portolan::geodns {
namespace {

constexpr size_t read_size = 4096;
constexpr int reads_a_turn = 8;
constexpr size_t max_pending = 65536;  // output waiting before reading stops

}  // namespace

Frames::Result Frames::take(std::span<const uint8_t>& in, std::span<const uint8_t>& message) {
  if (complete_) partial_.clear();
  complete_ = false;
  const auto want = [&](size_t size) {
    const size_t n = std::min(size - partial_.size(), in.size());
    partial_.insert(partial_.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(n));
    in = in.subspan(n);
    return partial_.size() == size;
  };
  if (partial_.size() < 2 && !want(2)) return Result::more;
  const size_t size = dns::load16(partial_.data());
  if (size == 0 || size > max_query_size) return Result::refused;
  if (!want(2 + size)) return Result::more;
  complete_ = true;
  message = {partial_.data() + 2, size};
  return Result::message;
}

Session::Session(loop::Worker& worker, UniqueFd socket, const IpAddress& client, Owner& owner)
    : worker_(worker),
      socket_(std::move(socket)),
      client_(client),
      owner_(owner),
      timer_(worker, this, &loop::Calls<&Session::on_timeout>::call),
      event_(worker, socket_.get(), loop::SocketEvent::Mode::edge_read_write, this,
             &loop::Calls<&Session::on_ready>::call) {
  timer_.set(owner.idle_timeout_ms);
}

void Session::on_ready(loop::Ready) {
  proceed();
}
void Session::on_timeout() {
  end();
}
void Session::run() {
  proceed();
}

void Session::end() {
  if (ended_) return;
  ended_ = true;
  timer_.cancel();
  owner_.on_end(*this);
}

void Session::proceed() {
  for (int i = 0; i < reads_a_turn && !ended_; i++) {
    if (!flush()) return;
    const Progress progress = read_some();
    if (progress == Progress::end) return end();
    if (progress == Progress::blocked) return;
  }
  if (!ended_) worker_.run_next_turn(*this);
}

Session::Progress Session::read_some() {
  uint8_t buffer[read_size];
  const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Progress::blocked;
  if (n < 0 && errno == EINTR) return Progress::again;
  if (n <= 0) return Progress::end;
  return answer_all({buffer, static_cast<size_t>(n)}) ? Progress::again : Progress::end;
}

// Every query in what was just read; answers go out together (RFC 7766 §6.2.1.1).
bool Session::answer_all(std::span<const uint8_t> in) {
  for (;;) {
    std::span<const uint8_t> query;
    const Frames::Result result = frames_.take(in, query);
    if (result == Frames::Result::refused) return false;
    if (result == Frames::Result::more) return true;
    const size_t size = owner_.on_query(*this, query, owner_.scratch);
    if (out_.empty()) timer_.set(owner_.idle_timeout_ms);
    if (size == 0) continue;
    const size_t at = out_.size();
    out_.resize(at + 2 + size);
    dns::store16(&out_[at], static_cast<unsigned>(size));
    std::copy_n(owner_.scratch.begin(), size, out_.begin() + static_cast<std::ptrdiff_t>(at + 2));
    if (out_.size() - sent_ < max_pending || flush()) continue;
    if (ended_ || out_.size() - sent_ >= 2 * max_pending) return false;  // it asks for much and takes little
  }
}

// True when nothing is left to send.
bool Session::flush() {
  while (sent_ < out_.size()) {
    const ssize_t n = ::send(socket_.get(), &out_[sent_], out_.size() - sent_, MSG_NOSIGNAL);
    if (n > 0) {
      sent_ += static_cast<size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return false;
    } else if (errno != EINTR) {
      end();
      return false;
    }
  }
  if (!out_.empty()) timer_.set(owner_.idle_timeout_ms);
  out_.clear();
  if (out_.capacity() > max_pending) out_.shrink_to_fit();
  sent_ = 0;
  return true;
}

}  // namespace portolan::geodns
