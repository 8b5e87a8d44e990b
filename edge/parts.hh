#pragma once
// What an object is that is kept in fragments: pieces of one size, each stored, accounted and evicted by itself, so that
// a range of a large object neither fetches nor holds the whole. All of them are of the one version that a strong
// validator names (RFC 9111 §3.4): what comes with another is never put beside them.
//
// Threads: any. Lives as long as somebody reads it or the index has its head.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/http/semantics.hh"

namespace portolan::edge {

class Store;
struct Shard;

// A fragment's place in the index: the number of the object it is of, and its own.
struct FragmentKey {
  uint64_t object = 0;
  uint64_t number = 0;
  bool operator==(const FragmentKey&) const = default;
};

class Parts {
 public:
  static constexpr uint64_t fragment_bytes = 1 << 20;

  Parts(const std::shared_ptr<Store>& store, uint64_t id, uint64_t size, std::string_view validator)
      : store_(store), id_(id), size_(size), validator_(validator) {}
  uint64_t size() const { return size_; }  // of the whole
  // For If-Range: a strong entity tag, or a date of Last-Modified that is one (RFC 9110 §8.8.2.2).
  const std::string& validator() const { return validator_; }
  FragmentKey key(uint64_t number) const { return {id_, number}; }
  http::ByteRange fragment(uint64_t number) const;
  static uint64_t number_of(uint64_t at) { return at / fragment_bytes; }
  static uint64_t round_down(uint64_t at) { return at / fragment_bytes * fragment_bytes; }
  uint64_t round_up(uint64_t at) const;  // to the end of a fragment
  // The range of this version that `response`, a 206, brings; nullopt: it contradicts itself or what is known.
  std::optional<http::ByteRange> brought_by(const http::ResponseHead& response) const;
  // The server has another version by now, or answers no ranges any more: nothing more is fetched.
  bool outdated() const { return outdated_.load(std::memory_order_acquire); }
  // The server doesn't give parts as they are asked for: it fails, or brings less. Who wants the whole asks for that
  // (Store::find).
  bool troubled() const { return troubled_.load(std::memory_order_relaxed); }
  void note_trouble(bool troubled) { troubled_.store(troubled, std::memory_order_relaxed); }
  std::shared_ptr<Store> store() const { return store_.lock(); }

 private:
  friend class Store;
  std::weak_ptr<Store> store_;
  uint64_t id_;
  uint64_t size_;
  std::string validator_;
  std::atomic<bool> outdated_{false};
  std::atomic<bool> troubled_{false};
  std::atomic<uint32_t> touches_{0};
  // Where its head stands in the index; set before anybody else sees this.
  Shard* shard_ = nullptr;
  std::string entry_key_;
  uint64_t entry_hash_ = 0;
};

// The validator that a response may be combined by: its strong entity tag, else its Last-Modified where that is strong.
std::optional<std::string_view> strong_validator(const http::Fields& response);
// What the one Content-Range of a 206 says, where it agrees with the message's own length; nullopt: it doesn't, or the
// size isn't said, or the end of the body can't be told from a cut.
std::optional<http::ContentRange> consistent_range(const http::ResponseHead& response);
// The Range that a fetch asks for, so that it brings whole fragments of what the client asked for first: the value of
// the field. Empty: none, the whole is fetched.
std::string aligned_range(const http::Fields& request);

}  // namespace portolan::edge
