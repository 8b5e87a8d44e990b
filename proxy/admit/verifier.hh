#pragma once
// Checks passwords for the exchanges of one worker: off the loop, each once for all who wait for the same, and then not
// again for a while. What was checked is kept as a keyed hash of 128 bits, never as a password, and only for the reading
// of the users file it was checked against. The worker's thread only.
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/io.hh"
#include "core/crypto/keyed_hash.hh"
#include "core/loop/worker.hh"
#include "proxy/admit/client_counts.hh"
#include "proxy/admit/users.hh"

namespace portolan::proxy {

class Verifier {
 public:
  enum class Verdict : uint8_t {
    good,
    bad,
    waiting,  // the waiter will be run
    busy,     // too many passwords are being checked, or this client's, or it took too long
  };
  struct Job;
  // One exchange's wait. Its destructor cancels it: a check nobody waits for is not made.
  class Wait {
   public:
    Wait() = default;
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    friend class Verifier;
    std::shared_ptr<Job> job_;
    loop::Runnable* waiter_ = nullptr;
    Verdict verdict_ = Verdict::waiting;
  };

  // `executor` does the hashing (nullptr: everybody is told `busy`); `pending` counts what each client has it do.
  Verifier(loop::Worker& worker, Executor* const& executor, ClientCounts& pending);
  ~Verifier();
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  // Asked again with the same `wait` when its waiter runs.
  Verdict check(const std::shared_ptr<const Users>& users, const Credentials& credentials, const IpAddress& client,
                loop::Runnable& waiter, Wait& wait);

  static constexpr int64_t good_for_ms = 300'000;
  static constexpr int64_t bad_for_ms = 5'000;
  static constexpr int64_t longest_queued_ms = 5'000;
  static constexpr uint64_t most_of_a_client = 8;  // being checked at once

 private:
  struct Tag {
    uint64_t a = 0, b = 0;
    bool operator==(const Tag&) const = default;
  };
  struct TagHash {
    size_t operator()(const Tag& tag) const { return tag.a; }
  };
  struct Known {
    Tag tag;
    int64_t until_ms = 0;
    bool good = false;
  };
  static constexpr size_t ways = 4, sets = 256;

  Tag tag_of(const Users& users, const Credentials& credentials) const;
  Known* known(const Tag& tag);
  void remember(const Tag& tag, bool good);
  bool submit(const std::shared_ptr<Job>& job);
  void done(Job& job);

  loop::Worker& worker_;
  Executor* const& executor_;
  ClientCounts& pending_;
  crypto::HashKey keys_[2];
  std::unique_ptr<std::array<Known, ways * sets>> known_;  // made by the first check
  std::unordered_map<Tag, std::shared_ptr<Job>, TagHash> jobs_;
};

}  // namespace portolan::proxy
