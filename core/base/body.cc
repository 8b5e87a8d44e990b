#include "core/base/body.hh"

#include <unistd.h>

#include <cassert>

namespace portolan {

FileHandle::~FileHandle() {
  if (owned_ && fd_ >= 0) ::close(fd_);
}

Segment& Body::push() {
  if (segments_.capacity() == 0) segments_.reserve(4);  // a head, a body, and what chunking adds
  return segments_.emplace_back();
}

void Body::append(Slice bytes) {
  if (bytes.size == 0) return;
  Segment& s = push();
  s.length = bytes.size;
  size_ += bytes.size;
  s.bytes = std::move(bytes);
}

void Body::append_adjacent(Slice bytes) {
  if (size_ > 0 && bytes.size > 0) {
    Segment& last = segments_.back();
    if (!last.file && last.bytes.block.get() == bytes.block.get() && last.bytes.data + last.bytes.size == bytes.data) {
      last.bytes.size += bytes.size;
      last.length += bytes.size;
      size_ += bytes.size;
      return;
    }
  }
  append(std::move(bytes));
}

void Body::append(FileRef file, off_t offset, uint64_t length) {
  if (length == 0) return;
  Segment& s = push();
  s.file = std::move(file);
  s.offset = offset;
  s.length = length;
  size_ += length;
}

void Body::append(Body&& other) {
  if (segments_.empty()) {
    segments_.swap(other.segments_);
    std::swap(first_, other.first_);
  } else {
    for (size_t i = other.first_; i < other.segments_.size(); ++i) push() = std::move(other.segments_[i]);
  }
  size_ += other.size_;
  other.clear();
}

void Body::move_front(Body& to, uint64_t max) {
  if (size_ <= max) return to.append(std::move(*this));
  while (max > 0 && first_ < segments_.size()) {
    Segment& s = segments_[first_];
    if (s.length <= max) {
      max -= s.length;
      size_ -= s.length;
      to.size_ += s.length;
      to.push() = std::move(s);
      ++first_;
      continue;
    }
    Segment head = s;
    head.length = max;
    if (!head.file) head.bytes.size = max;
    to.size_ += max;
    to.push() = std::move(head);
    consume(max);
    break;
  }
  compact();
}

void Body::consume(uint64_t n) {
  assert(n <= size_);
  if (n == size_) return clear();
  size_ -= n;
  while (n > 0) {
    Segment& s = segments_[first_];
    if (n >= s.length) {
      n -= s.length;
      s = Segment{};
      ++first_;
      continue;
    }
    s.length -= n;
    if (s.file) {
      s.offset += static_cast<off_t>(n);
    } else {
      s.bytes.data += n;
      s.bytes.size -= n;
    }
    n = 0;
  }
  compact();
}

void Body::clear() {
  segments_.clear();
  first_ = 0;
  size_ = 0;
}

void Body::compact() {
  if (first_ == segments_.size()) {
    segments_.clear();
    first_ = 0;
  } else if (first_ > 32 && first_ * 2 > segments_.size()) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<long>(first_));
    first_ = 0;
  }
}

std::string Body::to_string() const {
  std::string out;
  for (const Segment* s = begin(); s != end(); ++s) {
    if (!s->file) {
      out.append(s->bytes.data, s->bytes.size);
      continue;
    }
    std::string part(s->length, '\0');
    ssize_t got = ::pread(s->file->fd(), part.data(), part.size(), s->offset);
    part.resize(got > 0 ? static_cast<size_t>(got) : 0);
    out += part;
  }
  return out;
}

}  // namespace portolan
