#include "proxy/crowd.hh"

#include <utility>

#include "proxy/connection.hh"

namespace portolan::proxy {
namespace {

constexpr int looks = 16;
constexpr size_t looks_for_memory = 256;  // without it a request is turned away
constexpr uint32_t incomplete_s = 1;      // a head or a handshake of an honest client is whole by then, mostly
constexpr int64_t slow_reader_ms = 200;   // a reader that keeps up takes something in this time

uint32_t seconds(int64_t now_ms) {
  return static_cast<uint32_t>(now_ms / 1000);
}

}  // namespace

void Crowd::link(Connection& c, int64_t now_ms) {
  c.placed_s_ = seconds(now_ms);
  c.previous_ = nullptr;
  c.next_ = newest_;
  (newest_ ? newest_->previous_ : oldest_) = &c;
  newest_ = &c;
}

void Crowd::unlink(Connection& c) {
  if (hand_ == &c) hand_ = c.previous_;
  (c.previous_ ? c.previous_->next_ : newest_) = c.next_;
  (c.next_ ? c.next_->previous_ : oldest_) = c.previous_;
}

void Crowd::add(Connection& c, int64_t now_ms) {
  link(c, now_ms);
  ++size_;
}

void Crowd::remove(Connection& c) {
  unlink(c);
  --size_;
}

void Crowd::destroy_all() {
  while (newest_) delete std::exchange(newest_, newest_->next_);
  oldest_ = hand_ = nullptr;
  size_ = 0;
}

// A connection that is busy again and again stays where it is for the second: its neighbours need not be touched.
void Crowd::begins_to_idle(Connection& c, int64_t now_ms) {
  if (c.placed_s_ == seconds(now_ms)) return;
  unlink(c);
  link(c, now_ms);
}

Connection* Crowd::least_needed(int64_t now_ms) {
  Connection* c = oldest_;
  for (int i = 0; c && i < looks; ++i) {
    Connection* newer = c->previous_;
    switch (c->standing()) {
      case Connection::Standing::idle:
        return c;
      case Connection::Standing::incomplete:
        if (seconds(now_ms) - c->placed_s_ > incomplete_s) return c;
        break;
      case Connection::Standing::working:  // out of the way: it comes to the front again when it begins to idle
        unlink(*c);
        link(*c, now_ms);
        break;
    }
    c = newer;
  }
  return nullptr;
}

Connection* Crowd::slowest_reader(const Connection& asking, int64_t now_ms) {
  Connection* slowest = nullptr;
  for (size_t i = 0; i < std::min(looks_for_memory, size_); ++i) {
    Connection* c = hand_ ? hand_ : oldest_;
    hand_ = c->previous_;
    if (c == &asking || !c->reads_slowly() || now_ms - c->progress_ms() < slow_reader_ms) continue;
    if (!slowest || c->progress_ms() < slowest->progress_ms()) slowest = c;
  }
  return slowest;
}

}  // namespace portolan::proxy
