#pragma once
// Files as the configuration names them, read off the loops.
#include <sys/stat.h>

#include <string>

#include "core/base/result.hh"

namespace portolan::daemon {

// The whole file; an error for one of more than `most` bytes.
Result<std::string> read_file(const std::string& path, size_t most);

// What a file was when it was read.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = -1;
  timespec modified{}, changed{};
  static FileStamp of(const std::string& path);  // size -1: it can't be looked at
  bool operator==(const FileStamp& other) const;
};

}  // namespace portolan::daemon
