#pragma once
// A file copied into sealed anonymous memory and mapped: whatever happens to the file afterwards,
// the bytes stay readable (a file truncated in place would end a process that mapped it with
// SIGBUS).
#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/result.hh"

namespace portolan::geo {

class PrivateFile {
 public:
  static constexpr size_t max_bytes = size_t{512} << 20;

  static Result<PrivateFile> copy_of(const std::string& path);  // a regular file of at most max_bytes
  static Result<PrivateFile> holding(std::string_view bytes);
  PrivateFile(PrivateFile&& o) noexcept;
  PrivateFile& operator=(PrivateFile&& o) noexcept;
  ~PrivateFile();

  std::string_view bytes() const { return {data_, size_}; }
  std::string path() const;  // /proc/self/fd/N, for readers that open by name

 private:
  explicit PrivateFile(int fd) : fd_(fd) {}
  Status seal_and_map(size_t size);
  int fd_ = -1;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace portolan::geo
