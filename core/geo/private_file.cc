#include "core/geo/private_file.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace portolan::geo {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot keep a copy in memory");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Result<int> anonymous_file() {
  int fd = ::memfd_create("portolan-geo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return system_error("cannot make an anonymous file");
  return fd;
}

}  // namespace

PrivateFile::PrivateFile(PrivateFile&& o) noexcept
    : fd_(std::exchange(o.fd_, -1)), data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}

PrivateFile& PrivateFile::operator=(PrivateFile&& o) noexcept {
  std::swap(fd_, o.fd_);
  std::swap(data_, o.data_);
  std::swap(size_, o.size_);
  return *this;
}

PrivateFile::~PrivateFile() {
  if (data_) ::munmap(const_cast<char*>(data_), size_);
  if (fd_ >= 0) ::close(fd_);
}

std::string PrivateFile::path() const {
  return fmt::format("/proc/self/fd/{}", fd_);
}

Status PrivateFile::seal_and_map(size_t size) {
  if (size == 0) return Error{"the file is empty"};
  ::fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd_, 0);
  if (mapped == MAP_FAILED) return system_error("cannot map the copy");
  data_ = static_cast<const char*>(mapped);
  size_ = size;
  return {};
}

Result<PrivateFile> PrivateFile::copy_of(const std::string& path) {
  // O_NONBLOCK: a FIFO in place of the file must not hold the loader up.
  Descriptor source{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (source.fd < 0) return system_error("cannot open");
  struct stat status {};
  if (::fstat(source.fd, &status) != 0) return system_error("cannot stat");
  if (!S_ISREG(status.st_mode)) return Error{"not a regular file"};
  auto fd = anonymous_file();
  if (!fd) return fd.error();
  PrivateFile file(*fd);
  std::vector<char> buffer(size_t{1} << 20);
  size_t size = 0;
  for (;;) {
    ssize_t n = ::read(source.fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot read");
    if (n == 0) break;
    size += static_cast<size_t>(n);
    if (size > max_bytes) return Error{fmt::format("larger than {} MiB", max_bytes >> 20)};
    if (Status wrote = write_all(*fd, {buffer.data(), static_cast<size_t>(n)}); !wrote) return wrote.error();
  }
  if (Status mapped = file.seal_and_map(size); !mapped) return mapped.error();
  return file;
}

Result<PrivateFile> PrivateFile::holding(std::string_view bytes) {
  if (bytes.size() > max_bytes) return Error{fmt::format("larger than {} MiB", max_bytes >> 20)};
  auto fd = anonymous_file();
  if (!fd) return fd.error();
  PrivateFile file(*fd);
  if (Status wrote = write_all(*fd, bytes); !wrote) return wrote.error();
  if (Status mapped = file.seal_and_map(bytes.size()); !mapped) return mapped.error();
  return file;
}

}  // namespace portolan::geo
