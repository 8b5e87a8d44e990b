#pragma once
// A scripted server on the test's own loop: it hands over what each connection said and sends what
// it is told.
#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "core/loop/listener.hh"
#include "core/loop/stream.hh"

namespace portolan::testing {

class TinyServer {
 public:
  class Connection final : public loop::StreamHandler {
   public:
    Connection(TinyServer& server, UniqueFd fd)
        : server_(server), stream_(std::make_unique<loop::Stream>(server.worker_, std::move(fd), *this)) {}
    void on_ready() override { read(); }
    void send(const std::string& text) {
      out_.append(Slice::copy_of(text));
      if (stream_) stream_->write(out_);
    }
    void close() { stream_.reset(); }
    void reset() {
      stream_->reset_on_close();
      stream_.reset();
    }
    bool open() const { return stream_ != nullptr; }
    std::string received;  // all of it

   private:
    friend class TinyServer;
    void read() {
      char buffer[4096];
      size_t got = 0;
      while (stream_) {
        loop::Io io = stream_->read(buffer, sizeof buffer, got);
        if (io == loop::Io::would_block) break;
        if (io != loop::Io::done) return close();
        received.append(buffer, got);
        if (server_.on_bytes) server_.on_bytes(*this);
      }
      if (stream_) stream_->write(out_);
    }
    TinyServer& server_;
    std::unique_ptr<loop::Stream> stream_;
    Body out_;
  };

  // On a free port of the loopback, or on the given address.
  explicit TinyServer(loop::Worker& worker, SocketAddress address = {IpAddress::v4(127, 0, 0, 1), 0, {}})
      : worker_(worker),
        fd_(open(address)),
        listener_(std::make_unique<loop::Listener>(worker, fd_.get(), [this](UniqueFd socket, const SocketAddress&) {
          ++accepted;
          connections.push_back(std::make_unique<Connection>(*this, std::move(socket)));
          connections.back()->read();
        })) {}

  // Answers every request (anything that ends in an empty line) with these bytes, then closes.
  void answers(std::string text) {
    on_bytes = [text = std::move(text)](Connection& c) {
      if (!c.received.ends_with("\r\n\r\n")) return;
      c.send(text);
      c.close();
    };
  }
  SocketAddress address() const { return loop::local_address(fd_.get()); }
  void stop() {  // refuses from now on
    listener_.reset();
    fd_.reset();
    connections.clear();
  }

  std::function<void(Connection&)> on_bytes;
  std::list<std::unique_ptr<Connection>> connections;
  int accepted = 0;

 private:
  static UniqueFd open(const SocketAddress& address) {
    auto fd = loop::open_listener(address);
    EXPECT_TRUE(fd) << fd.error().text;
    return fd ? std::move(*fd) : UniqueFd();
  }
  loop::Worker& worker_;
  UniqueFd fd_;
  std::unique_ptr<loop::Listener> listener_;
};

// Turns the loop until `done()` or ten seconds have gone.
template <class Done>
bool run_until(loop::Worker& worker, Done done) {
  SystemClock clock;
  int64_t end = clock.now_ms() + 10'000;
  while (!done() && clock.now_ms() < end) worker.turn(50);
  return done();
}

}  // namespace portolan::testing
