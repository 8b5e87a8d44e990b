#pragma once
// One connection to the admin server: one request, its answer, or a watch on /health until either
// side leaves.
#include <memory>
#include <string>

#include "core/http/h1.hh"
#include "core/loop/stream.hh"
#include "core/loop/worker.hh"
#include "daemon/admin_api.hh"

namespace portolan::daemon {

class AdminConnection final : public loop::Mortal, public loop::StreamHandler, public loop::Runnable {
 public:
  AdminConnection(Admin& admin, Admin::Door door, UniqueFd socket, std::string who);
  void start() { proceed(); }
  void refuse(int status, const std::string& what);  // answers without reading
  void on_ready() override { proceed(); }
  void run() override { proceed(); }
  bool watches() const { return state_ == State::watching; }
  void push(const std::string& line);  // of a watch
  Admin::Door door() const { return door_; }

 private:
  enum class State : uint8_t { reading, waiting, writing, watching, parting, closed };
  void proceed();
  bool read();
  void parse();
  bool on_step(const http::Step& step);
  void begin(const http::RequestHead& head);
  void ask();
  bool admitted();
  void answer(AdminAnswer a);
  void write();
  void discard();
  void part();
  void close();
  void on_timeout();

  Admin& admin_;
  Admin::Door door_;
  State state_ = State::reading;
  std::unique_ptr<loop::Stream> stream_;
  loop::Timer timer_;
  http::RequestParser parser_;
  std::string in_;
  AdminRequest request_;
  std::string authorization_;
  bool chunks_allowed_ = true;  // HTTP/1.1
  Body out_;
  int64_t heartbeat_ms_ = 0;
  int stalled_beats_ = 0;
  std::shared_ptr<AdminConnection*> self_;  // points nowhere once this is gone: late answers look here
};

}  // namespace portolan::daemon
