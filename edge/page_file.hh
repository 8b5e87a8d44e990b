#pragma once
// Memory whose pages leave by sendfile(2): the kernel hands them to the socket instead of copying their bytes. For stored
// bodies of some size. One anonymous file a cache; every body has a range of its own, and no range is ever given twice:
// when a body goes its pages are taken out of the file, while those still under way to a client live until they arrive.
#include <atomic>
#include <cstdint>
#include <memory>

#include "core/base/body.hh"

namespace portolan::edge {

class PageFile : public std::enable_shared_from_this<PageFile> {
 public:
  static constexpr uint64_t page_bytes = 4096;
  PageFile();
  ~PageFile();
  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;

  // Copies `bytes`, which holds no file ranges, into pages. The range begins at `offset` of the file returned, and lives
  // as long as that reference; empty where the kernel has no memory for it. Any thread.
  FileRef keep(const Body& bytes, off_t& offset);
  static uint64_t pages_of(uint64_t bytes) { return (bytes + page_bytes - 1) / page_bytes * page_bytes; }

 private:
  class Range;
  int fd_;  // -1: there is none
  std::atomic<uint64_t> end_{0};
};

}  // namespace portolan::edge
