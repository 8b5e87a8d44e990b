#include "edge/collapse/run.hh"

#include <fmt/format.h>

#include <algorithm>

#include "edge/memory.hh"

namespace portolan::edge {
namespace {

constexpr uint64_t fixed_bytes = fragment_fixed_bytes;
constexpr uint64_t most_looked_at = 64;  // fragments, for where a run ends

}  // namespace

Run::~Run() {
  abort();
}

bool Run::plan(uint64_t first, uint64_t end, const Run* before) {
  uint64_t number = Parts::number_of(first);
  if (!begin(number, true)) return false;
  end = parts_->round_up(end);
  for (uint64_t next = number + 1; next < number + most_looked_at; ++next) {
    uint64_t at = next * Parts::fragment_bytes;
    if (at >= end) break;
    if (FragmentKey key = parts_->key(next); store_->has_fragment(key) || store_->on_disk(key)) end = at;
  }
  position_ = number * Parts::fragment_bytes;
  end_ = end;
  if (before) take_up(*before);
  begun_at_ = position_;
  range_ = fmt::format("bytes={}-{}", position_, end_ - 1);
  demand_ = std::min(parts_->round_up(first + ahead_bytes), end_);
  return true;
}

bool Run::expect(uint64_t first, uint64_t end) {
  position_ = begun_at_ = first;
  end_ = end;
  uint64_t number = (first + Parts::fragment_bytes - 1) / Parts::fragment_bytes;
  if (number * Parts::fragment_bytes >= end || !begin(number, false)) return false;
  demand_ = std::min(parts_->round_up(first + ahead_bytes), end_);
  return true;
}

// `insist`: where there is no memory for it either, it passes through to the reader that needs it.
bool Run::begin(uint64_t number, bool insist) {
  auto content = std::make_shared<Content>(store_->ledger());
  content->set_fixed_cost(fixed_bytes);
  content->declare(parts_->fragment(number).length);
  if (!store_->reserve(content->charge(), fixed_bytes)) {
    if (!insist) return false;
    content->window();
  } else if (!store_->begin_fragment(parts_->key(number), content, shared_from_this())) {
    return false;
  }
  content_ = std::move(content);
  number_ = number;
  return true;
}

// What an earlier answer brought of the same fragment of the same version.
void Run::take_up(const Run& before) {
  if (!before.ended_.load(std::memory_order_acquire) || !before.left_) return;
  if (before.number_ != number_ || before.parts_ != parts_ || content_->windowed()) return;
  Body bytes;
  before.left_->copy_all(bytes);
  for (const Segment& s : bytes) {
    if (s.file || !store_->reserve(content_->charge(), content_->cost_of(s.bytes))) return;
    position_ += s.bytes.size;
    content_->append(s.bytes);
  }
}

void Run::add_fields(http::Fields& out) {
  out.add("Range", range_);
  out.add("If-Range", parts_->validator());
}

bool Run::head(const http::ResponseHead& response) {
  auto brought = parts_->brought_by(response);
  if (brought && brought->first == position_ && brought->length <= end_ - position_) {
    shortened_ = brought->length < end_ - position_;
    end_ = brought->first + brought->length;
    return true;
  }
  // A server in trouble says nothing of the version, nor does a refusal, which one client's request may have earned;
  // whatever else it says, these parts are of the past.
  const int status = response.status;
  if (status < 400 || status == 404 || status == 410 || status == 412 || status == 416) store_->outdate(*parts_);
  abort();
  return false;
}

void Run::append(Slice bytes) {
  while (bytes.size > 0 && !over_) {
    http::ByteRange fragment = parts_->fragment(number_);
    uint64_t take = std::min<uint64_t>(bytes.size, end_ - position_);
    if (take == 0) {  // more than it said: none of it can be believed
      store_->outdate(*parts_);
      return abort();
    }
    if (position_ < fragment.first) {  // what stands before the first whole one
      take = std::min(take, fragment.first - position_);
    } else {
      take = std::min(take, fragment.first + fragment.length - position_);
      Slice part{bytes.block, bytes.data, take};
      if (!content_->windowed() && !store_->reserve(content_->charge(), content_->cost_of(part))) {
        store_->drop_fragment(parts_->key(number_), *content_);
        content_->window();
      }
      if (position_ + take == fragment.first + fragment.length) {
        complete_fragment(std::move(part));
      } else {
        content_->append(std::move(part));
      }
    }
    position_ += take;
    bytes.data += take;
    bytes.size -= take;
  }
}

// The next one stands in the index before the last bytes of this one are seen: readers go from one to the other without
// a gap.
void Run::complete_fragment(Slice last) {
  std::shared_ptr<Content> whole = std::move(content_);
  FragmentKey key = parts_->key(number_);
  if (position_ + last.size < end_ && !begin(number_ + 1, false)) over_ = true;
  whole->append(std::move(last));
  whole->complete({});
  if (!whole->windowed()) store_->keep_fragment(key, *whole);
}

bool Run::finish() {
  bool whole = !over_ && position_ == end_ && !content_;
  if (!over_ && position_ == end_ && content_) parts_->note_trouble(true);
  if (whole && !shortened_ && !range_.empty() && begun_at_ == Parts::round_down(begun_at_)) parts_->note_trouble(false);
  abort();
  return whole;
}

void Run::abort() {
  over_ = true;
  std::shared_ptr<Content> broken = std::move(content_);
  if (!broken) return;
  store_->drop_fragment(parts_->key(number_), *broken);
  if (!broken->windowed()) left_ = broken;
  brought_ = position_ - begun_at_;
  ended_.store(true, std::memory_order_release);
  broken->fail();
}

bool Run::writable() const {
  if (position_ == end_ || !wanted()) return true;  // all is there, or nobody needs more: the fetch is to see that
  if (content_ && content_->windowed() && !content_->writable()) return false;
  return position_ < demand_;
}

void Run::wait_writable(std::shared_ptr<Waker> waker) {
  if (content_ && content_->windowed() && !content_->writable()) return content_->wait_writable(std::move(waker));
  {
    std::lock_guard lock(mutex_);
    producer_ = std::move(waker);
  }
  if (writable()) nudge();
}

void Run::leave() {
  if (readers_.fetch_sub(1) == 1) nudge();
}

void Run::want(uint64_t up_to) {
  up_to = parts_->round_up(std::min(up_to, parts_->size()));
  uint64_t before = demand_.load();
  while (before < up_to && !demand_.compare_exchange_weak(before, up_to)) {
  }
  if (before < up_to) nudge();
}

void Run::nudge() {
  std::shared_ptr<Waker> waker;
  {
    std::lock_guard lock(mutex_);
    waker = std::move(producer_);
  }
  if (waker) waker->wake();
}

}  // namespace portolan::edge
