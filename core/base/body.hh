#pragma once
// A chain of segments, each a slice of a refcounted block or a range of an open file. What a source gives and a
// stream writes; a file range stays one all the way down, so that it leaves by sendfile(2).
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/bytes.hh"
#include "core/base/recycled.hh"

namespace portolan {

// An open descriptor, closed with its last reference; or one lent by a derived class, which says what ends with it.
class FileHandle {
 public:
  explicit FileHandle(int fd) : fd_(fd), owned_(true) {}
  virtual ~FileHandle();
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  int fd() const { return fd_; }

 protected:
  struct Lent {};
  FileHandle(int fd, Lent) : fd_(fd), owned_(false) {}

 private:
  int fd_;
  bool owned_;
};
using FileRef = std::shared_ptr<FileHandle>;

struct Segment {
  Slice bytes;  // used when `file` is empty
  FileRef file;
  off_t offset = 0;     // of the file range
  uint64_t length = 0;  // bytes left in this segment, of either kind
};

class Body {
 public:
  bool empty() const { return size_ == 0; }
  uint64_t size() const { return size_; }  // bytes left, file ranges included
  void append(Slice bytes);                // empty slices are dropped
  void append(FileRef file, off_t offset, uint64_t length);
  void append(Body&& other);  // leaves `other` empty
  // The same as append, but a slice that begins where the last one ends makes that longer.
  void append_adjacent(Slice bytes);
  // Moves at most `max` bytes from the front of this body to the end of `to`.
  void move_front(Body& to, uint64_t max);
  void consume(uint64_t n);  // drops n bytes from the front; n <= size()
  void clear();
  // The segments left, front first; the first may be partly consumed already (its fields say what is left).
  const Segment* begin() const { return segments_.data() + first_; }
  const Segment* end() const { return segments_.data() + segments_.size(); }
  size_t segment_count() const { return segments_.size() - first_; }
  // Copies everything into one string; for tests and small bodies only (file ranges are read with pread).
  std::string to_string() const;

 private:
  void compact();
  Segment& push();
  std::vector<Segment, RecycledAllocator<Segment>> segments_;
  size_t first_ = 0;
  uint64_t size_ = 0;
};

}  // namespace portolan
