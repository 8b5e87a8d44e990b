#pragma once
// HTTP/2 with a client: what a Connection becomes when its client speaks it. Every stream has an exchange of its own.
#include <memory>
#include <vector>

#include "core/http/h2.hh"
#include "core/loop/worker.hh"
#include "proxy/downstream.hh"
#include "proxy/exchange.hh"

namespace portolan::proxy {

class Connection;
class H2Connection;

// A stream as the client's side of its exchange.
class H2Downstream final : public Downstream, public loop::Mortal, public Recycled {
 public:
  H2Downstream(H2Connection& connection, http::H2Stream& stream);
  void start();
  void run() override;
  void on_closed(bool whole);  // the stream is gone

  Read read_body(Slice& bytes) override;
  const http::Fields& trailers() const override;
  int broken_status() const override { return 400; }
  int64_t request_started_us() const override { return started_us_; }
  bool output_full() const override;
  bool output_empty() const override { return !stream_ || stream_->all_sent(); }
  void send_interim(const std::string& head) override;
  void send_head(const Answer& answer, ResponseFilter& filter) override;
  void send_body(Body& part) override;
  void end_body(const http::Fields* trailers) override;
  void close_after_answer() override {}  // what follows comes on other streams
  void cut() override;

 private:
  friend class H2Connection;
  void finish();
  void progress();
  Exchange::Slow pace(int64_t now_ms, int64_t look_ms);
  void on_timeout();

  H2Connection& connection_;
  http::H2Stream* stream_;  // nullptr: closed
  http::RequestHead head_;
  int refusal_;
  int64_t started_us_;
  int64_t progress_ms_;
  uint64_t moved_ = 0;     // H2Connection::moved() at the last look
  bool bodyless_ = false;  // the answer ended with its head
  H2Downstream* previous_ = nullptr;
  H2Downstream* next_ = nullptr;
  loop::Timer timer_;
  std::unique_ptr<Exchange> exchange_;  // last: it uses what is above
};

class H2Connection final : public http::H2Session::Events {
 public:
  explicit H2Connection(Connection& connection);
  ~H2Connection();
  // Reads, answers and writes what can be now. False: nothing more to do, or the connection has closed.
  bool step();
  void on_timeout();
  void client_left();  // ends every exchange
  bool idles() const { return !streams_ && all_taken(); }
  void say_goodbye();  // GOAWAY, if it can be sent at once
  uint64_t unsent() const { return session_.unsent(); }
  int64_t progress_ms() const { return progress_ms_; }

  void on_request(http::H2Stream& stream) override;
  void on_readable(http::H2Stream& stream) override;
  void on_room(http::H2Stream& stream) override;
  void on_closed(http::H2Stream& stream, http::H2Error why) override;

 private:
  friend class H2Downstream;
  void wake();
  bool read_and_write();
  bool receive();
  void cut_off();
  void start_streams();
  bool end_if_over();
  void set_timer();
  void remove(H2Downstream& stream);
  bool all_taken() const;   // the kernel has what was framed
  uint64_t moved();         // bytes, both ways; those to the client as it acknowledged them. Asks the kernel
  uint64_t moved_lately();  // the same, as it was within the last second
  loop::Worker& worker();

  Connection& connection_;
  http::H2Session session_;
  std::vector<H2Downstream*> starting_;  // came with the last bytes; what is reset amid them never starts
  H2Downstream* streams_ = nullptr;      // owned
  bool stepping_ = false;
  bool woken_ = false;     // by a stream, amid a step
  int64_t progress_ms_;    // of any stream
  uint64_t moved_ = 0;     // bytes, both ways, to and from the kernel
  uint64_t measured_ = 0;  // moved(), when it was asked last
  int64_t measured_ms_;
  enum class Resting : uint8_t { no, unread, idle };  // no: it has streams; unread: the client has yet to take the last
  Resting resting_ = Resting::idle;
  uint64_t taken_ = 0;  // moved_, when that was looked at last
  bool announced_ = false;
};

}  // namespace portolan::proxy
