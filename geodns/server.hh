#pragma once
// DNS on one worker: its UDP, TCP and TLS sockets, the sessions, and the View they are answered from.
// Made, used and destroyed on the worker's thread. The sockets belong to the daemon, which opened
// them before privileges dropped.
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/loop/listener.hh"
#include "geodns/answer.hh"
#include "geodns/cookies.hh"
#include "geodns/counters.hh"
#include "geodns/datagram.hh"
#include "geodns/demand.hh"
#include "geodns/query_log.hh"
#include "geodns/rate_limit.hh"
#include "geodns/session.hh"

namespace portolan::geodns {

struct ServerLimits {
  size_t tcp_connections = 1000;            // beyond it the one longest without a query is closed
  size_t tcp_connections_per_client = 100;  // of one address; more are closed at once
  int64_t tcp_idle_timeout_ms = 10000;
  RateLimitConfig rate_limit;
  size_t workers = 1;                            // that share the rate
  std::shared_ptr<const CookieJar> cookies;      // null: none are given
  std::shared_ptr<const loop::TlsIdentity> tls;  // of the TLS listeners
  double query_log_share = 0;
};

class Server final : private Responder {
 public:
  // `queries`: where queries are written down; may be null.
  Server(loop::Worker& worker, std::shared_ptr<const View> view, const ServerLimits& limits,
         loop::LogWriter* queries = nullptr);
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The sockets to serve from now on, from loop::open_datagram and loop::open_listener; those it
  // has already go on undisturbed, those no longer named are let go (and may be closed when this
  // returns). Sessions stay.
  Status set_sockets(const std::vector<int>& datagrams, const std::vector<int>& listeners,
                     const std::vector<int>& tls_listeners = {});
  void set_view(std::shared_ptr<const View> view);
  void set_limits(const ServerLimits& limits);
  DemandCounts take_demand() { return demand_.take(); }  // since the last time
  void set_ticket_keys(std::shared_ptr<const crypto::TicketKeys> keys);
  void set_staples(std::shared_ptr<const crypto::Staples> staples);
  size_t sessions() const { return sessions_.size(); }

 private:
  struct Stream {
    int fd;
    bool tls;
    std::unique_ptr<loop::Listener> listener;
  };
  void read(unsigned index, std::span<const uint8_t> query, const IpAddress& client) override;
  void locate(unsigned count) override;
  size_t answer(unsigned index, std::span<const uint8_t> query, const IpAddress& client,
                std::span<uint8_t> out) override;
  size_t answer(const Asked& asked, std::span<const uint8_t> query, const IpAddress& client, Transport transport,
                std::span<uint8_t> out, const Session* session = nullptr);
  CookieJar::Standing fill(const dns::Query& query, const IpAddress& client, Transport transport,
                           const Session* session, dns::OptReply& reply) const;
  size_t limit(const Asked& asked, std::span<const uint8_t> query, const IpAddress& client, const dns::OptReply& reply,
               std::span<uint8_t> out, size_t size, AnswerInfo& info);
  void listen(int fd, bool tls);
  void make_acceptor();
  void on_accept(UniqueFd socket, const SocketAddress& peer, bool tls);
  void close(Session& session);

  loop::Worker& worker_;
  std::shared_ptr<const View> view_;
  ServerLimits limits_;
  Answerer answerer_;
  QueryCounters counters_;
  Demand demand_;
  metrics::Counter& shed_;
  std::optional<RateLimiter> limiter_;
  std::optional<QueryLog> log_;
  std::shared_ptr<loop::TlsAcceptor> acceptor_;
  std::shared_ptr<const crypto::TicketKeys> ticket_keys_;
  std::shared_ptr<const crypto::Staples> staples_;
  std::unique_ptr<DatagramBatch> batch_;
  std::vector<Asked> asked_;  // of the batch
  std::vector<std::unique_ptr<DatagramSocket>> datagrams_;
  std::vector<Stream> streams_;
  Session::Owner session_owner_;
  std::list<std::unique_ptr<Session>> sessions_;  // the one longest without a query first
  std::map<IpAddress, size_t> clients_;           // how many of them each has
};

}  // namespace portolan::geodns
