#pragma once
// Files as rooms see them that keep state on a disk: interfaces, so that a test can make them fail. Every call may block:
// on an Executor's threads only, never on a loop. Errors carry errno in `code`; a short read or write is never success
// but where it says so.
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/body.hh"
#include "core/base/result.hh"

namespace portolan {

// An open file. Any thread; reads and writes of several may overlap in time.
class File {
 public:
  virtual ~File() = default;
  // Reads up to bytes.size() and returns how many there were: fewer only at the file's end.
  virtual Result<size_t> read_at(std::span<char> bytes, uint64_t offset) = 0;
  virtual Status write_at(std::span<const char> bytes, uint64_t offset) = 0;
  virtual Status sync() = 0;  // fdatasync(2)
  virtual Result<uint64_t> size() = 0;
  virtual Status resize(uint64_t bytes) = 0;  // longer: sparse
  // Blocks for the range, so that no write there finds the disk full; fine where a file system has no such promise to
  // give. The file grows to the range's end.
  virtual Status allocate(uint64_t offset, uint64_t bytes) = 0;
  // Takes the pages and blocks of a range out of the file; it reads as zeros. What sendfile(2) still has of them under way
  // keeps its bytes, as it wouldn't if they were overwritten.
  virtual Status discard(uint64_t offset, uint64_t bytes) = 0;
  // Reads the range into the page cache, so that a send from it soon doesn't wait.
  virtual Status warm(uint64_t offset, uint64_t bytes) = 0;
  // Nobody else may: flock(2), until the last reference to the descriptor goes. EWOULDBLOCK: somebody has it.
  virtual Status lock() = 0;
  // The same file for a Body's segments; null where there is none to send from.
  virtual const FileRef& handle() const = 0;
};

class FileSystem {
 public:
  enum class Open : uint8_t {
    read,
    write,
    create
  };  // write and create read, too; create: it need not exist, mode 0600

  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
  // Names, without "." and "..", in no order.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Status make_directories(const std::string& path) = 0;  // mode 0700; fine when it is there
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status sync_directory(const std::string& path) = 0;  // makes renames and new names durable
  virtual Result<uint64_t> free_bytes(const std::string& path) = 0;
};

FileSystem& real_files();

// Whether a range of an open file is in the page cache, what sendfile(2) may be asked for on a loop: all of it where the
// system counts (cachestat(2), Linux 6.5), else as far as a byte here and there tells. Never waits for a disk; any thread.
// True where nobody can say.
bool in_page_cache(const FileHandle& file, off_t offset, uint64_t bytes);

}  // namespace portolan
