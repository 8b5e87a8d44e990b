#include "edge/page_file.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace portolan::edge {
namespace {

constexpr size_t most_pieces = 64;  // of one pwritev

bool write_all(int fd, const Body& bytes, uint64_t at) {
  for (const Segment* s = bytes.begin(); s != bytes.end();) {
    iovec vector[most_pieces];
    size_t count = 0, total = 0;
    for (; s != bytes.end() && count < most_pieces; ++s) {
      vector[count++] = {const_cast<char*>(s->bytes.data), s->bytes.size};
      total += s->bytes.size;
    }
    if (::pwritev(fd, vector, static_cast<int>(count), static_cast<off_t>(at)) != static_cast<ssize_t>(total))
      return false;
    at += total;
  }
  return true;
}

}  // namespace

// The pages of one body.
class PageFile::Range final : public FileHandle {
 public:
  Range(std::shared_ptr<PageFile> file, uint64_t offset, uint64_t bytes)
      : FileHandle(file->fd_, Lent{}), file_(std::move(file)), offset_(offset), bytes_(bytes) {}
  ~Range() override {
    ::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset_),
                static_cast<off_t>(bytes_));
  }

 private:
  std::shared_ptr<PageFile> file_;
  uint64_t offset_;
  uint64_t bytes_;
};

PageFile::PageFile() : fd_(::memfd_create("portolan-cache", MFD_CLOEXEC)) {}

PageFile::~PageFile() {
  if (fd_ >= 0) ::close(fd_);
}

FileRef PageFile::keep(const Body& bytes, off_t& offset) {
  if (fd_ < 0) return nullptr;
  uint64_t size = pages_of(bytes.size());
  uint64_t at = end_.fetch_add(size, std::memory_order_relaxed);
  auto range = std::make_shared<Range>(shared_from_this(), at, size);
  if (!write_all(fd_, bytes, at)) return nullptr;
  offset = static_cast<off_t>(at);
  return range;
}

}  // namespace portolan::edge
