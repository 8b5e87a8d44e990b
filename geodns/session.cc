#include "geodns/session.hh"

#include <algorithm>

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

Session::Session(loop::Worker& worker, UniqueFd socket, const IpAddress& client, Owner& owner, loop::TlsAcceptor* tls)
    : worker_(worker),
      client_(client),
      owner_(owner),
      timer_(worker, this, &loop::Calls<&Session::on_timeout>::call),
      stream_(worker, std::move(socket), *this) {
  timer_.set(tls ? tls->identity()->config.handshake_timeout_ms : owner.idle_timeout_ms);
  if (!tls) return;
  stream_.start_tls(tls->accept());
  shaking_hands_ = true;
}

void Session::on_ready() {
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
  if (ended_ || (shaking_hands_ && !shake_hands())) return;
  for (int i = 0; i < reads_a_turn && !ended_; i++) {
    if (!flush()) return;
    const Progress progress = read_some();
    if (progress == Progress::end) return end();
    if (progress == Progress::blocked) return;
  }
  if (!ended_) worker_.run_next_turn(*this);
}

bool Session::shake_hands() {
  if (!worker_.take_handshake()) {
    worker_.run_next_turn(*this);
    return false;
  }
  const loop::Io io = stream_.handshake();
  if (io == loop::Io::would_block) return false;
  shaking_hands_ = false;
  timer_.set(owner_.idle_timeout_ms);
  if (io != loop::Io::done) end();
  return io == loop::Io::done;
}

Session::Progress Session::read_some() {
  char buffer[read_size];
  size_t got = 0;
  switch (stream_.read(buffer, sizeof buffer, got)) {
    case loop::Io::done:
      return answer_all({reinterpret_cast<const uint8_t*>(buffer), got}) ? Progress::again : Progress::end;
    case loop::Io::would_block:
      return Progress::blocked;
    default:
      return Progress::end;
  }
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
    put(std::span(owner_.scratch).first(size));
    if (out_.size() < max_pending || flush()) continue;
    if (ended_ || out_.size() >= 2 * max_pending) return false;  // it asks for much and takes little
  }
}

void Session::put(std::span<const uint8_t> answer) {
  const size_t size = 2 + answer.size();
  if (!block_ || block_->capacity() - filled_ < size) {
    block_ = BlockRef::make(std::max(size, Block::small_capacity));
    filled_ = 0;
  }
  char* at = block_->data() + filled_;
  dns::store16(reinterpret_cast<uint8_t*>(at), static_cast<unsigned>(answer.size()));
  std::copy(answer.begin(), answer.end(), at + 2);
  filled_ += size;
  out_.append_adjacent(Slice{block_, at, size});
}

// True when nothing is left to send.
bool Session::flush() {
  if (out_.empty()) return true;
  const loop::Io io = stream_.write(out_);
  if (io == loop::Io::more) worker_.run_next_turn(*this);
  if (io == loop::Io::error) end();
  if (io != loop::Io::done) return false;
  timer_.set(owner_.idle_timeout_ms);
  block_.reset();
  return true;
}

}  // namespace portolan::geodns
