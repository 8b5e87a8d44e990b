#pragma once
// DNS over TCP (RFC 1035 §4.2.2, RFC 7766) and TLS (RFC 7858): messages behind their length, any number one after
// another.
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "core/base/address.hh"
#include "core/base/body.hh"
#include "core/base/fd.hh"
#include "core/loop/stream.hh"
#include "core/loop/tls_acceptor.hh"

namespace portolan::geodns {

// Cuts a stream of bytes into messages. Pure.
class Frames {
 public:
  static constexpr size_t max_query_size = 4096;  // no honest query is longer
  enum class Result : uint8_t { more, message, refused };

  // Takes bytes off the front of `in` up to the end of a message. `message` is valid until the next
  // call; `more`: all of `in` was taken; `refused`: an empty or too long message, nothing after it
  // can be trusted.
  Result take(std::span<const uint8_t>& in, std::span<const uint8_t>& message);

 private:
  std::vector<uint8_t> partial_;  // length and what came of the message so far
  bool complete_ = false;
};

// One connection, on one worker. Each complete query restarts the idle time; output that the client
// does not take within the same time ends the session, and meanwhile no more is read. Answers leave in the order of the
// queries: each is ready when its query was read.
class Session final : public loop::Mortal, private loop::Runnable, private loop::StreamHandler {
 public:
  // Writes the answer to `query` into `out` (65535 bytes) and returns its size; 0: silence.
  using OnQuery = std::function<size_t(Session& session, std::span<const uint8_t> query, std::span<uint8_t> out)>;
  struct Owner {
    OnQuery on_query;
    std::function<void(Session& session)> on_end;  // the session wants to be buried; called once
    std::vector<uint8_t> scratch;                  // where answers are written, shared by all sessions
    int64_t idle_timeout_ms = 10000;
  };
  // `tls`: null for plain TCP.
  Session(loop::Worker& worker, UniqueFd socket, const IpAddress& client, Owner& owner, loop::TlsAcceptor* tls);

  const IpAddress& client() const { return client_; }
  bool encrypted() const { return stream_.tls() != nullptr; }
  void end();  // on_end, unless that was called; nothing happens here afterwards
  std::list<std::unique_ptr<Session>>::iterator place;  // its owner's list; the owner's to use

 private:
  enum class Progress : uint8_t { blocked, again, end };
  void on_ready() override;
  void on_timeout();
  void run() override;  // the next turn's share
  void proceed();
  bool shake_hands();  // false: not yet
  Progress read_some();
  bool answer_all(std::span<const uint8_t> in);
  void put(std::span<const uint8_t> answer);
  bool flush();

  loop::Worker& worker_;
  IpAddress client_;
  Owner& owner_;
  Frames frames_;
  BlockRef block_;  // what answers are put into, up to filled_
  size_t filled_ = 0;
  Body out_;
  bool shaking_hands_ = false;
  bool ended_ = false;
  loop::Timer timer_;
  loop::Stream stream_;
};

}  // namespace portolan::geodns
