#include "daemon/files.hh"

#include <fcntl.h>

#include "core/base/fd.hh"

namespace portolan::daemon {

Result<std::string> read_file(const std::string& path, size_t most) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("cannot read " + path);
  std::string text;
  char buffer[16384];
  for (;;) {
    ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0) return system_error("cannot read " + path);
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > most) return Error{path + " is too large: it may have " + std::to_string(most >> 20) + " MiB"};
  }
}

FileStamp FileStamp::of(const std::string& path) {
  struct stat s {};
  FileStamp stamp;
  if (::stat(path.c_str(), &s) != 0) return stamp;
  return {s.st_dev, s.st_ino, s.st_size, s.st_mtim, s.st_ctim};
}

bool FileStamp::operator==(const FileStamp& o) const {
  auto same = [](const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; };
  return size >= 0 && device == o.device && inode == o.inode && size == o.size && same(modified, o.modified) &&
         same(changed, o.changed);
}

}  // namespace portolan::daemon
