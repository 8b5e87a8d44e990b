#include "edge/content.hh"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/heap.hh"
#include "edge/reader.hh"

namespace portolan::edge {
namespace {

constexpr uint64_t read_bytes = 32 << 10;  // at a time, into the page cache

uint64_t block_bytes(uint64_t capacity) {
  return heap_bytes(capacity + sizeof(Block));
}

// A block mostly filled by one slice is kept as it is; others are copied, so that a few bytes pin
// no large block.
bool worth_keeping(const Slice& s) {
  return s.block && s.size >= 2048 && s.size >= s.block->capacity() / 4 * 3;
}

}  // namespace

bool Charge::try_add(uint64_t bytes) {
  uint64_t budget = ledger_->budget.load(std::memory_order_relaxed);
  uint64_t slack = ledger_->slack.load(std::memory_order_relaxed);
  return slack < budget && add_below(budget - slack, bytes);
}

bool Charge::try_add_lean(uint64_t bytes) {
  return add_below(ledger_->budget.load(std::memory_order_relaxed), bytes);
}

bool Charge::add_below(uint64_t limit, uint64_t bytes) {
  uint64_t used = ledger_->used.load(std::memory_order_relaxed);
  do {
    if (used + bytes > limit) return false;
  } while (!ledger_->used.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  held_.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

void Charge::force(uint64_t bytes) {
  held_.fetch_add(bytes, std::memory_order_relaxed);
  ledger_->used.fetch_add(bytes, std::memory_order_relaxed);
}

void Charge::give_back(uint64_t bytes) {
  held_.fetch_sub(bytes, std::memory_order_relaxed);
  ledger_->used.fetch_sub(bytes, std::memory_order_relaxed);
}

void Charge::release() {
  ledger_->used.fetch_sub(held_.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
}

Content::Content(std::shared_ptr<Ledger> ledger) : charge_(std::move(ledger)) {}

Content::~Content() {
  if (windowed()) charge_.ledger().passing.fetch_sub(size() - base_, std::memory_order_relaxed);
}

uint64_t Content::cost_of(const Slice& s) const {
  if (s.size == 0) return 0;
  std::lock_guard lock(mutex_);
  if (worth_keeping(s)) return sizeof(Piece) + block_bytes(s.block->capacity());
  uint64_t room = tail_own_ ? pieces_.back().bytes.block->capacity() - tail_used_ : 0;
  if (s.size <= room) return 0;
  uint64_t blocks = (s.size - room) / Block::standard_capacity + 1;
  uint64_t capacity = blocks * Block::standard_capacity;
  if (declared_ && *declared_ > size()) capacity = std::min(capacity, *declared_ - size());
  uint64_t whole = capacity / Block::standard_capacity, rest = capacity % Block::standard_capacity;
  return whole * block_bytes(Block::standard_capacity) + (rest ? block_bytes(rest) : 0) + blocks * sizeof(Piece);
}

void Content::declare(std::optional<uint64_t> length) {
  declared_ = length;
}

void Content::append(Slice bytes) {
  if (bytes.size == 0) return;
  Wakes wakes;
  std::lock_guard lock(mutex_);
  if (phase() != Phase::growing) return;
  if (windowed()) {
    charge_.ledger().passing.fetch_add(bytes.size, std::memory_order_relaxed);
    if (bytes.block && !worth_keeping(bytes) && bytes.size < 2048) {
      copy_in(bytes.view());
    } else {
      push(std::move(bytes));
    }
    drop_passed(wakes);
  } else if (worth_keeping(bytes)) {
    push(std::move(bytes));
  } else {
    copy_in(bytes.view());
  }
  wake_readers(wakes);
}

void Content::push(Slice bytes) {
  uint64_t n = bytes.size;
  pieces_.push_back({size(), std::move(bytes)});
  tail_own_ = false;
  size_.store(size() + n, std::memory_order_release);
}

void Content::copy_in(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!tail_own_ || tail_used_ == pieces_.back().bytes.block->capacity()) {
      uint64_t capacity = Block::standard_capacity;
      if (declared_ && !windowed() && *declared_ > size()) capacity = std::min<uint64_t>(capacity, *declared_ - size());
      BlockRef block = BlockRef::make(capacity);
      const char* data = block->data();
      pieces_.push_back({size(), Slice{std::move(block), data, 0}});
      tail_own_ = true;
      tail_used_ = 0;
    }
    Slice& tail = pieces_.back().bytes;
    size_t n = std::min(bytes.size(), tail.block->capacity() - tail_used_);
    std::memcpy(tail.block->data() + tail_used_, bytes.data(), n);
    tail_used_ += n;
    tail.size = tail_used_;
    size_.store(size() + n, std::memory_order_release);
    bytes.remove_prefix(n);
  }
}

void Content::trim_tail() {
  if (!tail_own_ || pieces_.empty()) return;
  Slice& tail = pieces_.back().bytes;
  if (tail.block->capacity() != tail.size) tail = Slice::copy_of(tail.view());
  tail_own_ = false;
  pieces_.shrink_to_fit();
}

void Content::move_to_pages() {
  if (size() < least_paged || size() > most_paged) return;
  uint64_t needed = fixed_cost_ + PageFile::pages_of(size());
  uint64_t held = charge_.held();
  if (needed > held && !charge_.try_add(needed - held)) return;
  Body bytes;
  for (const Piece& p : pieces_) bytes.append(p.bytes);
  paged_ = charge_.ledger().pages->keep(bytes, paged_offset_);
  if (paged_) std::vector<Piece>().swap(pieces_);
}

void Content::settle_charge() {
  uint64_t exact = fixed_cost_ + trailer_text_.size() + trailers_.size() * sizeof(http::Field);
  if (paged_) exact += PageFile::pages_of(size());
  for (const Piece& p : pieces_) exact += block_bytes(p.bytes.block->capacity()) + sizeof(Piece);
  if (uint64_t held = charge_.held(); held > exact) charge_.give_back(held - exact);
}

void Content::window() {
  Wakes wakes;
  std::lock_guard lock(mutex_);
  if (windowed() || phase() == Phase::complete) return;  // complete ones are read without the lock
  windowed_.store(true, std::memory_order_release);
  charge_.release();
  charge_.ledger().passing.fetch_add(size() - base_, std::memory_order_relaxed);
  drop_passed(wakes);
}

uint64_t Content::slowest() const {
  uint64_t low = size();
  for (const Reader* r = readers_; r; r = r->next_) low = std::min(low, r->position_);
  return low;
}

bool Content::holds_up() const {
  if (!windowed() || size() - slowest() < window_bytes) return false;
  for (const Reader* r = readers_; r; r = r->next_)
    if (r->link_ == Reader::Link::open && r->waker_ && r->position_ >= size() && r->position_ < r->stop_) return true;
  return false;
}

bool Content::held_up() const {
  if (!windowed()) return false;
  std::lock_guard lock(mutex_);
  return holds_up();
}

void Content::cut_slow() {
  Wakes wakes;
  std::lock_guard lock(mutex_);
  if (!holds_up()) return;
  for (Reader *r = readers_, *next; r; r = next) {
    next = r->next_;
    if (r->position_ + window_bytes > size()) continue;
    r->cut_ = true;
    unlink(*r);
    if (r->waker_) wakes.list.push_back(std::move(r->waker_));
  }
  drop_passed(wakes);
}

void Content::drop_passed(Wakes& wakes) {
  uint64_t low = slowest();
  uint64_t before = base_;
  while (first_ < pieces_.size()) {
    Piece& piece = pieces_[first_];
    if (piece.start + piece.bytes.size > low) break;
    if (tail_own_ && first_ + 1 == pieces_.size()) break;
    base_ = piece.start + piece.bytes.size;
    piece.bytes = Slice{};
    ++first_;
  }
  if (first_ > 64 && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<long>(first_));
    first_ = 0;
  }
  charge_.ledger().passing.fetch_sub(base_ - before, std::memory_order_relaxed);
  if (producer_ && (size() - low < window_bytes || !readers_)) wakes.list.push_back(std::move(producer_));
}

bool Content::writable() const {
  if (!windowed()) return true;
  std::lock_guard lock(mutex_);
  return size() - slowest() < window_bytes;
}

bool Content::wanted() const {
  if (!windowed()) return true;
  std::lock_guard lock(mutex_);
  return readers_ != nullptr;
}

void Content::wait_writable(std::shared_ptr<Waker> waker) {
  Wakes wakes;
  std::lock_guard lock(mutex_);
  if (!windowed() || size() - slowest() < window_bytes) {
    wakes.list.push_back(std::move(waker));
  } else {
    producer_ = std::move(waker);
  }
}

void Content::complete(const http::Fields& trailers) {
  Wakes wakes;
  std::lock_guard lock(mutex_);
  if (phase() != Phase::growing) return;
  size_t text = 0;
  for (const http::Field& f : trailers) text += f.name.size() + f.value.size();
  trailer_text_.reserve(text);
  for (const http::Field& f : trailers) {
    size_t at = trailer_text_.size();
    trailer_text_.append(f.name).append(f.value);
    std::string_view all = trailer_text_;
    trailers_.add({all.substr(at, f.name.size()), all.substr(at + f.name.size()), f.id});
  }
  if (!windowed()) {
    move_to_pages();
    trim_tail();
    settle_charge();
  }
  phase_.store(Phase::complete, std::memory_order_release);
  wake_readers(wakes);
}

void Content::complete_on(const disk::Disk* disk, const disk::Found& found, Executor* reader) {
  Wakes wakes;
  std::lock_guard lock(mutex_);
  if (phase() != Phase::growing) return;
  disk_ = disk;
  spot_ = found.spot;
  paged_offset_ = found.offset;
  disk_reader_ = reader;
  size_.store(found.length, std::memory_order_release);
  if (uint64_t held = charge_.held(); held > fixed_cost_) charge_.give_back(held - fixed_cost_);
  phase_.store(Phase::complete, std::memory_order_release);
  wake_readers(wakes);
}

bool Content::in_page_cache(const FileRef& held, uint64_t from, uint64_t count) const {
  return portolan::in_page_cache(*held, paged_offset_ + static_cast<off_t>(from),
                                 std::min(count, size() - std::min(size(), from)));
}

void Content::read_into_page_cache(const FileRef& held, uint64_t from, uint64_t count) const {
  disk_->watched([&] {
    char buffer[read_bytes];
    for (uint64_t at = from, end = std::min(from + count, size()); at < end;) {
      ssize_t n = ::pread(held->fd(), buffer, std::min<uint64_t>(sizeof buffer, end - at),
                          paged_offset_ + static_cast<off_t>(at));
      if (n <= 0) return;
      at += static_cast<uint64_t>(n);
    }
  });
}

bool Content::copy_all(Body& out) const {
  FileRef held = on_disk() ? hold() : nullptr;
  if (on_disk() && !held) return false;
  copy_out(0, size(), out, held);
  return true;
}

void Content::fail() {
  Wakes wakes;
  std::lock_guard lock(mutex_);
  if (phase() != Phase::growing) return;
  phase_.store(Phase::failed, std::memory_order_release);
  wake_readers(wakes);
}

void Content::settle(const std::function<Settlement(const Reader&)>& decide) {
  Wakes wakes;
  std::vector<Settlement> gone;  // objects die after the lock
  std::lock_guard lock(mutex_);
  for (Reader *r = readers_, *next; r; r = next) {
    next = r->next_;
    if (r->link_ != Reader::Link::pending) continue;
    Settlement s = decide(*r);
    r->settle(std::move(s));
    if (r->link_ != Reader::Link::open || r->object_->content().get() != this) unlink(*r);
    if (r->waker_) wakes.list.push_back(std::move(r->waker_));
  }
  if (producer_ && !readers_) wakes.list.push_back(std::move(producer_));
}

void Content::link(Reader& reader) {
  reader.next_ = readers_;
  reader.previous_ = nullptr;
  if (readers_) readers_->previous_ = &reader;
  readers_ = &reader;
  reader.listed_ = true;
}

void Content::unlink(Reader& reader) {
  if (!reader.listed_) return;
  if (reader.previous_) reader.previous_->next_ = reader.next_;
  if (reader.next_) reader.next_->previous_ = reader.previous_;
  if (readers_ == &reader) readers_ = reader.next_;
  reader.listed_ = false;
}

void Content::wake_readers(Wakes& wakes) {
  for (Reader* r = readers_; r; r = r->next_)
    if (r->waker_ && r->link_ == Reader::Link::open) wakes.list.push_back(std::move(r->waker_));
}

uint64_t Content::copy_out(uint64_t from, uint64_t count, Body& out, const FileRef& held) const {
  if (const FileRef& file = held ? held : paged_) {
    count = std::min(count, size() - std::min(size(), from));
    out.append(file, paged_offset_ + static_cast<off_t>(from), count);
    return count;
  }
  auto begin = pieces_.begin() + static_cast<long>(first_);
  auto it = std::upper_bound(begin, pieces_.end(), from, [](uint64_t at, const Piece& p) { return at < p.start; });
  if (it == begin) return 0;
  uint64_t copied = 0;
  for (--it; it != pieces_.end() && copied < count; ++it) {
    uint64_t skip = from + copied - it->start;
    uint64_t n = std::min<uint64_t>(it->bytes.size - skip, count - copied);
    out.append(Slice{it->bytes.block, it->bytes.data + skip, n});
    copied += n;
  }
  return copied;
}

}  // namespace portolan::edge
