#pragma once
// A file system whose every call counts as a wait for the disk while it lasts: reads in one Watch, changes and syncs in
// another.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file.hh"
#include "edge/disk/watch.hh"

namespace portolan::edge::disk {

struct Watches {
  explicit Watches(const Clock& time) : clock(time) {}
  const Clock& clock;
  Watch reads, changes;
};

class WatchedFile final : public File {
 public:
  WatchedFile(std::shared_ptr<Watches> watches, std::unique_ptr<File> file)
      : watches_(std::move(watches)), file_(std::move(file)) {}
  Result<size_t> read_at(std::span<char> bytes, uint64_t offset) override {
    Watch::Wait wait(watches_->reads, watches_->clock);
    return file_->read_at(bytes, offset);
  }
  Status write_at(std::span<const char> bytes, uint64_t offset) override {
    Watch::Wait wait(watches_->changes, watches_->clock);
    return file_->write_at(bytes, offset);
  }
  Status sync() override {
    Watch::Wait wait(watches_->changes, watches_->clock);
    return file_->sync();
  }
  Result<uint64_t> size() override { return file_->size(); }
  Status resize(uint64_t bytes) override {
    Watch::Wait wait(watches_->changes, watches_->clock);
    return file_->resize(bytes);
  }
  Status allocate(uint64_t offset, uint64_t bytes) override {
    Watch::Wait wait(watches_->changes, watches_->clock);
    return file_->allocate(offset, bytes);
  }
  Status discard(uint64_t offset, uint64_t bytes) override {
    Watch::Wait wait(watches_->changes, watches_->clock);
    return file_->discard(offset, bytes);
  }
  Status warm(uint64_t offset, uint64_t bytes) override {
    Watch::Wait wait(watches_->reads, watches_->clock);
    return file_->warm(offset, bytes);
  }
  Status lock() override { return file_->lock(); }
  const FileRef& handle() const override { return file_->handle(); }

 private:
  const std::shared_ptr<Watches> watches_;
  std::unique_ptr<File> file_;
};

class WatchedFiles final : public FileSystem {
 public:
  WatchedFiles(FileSystem& files, std::shared_ptr<Watches> watches) : files_(files), watches_(std::move(watches)) {}
  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override {
    Watch::Wait wait(watches_->changes, watches_->clock);
    auto file = files_.open(path, how);
    if (!file) return file;
    return std::unique_ptr<File>(std::make_unique<WatchedFile>(watches_, std::move(*file)));
  }
  Result<std::vector<std::string>> list(const std::string& directory) override { return files_.list(directory); }
  Status make_directories(const std::string& path) override { return files_.make_directories(path); }
  Status rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Status remove(const std::string& path) override { return files_.remove(path); }
  Status sync_directory(const std::string& path) override {
    Watch::Wait wait(watches_->changes, watches_->clock);
    return files_.sync_directory(path);
  }
  Result<uint64_t> free_bytes(const std::string& path) override { return files_.free_bytes(path); }

 private:
  FileSystem& files_;
  const std::shared_ptr<Watches> watches_;
};

}  // namespace portolan::edge::disk
