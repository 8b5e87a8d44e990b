#pragma once
// DNS on one worker: its UDP and TCP sockets, the sessions, and the View they are answered from.
// Made, used and destroyed on the worker's thread. The sockets belong to the daemon, which opened
// them before privileges dropped.
#include <list>
#include <memory>
#include <vector>

#include "core/loop/listener.hh"
#include "geodns/answer.hh"
#include "geodns/counters.hh"
#include "geodns/datagram.hh"
#include "geodns/session.hh"

namespace portolan::geodns {

struct ServerLimits {
  size_t tcp_connections = 1000;  // beyond it the one longest without a query is closed
  int64_t tcp_idle_timeout_ms = 10000;
};

class Server final : private Responder {
 public:
  Server(loop::Worker& worker, std::shared_ptr<const View> view, const ServerLimits& limits);
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The sockets to serve from now on, from loop::open_datagram and loop::open_listener; those it
  // has already go on undisturbed, those no longer named are let go (and may be closed when this
  // returns). Sessions stay.
  Status set_sockets(const std::vector<int>& datagrams, const std::vector<int>& listeners);
  void set_view(std::shared_ptr<const View> view);
  void set_limits(const ServerLimits& limits);
  size_t sessions() const { return sessions_.size(); }

 private:
  struct Stream {
    int fd;
    std::unique_ptr<loop::Listener> listener;
  };
  void read(unsigned index, std::span<const uint8_t> query, const IpAddress& client) override;
  void locate(unsigned count) override;
  size_t answer(unsigned index, std::span<const uint8_t> query, const IpAddress& client,
                std::span<uint8_t> out) override;
  size_t answer(const Asked& asked, std::span<const uint8_t> query, const IpAddress& client, Transport transport,
                std::span<uint8_t> out);
  void on_accept(UniqueFd socket, const SocketAddress& peer);
  void close(Session& session);

  loop::Worker& worker_;
  std::shared_ptr<const View> view_;
  ServerLimits limits_;
  Answerer answerer_;
  QueryCounters counters_;
  metrics::Counter& shed_;
  std::unique_ptr<DatagramBatch> batch_;
  std::vector<Asked> asked_;  // of the batch
  std::vector<std::unique_ptr<DatagramSocket>> datagrams_;
  std::vector<Stream> streams_;
  Session::Owner session_owner_;
  std::list<std::unique_ptr<Session>> sessions_;  // the one longest without a query first
};

}  // namespace portolan::geodns
