#include "core/base/file.hh"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

namespace portolan {
namespace {

class RealFile final : public File {
 public:
  RealFile(int fd, std::string path) : handle_(std::make_shared<FileHandle>(fd)), path_(std::move(path)) {}

  Result<size_t> read_at(std::span<char> bytes, uint64_t offset) override {
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t n = ::pread(fd(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (n == 0) break;
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure("read");
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Status write_at(std::span<const char> bytes, uint64_t offset) override {
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t n = ::pwrite(fd(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure("write");
      if (n == 0) return system_error("cannot write " + path_, ENOSPC);
      done += static_cast<size_t>(n);
    }
    return {};
  }

  Status sync() override { return checked(::fdatasync(fd()), "sync"); }

  Result<uint64_t> size() override {
    struct stat s {};
    if (::fstat(fd(), &s) != 0) return failure("look at");
    return static_cast<uint64_t>(s.st_size);
  }

  Status resize(uint64_t bytes) override { return checked(::ftruncate(fd(), static_cast<off_t>(bytes)), "resize"); }

  Status allocate(uint64_t offset, uint64_t bytes) override {
    auto at = static_cast<off_t>(offset), count = static_cast<off_t>(bytes);
    if (::fallocate(fd(), 0, at, count) == 0 || errno == EOPNOTSUPP) return {};
    return failure("allocate");
  }

  Status discard(uint64_t offset, uint64_t bytes) override {
    auto at = static_cast<off_t>(offset), count = static_cast<off_t>(bytes);
    // Zeroing keeps the blocks; where a file system can't, the hole is filled again by whoever writes.
    if (::fallocate(fd(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, at, count) == 0) return {};
    return checked(::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, count), "discard a part of");
  }

  Status warm(uint64_t offset, uint64_t bytes) override {
    char bit[64 << 10];
    for (uint64_t done = 0; done < bytes;) {
      size_t most = static_cast<size_t>(std::min<uint64_t>(sizeof bit, bytes - done));
      ssize_t n = ::pread(fd(), bit, most, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure("read");
      if (n == 0) break;
      done += static_cast<uint64_t>(n);
    }
    return {};
  }

  Status lock() override { return checked(::flock(fd(), LOCK_EX | LOCK_NB), "lock"); }

  const FileRef& handle() const override { return handle_; }

 private:
  int fd() const { return handle_->fd(); }
  Error failure(const char* what) const { return system_error("cannot " + std::string(what) + " " + path_); }
  Status checked(int result, const char* what) const {
    if (result != 0) return failure(what);
    return {};
  }
  FileRef handle_;
  std::string path_;
};

class RealFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override {
    int flags = how == Open::read ? O_RDONLY : how == Open::write ? O_RDWR : O_RDWR | O_CREAT;
    int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return system_error("cannot open " + path);
    return std::unique_ptr<File>(std::make_unique<RealFile>(fd, path));
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::vector<std::string> names;
    std::error_code code;
    std::filesystem::directory_iterator it(directory, code), end;
    for (; !code && it != end; it.increment(code)) names.push_back(it->path().filename().string());
    if (code) return system_error("cannot list " + directory, code.value());
    return names;
  }

  Status make_directories(const std::string& path) override {
    for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      std::string upper = path.substr(0, slash);
      if (::mkdir(upper.c_str(), 0700) != 0 && errno != EEXIST && slash == std::string::npos)
        return system_error("cannot make the directory " + upper);
      if (slash == std::string::npos) return {};
    }
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return system_error("cannot rename " + from + " to " + to);
    return {};
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return system_error("cannot remove " + path);
    return {};
  }

  Status sync_directory(const std::string& path) override {
    int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return system_error("cannot open " + path);
    FileHandle directory(fd);
    if (::fsync(fd) != 0) return system_error("cannot sync " + path);
    return {};
  }

  Result<uint64_t> free_bytes(const std::string& path) override {
    struct statvfs s {};
    if (::statvfs(path.c_str(), &s) != 0) return system_error("cannot look at the file system of " + path);
    return static_cast<uint64_t>(s.f_bavail) * s.f_frsize;
  }
};

// The system's call by number, as the headers of Linux before 6.5 don't know it; it is the same on every machine.
constexpr long cachestat_call = 451;
constexpr uint64_t step_alone = 32 << 10;     // what the system reads ahead at least
constexpr uint64_t step_counted = 512 << 10;  // pages that are there and still being read are the last ones of many

// Nothing where the system doesn't say.
std::optional<bool> all_pages_there(int fd, uint64_t offset, uint64_t bytes) {
  struct {
    uint64_t offset, length;
  } range{offset, bytes};
  struct {
    uint64_t cached, dirty, written_back, evicted, recently_evicted;
  } counts{};
  if (::syscall(cachestat_call, fd, &range, &counts, 0) != 0) return std::nullopt;
  static const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return counts.cached >= (offset + bytes - 1) / page - offset / page + 1;
}

}  // namespace

bool in_page_cache(const FileHandle& file, off_t offset, uint64_t bytes) {
  if (bytes == 0) return true;
  std::optional<bool> all = all_pages_there(file.fd(), static_cast<uint64_t>(offset), bytes);
  if (all && !*all) return false;
  const uint64_t step = all ? step_counted : step_alone;
  for (uint64_t at = 0; at < bytes; at = std::min(at + step, std::max(bytes - 1, at + 1))) {
    char byte;
    iovec one{&byte, 1};
    if (::preadv2(file.fd(), &one, 1, offset + static_cast<off_t>(at), RWF_NOWAIT) < 0 && errno == EAGAIN) return false;
  }
  return true;
}

FileSystem& real_files() {
  static RealFiles files;
  return files;
}

}  // namespace portolan
