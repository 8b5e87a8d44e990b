#pragma once
// A file system that fails as told: an error for this call or that, half a write, nothing at all any more after the n-th
// change (a crash), or a wait. Everything else goes to the real one.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file.hh"

namespace portolan::edge::disk::test {

enum class Call : uint8_t { open, list, read, write, resize, allocate, discard, sync, rename, remove, other };

class FaultFiles final : public FileSystem {
 public:
  struct Asked {
    Call call = Call::other;
    std::string name;  // without the directory
    uint64_t offset = 0, bytes = 0;
  };
  // 0: let it through; > 0: an errno; half_write: half of the bytes and then ENOSPC; dropped: success, but nothing happens.
  static constexpr int half_write = -1, dropped = -2;
  using Fault = std::function<int(const Asked&)>;

  explicit FaultFiles(FileSystem& real = real_files()) : real_(real) {}

  void set(Fault fault) {
    std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  // Of the changes from now on only the first `n` happen; of the one after them a half.
  void crash_after(uint64_t n) {
    auto left = std::make_shared<std::atomic<int64_t>>(static_cast<int64_t>(n));
    set([left](const Asked& a) {
      if (a.call == Call::open || a.call == Call::list || a.call == Call::read || a.call == Call::other) return 0;
      int64_t now = left->fetch_sub(1);
      return now > 0 ? 0 : now == 0 && a.call == Call::write ? half_and_success : dropped;
    });
  }
  uint64_t changes() const { return changes_; }

  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  Result<std::vector<std::string>> list(const std::string& directory) override {
    if (int code = ask({Call::list, "", 0, 0}); code > 0) return system_error("cannot list", code);
    return real_.list(directory);
  }
  Status make_directories(const std::string& path) override { return real_.make_directories(path); }
  Status rename(const std::string& from, const std::string& to) override {
    int code = ask({Call::rename, base(from), 0, 0});
    if (code > 0) return system_error("cannot rename", code);
    return code == 0 ? real_.rename(from, to) : Status();
  }
  Status remove(const std::string& path) override {
    int code = ask({Call::remove, base(path), 0, 0});
    if (code > 0) return system_error("cannot remove", code);
    return code == 0 ? real_.remove(path) : Status();
  }
  Status sync_directory(const std::string& path) override { return real_.sync_directory(path); }
  Result<uint64_t> free_bytes(const std::string& path) override { return real_.free_bytes(path); }

 private:
  friend class FaultFile;
  static constexpr int half_and_success = -3;
  static std::string base(const std::string& path) { return path.substr(path.rfind('/') + 1); }
  int ask(const Asked& asked) {
    Fault fault;
    {
      std::lock_guard lock(mutex_);
      fault = fault_;
    }
    if (asked.call != Call::open && asked.call != Call::list && asked.call != Call::read) ++changes_;
    return fault ? fault(asked) : 0;
  }
  FileSystem& real_;
  std::mutex mutex_;
  Fault fault_;
  std::atomic<uint64_t> changes_{0};
};

class FaultFile final : public File {
 public:
  FaultFile(FaultFiles& files, std::unique_ptr<File> real, std::string name)
      : files_(files), real_(std::move(real)), name_(std::move(name)) {}
  Result<size_t> read_at(std::span<char> bytes, uint64_t offset) override {
    if (int code = files_.ask({Call::read, name_, offset, bytes.size()}); code > 0)
      return system_error("cannot read " + name_, code);
    return real_->read_at(bytes, offset);
  }
  Status write_at(std::span<const char> bytes, uint64_t offset) override {
    int code = files_.ask({Call::write, name_, offset, bytes.size()});
    if (code > 0) return system_error("cannot write " + name_, code);
    if (code == FaultFiles::dropped) return {};
    if (code == FaultFiles::half_write || code == FaultFiles::half_and_success) {
      Status half = real_->write_at(bytes.first(bytes.size() / 2), offset);
      if (code == FaultFiles::half_and_success) return half;
      return system_error("cannot write " + name_, ENOSPC);
    }
    return real_->write_at(bytes, offset);
  }
  Status sync() override {
    return change(Call::sync, 0, 0, [&] { return real_->sync(); });
  }
  Result<uint64_t> size() override { return real_->size(); }
  Status resize(uint64_t bytes) override {
    return change(Call::resize, 0, bytes, [&] { return real_->resize(bytes); });
  }
  Status allocate(uint64_t offset, uint64_t bytes) override {
    return change(Call::allocate, offset, bytes, [&] { return real_->allocate(offset, bytes); });
  }
  Status discard(uint64_t offset, uint64_t bytes) override {
    return change(Call::discard, offset, bytes, [&] { return real_->discard(offset, bytes); });
  }
  Status warm(uint64_t offset, uint64_t bytes) override { return real_->warm(offset, bytes); }
  Status lock() override { return real_->lock(); }
  const FileRef& handle() const override { return real_->handle(); }

 private:
  template <class F>
  Status change(Call call, uint64_t offset, uint64_t bytes, F&& make) {
    int code = files_.ask({call, name_, offset, bytes});
    if (code > 0) return system_error("cannot change " + name_, code);
    return code == 0 ? make() : Status();
  }
  FaultFiles& files_;
  std::unique_ptr<File> real_;
  std::string name_;
};

inline Result<std::unique_ptr<File>> FaultFiles::open(const std::string& path, Open how) {
  if (int code = ask({Call::open, base(path), 0, 0}); code > 0) return system_error("cannot open " + path, code);
  auto file = real_.open(path, how);
  if (!file) return file;
  return std::unique_ptr<File>(std::make_unique<FaultFile>(*this, std::move(*file), base(path)));
}

}  // namespace portolan::edge::disk::test
