#pragma once
// One request to a pool, tried at one server after another until an answer comes: pick → connect → send → receive. Pushes
// what arrives to a Consumer. Lives on one worker; destroying it ends everything it waits for.
#include <memory>
#include <string>

#include "core/base/body.hh"
#include "core/http/message.hh"
#include "proxy/cluster.hh"
#include "proxy/pool.hh"
#include "proxy/queue_place.hh"
#include "proxy/request_meter.hh"

namespace portolan::proxy {

class Hedge;
class Proxy;

struct OriginFailure {
  int status = 502;        // 502, 503 (no server) or 504: what a client is told
  bool no_server = false;  // nobody was there to try
  std::string reason;      // "connection refused", "no answer within 1000 ms"
  bool reached = false;    // a server had the request, which may be why it failed
};

class OriginRequest final : public ServerStream::User, public loop::Runnable {
 public:
  // None of these may destroy the OriginRequest; they take note and wake whoever will.
  class Consumer {
   public:
    virtual void on_interim(const http::ResponseHead&) {}  // 1xx
    virtual void on_head(http::ResponseHead& head) = 0;    // views live in head.storage
    virtual void on_body(Slice bytes) = 0;
    virtual void on_end(const http::Fields& trailers) = 0;
    virtual void on_failure(const OriginFailure& failure, bool amid_body) = 0;
    virtual bool wants_more() = 0;    // false: reading stops until resume()
    virtual void on_upload_room() {}  // wants_body() became true

   protected:
    ~Consumer() = default;
  };

  struct Ask : ServerRequest {
    Timeouts timeouts;
    bool expect_continue = false;        // the client sends its body when the server asks for it
    Steer to;                            // Cluster::steer
    const HedgeConfig* hedge = nullptr;  // a request without a body that may be sent twice; read when it starts
  };

  OriginRequest(Proxy& proxy, std::shared_ptr<Cluster> cluster, Ask ask, Consumer& consumer);
  ~OriginRequest() override;
  void start();

  // The request's body, as it comes from the client.
  bool wants_body() const;  // room for more
  void send_body(Slice bytes);
  void end_body(const http::Fields& trailers);
  void resume();  // the consumer wants more again

  std::string_view server() const;  // the address of the server asked last, or empty
  ServerId server_id() const;
  int tries() const;
  // Room for more of the body, and the server has all that came: what is missing is the client's.
  bool starves() const { return wants_body() && (!sending() || stream_->unsent() == 0); }
  // By which the client is to come back; empty: it need not, or does so already. `fields`: of the answer.
  std::string set_cookie(bool tls, const http::Fields& fields) const;
  const std::string& pool() const { return cluster_->pool().name; }

 private:
  friend class Hedge;
  enum class State : uint8_t { idle, connecting, waiting, receiving, over };
  enum class Trouble : uint8_t { refused, reset, timeout, malformed, grpc, status };
  void pick();
  void wait_for_room();
  void look_for_room();
  size_t pick_server();
  // Can't use every server that may be free.
  bool choosy() const { return !tried_.empty() || ask_.to.shard != Steer::none; }
  void change_cluster(std::shared_ptr<Cluster> newest);
  void take(size_t index);
  void connect();
  void send();
  void flush();
  void receive();
  bool on_response_head();
  void complete();
  void fail(Trouble trouble, const std::string& reason, bool untouched = false);
  bool may_try_again(bool idle_race, bool untouched);
  bool wants_another(const http::ResponseHead& head, Trouble& trouble) const;
  bool leave_answer(const http::ResponseHead& head, Trouble trouble);
  void note_answer(const http::ResponseHead& head);
  void begin_as_hedge(Tried tried, size_t index);
  void cancel();  // no callback follows
  bool opens_tunnel(const http::ResponseHead& head) const;
  int64_t idle_ms() const { return tunnel_ ? ask_.timeouts.tunnel : ask_.timeouts.idle; }
  bool sending() const { return state_ == State::waiting || state_ == State::receiving; }
  void give_up(const OriginFailure& failure);
  void leave_server();
  void on_timeout();
  void on_server_ready() override;
  void run() override { place_ ? look_for_room() : on_server_ready(); }
  int64_t send_timeout_ms() const;
  void count_failure(Trouble trouble, const std::string& reason);
  void note_asked();
  void note_overtaken();
  void note_answered(bool well);

  Proxy& proxy_;
  std::shared_ptr<Cluster> cluster_;
  Ask ask_;
  Consumer& consumer_;
  State state_ = State::idle;
  Tried tried_;
  size_t index_ = Balancer::none;  // the member counted in
  size_t last_ = Balancer::none;   // the member asked last
  int tries_ = 0;
  bool fresh_only_ = false;         // an idle connection failed us: take a new one
  ServerStream* stream_ = nullptr;  // lent
  Body replay_;                     // what was sent of the body, to be sent again
  BlockRef trailer_bytes_;
  http::Fields upload_trailers_;
  OriginFailure last_failure_{503, true, {}};
  bool replay_lost_ = false;
  bool upload_done_ = false;
  bool tunnel_ = false;   // from a 101 on: bytes both ways
  uint64_t unsent_ = 0;   // of stream_, when it was looked at last
  int64_t asked_us_ = 0;  // when the server had the whole request, where its latency is asked for; 0: not yet
  bool in_callback_ = false;
  bool reached_ = false;  // a server that failed had some of the request
  bool alone_ = false;    // a hedge: the first request does what retries there are
  loop::Timer timer_;
  std::unique_ptr<QueuePlace> place_;  // while every server is full
  std::unique_ptr<Hedge> hedge_;
};

}  // namespace portolan::proxy
