#include "edge/reader.hh"

#include <algorithm>

#include "edge/rules.hh"

namespace portolan::edge {
namespace {

constexpr uint64_t read_portion = 256 << 10;  // off the disk
constexpr uint64_t most_cached = 2 << 20;     // looked for in the page cache at a time

}  // namespace

Reader::Reader(ObjectRef object)
    : source_(object->content()), object_(std::move(object)), link_(Link::open), settled_(true) {
  begin();
}

Reader::Reader(std::shared_ptr<Content> fragment) : source_(std::move(fragment)), link_(Link::open), settled_(true) {
  begin();
}

void Reader::begin() {
  if (source_->immutable()) return;
  std::lock_guard lock(source_->mutex_);
  if (source_->base_ > 0) {  // its beginning is gone already
    link_ = Link::failed;
    status_ = 502;
    return;
  }
  source_->link(*this);
}

Reader::Reader(std::shared_ptr<Content> source, std::unique_ptr<RequestCopy> request, ObjectRef object, bool again)
    : source_(std::move(source)), request_(std::move(request)), object_(std::move(object)), again_(again) {
  std::lock_guard lock(source_->mutex_);
  if (object_) link_ = Link::open;
  source_->link(*this);
}

Reader::~Reader() {
  if (settled_ && source_->immutable() && !listed_) return;
  Wakes wakes;
  std::lock_guard lock(source_->mutex_);
  if (!listed_) return;
  source_->unlink(*this);
  if (source_->windowed()) source_->drop_passed(wakes);
}

void Reader::settle(Content::Settlement s) {
  using Kind = Content::Settlement::Kind;
  switch (s.kind) {
    case Kind::object:
      link_ = Link::open;
      object_ = std::move(s.object);
      break;
    case Kind::released:
      link_ = Link::released;
      break;
    case Kind::retry:
      link_ = Link::retry;
      break;
    case Kind::failed:
      link_ = Link::failed;
      break;
  }
  status_ = s.status;
  let_down_ = s.let_down;
  validated_ = s.validated;
  dropped_ = s.dropped;
  stale_on_error_ = s.stale_on_error;
  asked_disk_ = s.asked_disk;
}

bool Reader::settled() {
  if (settled_) return true;
  std::lock_guard lock(source_->mutex_);
  settled_ = link_ != Link::pending;
  return settled_;
}

Reader::State Reader::state() {
  if (!settled()) return State::pending;
  if (link_ == Link::released || link_ == Link::retry) return State::released;
  if (link_ == Link::failed) return State::failed;
  Content& body = this->body();
  if (body.immutable()) {
    if (position_ >= std::min(stop_, body.size())) return State::end;
    if (!body.on_disk()) return State::more;
    if (!held_ && !(held_ = body.hold())) {
      link_ = Link::retry;
      return State::released;
    }
    return cold() ? State::wait : State::more;
  }
  std::lock_guard lock(body.mutex_);
  if (position_ >= stop_) return State::end;
  if (cut_ || position_ < body.base_) return State::failed;
  if (position_ < body.size()) return State::more;
  switch (body.phase()) {
    case Content::Phase::growing:
      return State::wait;
    case Content::Phase::complete:
      return State::end;
    case Content::Phase::failed:
      break;
  }
  return State::failed;
}

const ObjectRef& Reader::object() {
  static const ObjectRef none;
  return settled() ? object_ : none;
}

bool Reader::retry() {
  return settled() && link_ == Link::retry;
}
int Reader::error_status() {
  return settled() ? status_ : 0;
}
bool Reader::let_down() {
  return settled() && let_down_;
}
bool Reader::validated() {
  return settled() && validated_;
}
bool Reader::dropped() {
  return settled() && dropped_;
}
bool Reader::stale_on_error() {
  return settled() && stale_on_error_;
}

bool Reader::asked_disk() {
  return settled() && asked_disk_;
}

// Whether what comes next has to be read from the disk first. In portions, so that a slow client's aren't read long before
// it takes them.
bool Reader::cold() {
  if (position_ < warm_until_) return false;
  const bool was_read = warming_ && warming_->done.load(std::memory_order_acquire);
  const uint64_t portion = warming_ ? read_portion : most_cached;
  const uint64_t end = std::min({position_ + portion, stop_, body().size()});
  if (!was_read && (warming_ || !body().in_page_cache(held_, position_, end - position_))) return true;
  warming_.reset();
  warm_until_ = end;
  return false;
}

void Reader::warm(std::shared_ptr<Waker> waker) {
  if (!warming_) warming_ = std::make_shared<Warming>();
  std::shared_ptr<Content> content = object_ ? object_->content() : source_;
  auto work = [warming = warming_, content, held = held_, from = position_, waker] {
    content->read_into_page_cache(held, from, read_portion);
    warming->done.store(true, std::memory_order_release);
    waker->wake();
  };
  if (content->disk_reader_->submit(work)) return;
  warming_->done.store(true, std::memory_order_release);  // better one read here than none at all
  waker->wake();
}

void Reader::select(uint64_t first, uint64_t count) {
  if (!settled() || link_ != Link::open) return;
  Wakes wakes;
  Content& body = this->body();
  std::lock_guard lock(body.mutex_);
  position_ = first;
  stop_ = first + count;
  if (warm_until_ != UINT64_MAX) warm_until_ = 0;
  warming_.reset();
  if (body.windowed()) body.drop_passed(wakes);
}

size_t Reader::read(Body& out, size_t max) {
  if (!settled() || link_ != Link::open) return 0;
  Content& body = this->body();
  uint64_t left = stop_ - std::min(stop_, position_);
  if (body.on_disk()) left = std::min(left, warm_until_ - std::min(warm_until_, position_));
  uint64_t count = body.paged() ? left : std::min<uint64_t>(max, left);
  if (body.immutable()) {
    uint64_t n = body.copy_out(position_, count, out, held_);
    position_ += n;
    return n;
  }
  Wakes wakes;
  std::lock_guard lock(body.mutex_);
  if (cut_ || position_ < body.base_ || position_ >= body.size()) return 0;
  uint64_t from = position_;
  uint64_t n = body.copy_out(from, count, out);
  position_ += n;
  // Only a reader at the very end of the window can move it.
  if (body.windowed() && from < body.base_ + Content::window_bytes) body.drop_passed(wakes);
  return n;
}

void Reader::wait(std::shared_ptr<Waker> waker) {
  if (settled() && link_ == Link::open && body().immutable() && held_ && cold()) return warm(std::move(waker));
  Wakes wakes;
  Content& at = settled() && link_ == Link::open ? body() : *source_;
  std::lock_guard lock(at.mutex_);
  bool ready = link_ != Link::pending;
  if (link_ == Link::open)
    ready = &at != &body() || position_ < at.size() || position_ >= stop_ || at.phase() != Content::Phase::growing;
  if (ready) {
    wakes.list.push_back(std::move(waker));
  } else {
    waker_ = std::move(waker);
  }
}

const http::Fields& Reader::trailers() const {
  return body().trailers();
}

}  // namespace portolan::edge
