#pragma once
// A file system in memory that dies when told to, and what a dead one leaves: after the end of a process all that was
// written, after a loss of power what was synced and any part of the rest.
#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hh"
#include "core/base/file.hh"
#include "core/base/io.hh"

namespace portolan::edge::test {

class MemoryFiles final : public FileSystem {
 public:
  struct Write {
    uint64_t offset;
    std::string bytes;
  };
  struct Node {
    std::string now, synced;
    std::vector<Write> unsynced;
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  // The n-th operation from now on is the last one, and half done at most. 0: none is.
  void die_after(uint64_t operations, Rng* rng) {
    left_ = operations;
    rng_ = rng;
    dead_ = false;
  }
  void fail_one_after(uint64_t operations) { fails_at_ = operations; }
  void fail(bool failing) { failing_ = failing; }  // all that writes
  bool dead() const { return dead_; }
  uint64_t syncs = 0;

  // What the next process finds.
  void lose_power(Rng& rng) {
    if (rng.below(2)) names_ = durable_names_;
    for (auto& [name, node] : names_) {
      std::string left = node->synced;
      for (const Write& w : node->unsynced) {
        uint64_t part = rng.below(3) == 0 ? w.bytes.size() : rng.below(w.bytes.size() + 1);
        apply(left, {w.offset, w.bytes.substr(0, part)});
        if (rng.below(3) == 0) left.resize(std::max(left.size(), w.offset + w.bytes.size()));  // the size alone
      }
      node->now = node->synced = left;
      node->unsynced.clear();
    }
    restart();
  }
  void restart() {
    left_ = fails_at_ = 0;
    dead_ = failing_ = false;
    durable_names_ = names_;
  }
  std::string* bytes(const std::string& path) {
    auto it = names_.find(path);
    return it == names_.end() ? nullptr : &it->second->now;
  }
  void put(const std::string& path, const std::string& bytes) {
    auto node = std::make_shared<Node>();
    node->now = node->synced = bytes;
    names_[path] = durable_names_[path] = node;
  }
  size_t count() const { return names_.size(); }

  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  Result<std::vector<std::string>> list(const std::string&) override { return std::vector<std::string>(); }
  Status make_directories(const std::string&) override { return step(); }
  Status rename(const std::string& from, const std::string& to) override {
    Status s = step();
    if (!s && !torn()) return s;
    auto it = names_.find(from);
    if (it == names_.end()) return system_error(from, ENOENT);
    names_[to] = it->second;
    names_.erase(from);
    return s;
  }
  Status remove(const std::string& path) override {
    if (Status s = step(); !s) return s;
    return names_.erase(path) ? Status() : Status(system_error(path, ENOENT));
  }
  Status sync_directory(const std::string&) override {
    if (Status s = step(); !s) return s;
    durable_names_ = names_;
    return {};
  }
  Result<uint64_t> free_bytes(const std::string&) override { return uint64_t{1} << 40; }

  Status step() {
    if (dead_) return system_error("dead", EIO);
    if (failing_) return system_error("no space", ENOSPC);
    if (fails_at_ > 0 && --fails_at_ == 0) return system_error("fails once", EIO);
    if (left_ > 0 && --left_ == 0) {
      dead_ = true;
      return system_error("dies", EIO);
    }
    return {};
  }
  bool torn() { return dead_ && left_ == 0 && rng_ && rng_->below(2); }
  Rng* rng() { return rng_; }

  static void apply(std::string& bytes, const Write& w) {
    if (bytes.size() < w.offset + w.bytes.size()) bytes.resize(w.offset + w.bytes.size());
    bytes.replace(w.offset, w.bytes.size(), w.bytes);
  }

 private:
  Names names_, durable_names_;
  uint64_t left_ = 0, fails_at_ = 0;
  bool dead_ = false, failing_ = false;
  Rng* rng_ = nullptr;
};

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryFiles& files, std::shared_ptr<MemoryFiles::Node> node) : files_(files), node_(std::move(node)) {}
  Result<size_t> read_at(std::span<char> bytes, uint64_t offset) override {
    if (offset >= node_->now.size()) return size_t{0};
    size_t count = std::min(bytes.size(), node_->now.size() - offset);
    std::copy_n(node_->now.data() + offset, count, bytes.data());
    return count;
  }
  Status write_at(std::span<const char> bytes, uint64_t offset) override {
    bool was_dead = files_.dead();
    Status s = files_.step();
    if (!s && (was_dead || !files_.torn())) return s;
    std::string text(bytes.data(), bytes.size());
    if (!s) text.resize(files_.rng()->below(text.size() + 1));
    MemoryFiles::apply(node_->now, {offset, text});
    node_->unsynced.push_back({offset, text});
    return s;
  }
  Status sync() override {
    bool was_dead = files_.dead();
    Status s = files_.step();
    if (!s && (was_dead || !files_.torn())) return s;
    ++files_.syncs;
    node_->synced = node_->now;
    node_->unsynced.clear();
    return s;
  }
  Result<uint64_t> size() override { return uint64_t{node_->now.size()}; }
  Status resize(uint64_t bytes) override {
    if (Status s = files_.step(); !s) return s;
    node_->now.resize(bytes);
    return {};
  }
  Status allocate(uint64_t, uint64_t) override { return files_.step(); }
  Status discard(uint64_t, uint64_t) override { return files_.step(); }
  Status warm(uint64_t, uint64_t) override { return {}; }
  Status lock() override { return {}; }
  const FileRef& handle() const override { return none_; }

 private:
  MemoryFiles& files_;
  std::shared_ptr<MemoryFiles::Node> node_;
  FileRef none_;
};

inline Result<std::unique_ptr<File>> MemoryFiles::open(const std::string& path, Open how) {
  if (dead_) return system_error("dead", EIO);
  auto it = names_.find(path);
  if (it == names_.end()) {
    if (how != Open::create) return system_error("cannot open " + path, ENOENT);
    if (Status s = step(); !s) return s.error();
    it = names_.emplace(path, std::make_shared<Node>()).first;
  }
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(*this, it->second));
}

// Runs what was submitted when asked to.
class QueueExecutor final : public Executor {
 public:
  bool submit(std::function<void()> work) override {
    if (full) return false;
    queue_.push_back(std::move(work));
    return true;
  }
  void run() {
    while (!queue_.empty()) {
      auto work = std::move(queue_.front());
      queue_.erase(queue_.begin());
      work();
    }
  }
  void forget() { queue_.clear(); }
  bool full = false;

 private:
  std::vector<std::function<void()>> queue_;
};

}  // namespace portolan::edge::test
