#include "geodns/server.hh"

#include <algorithm>

#include "geodns/steering.hh"

namespace portolan::geodns {
namespace {

constexpr size_t padding_block = 468;  // RFC 8467 §4.1

const metrics::Family shed_sessions{
    "portolan_dns_tcp_shed_total", "DNS connections closed to make room for newer ones.", metrics::Type::counter, {}};

// Two names, types or rcodes are two things; so are the names a wildcard made one.
uint64_t thing(const Asked& asked, const AnswerInfo& info) {
  const auto node = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(asked.node));
  const uint64_t type = asked.node ? asked.query.type : 0;
  return node ^ (static_cast<uint64_t>(info.zone + 1) << 48) ^ (type << 24) ^ (uint64_t{info.rcode} << 56);
}

bool contains(const std::vector<int>& list, int fd) {
  return std::find(list.begin(), list.end(), fd) != list.end();
}

}  // namespace

Server::Server(loop::Worker& worker, std::shared_ptr<const View> view, const ServerLimits& limits,
               loop::LogWriter* queries)
    : worker_(worker),
      answerer_(worker.rng()),
      counters_(worker.metrics()),
      shed_(worker.metrics().counter(shed_sessions)),
      batch_(std::make_unique<DatagramBatch>()),
      asked_(DatagramBatch::width) {
  session_owner_.scratch.resize(dns::max_message_size);
  if (queries) log_.emplace(*queries);
  session_owner_.on_end = [this](Session& session) { close(session); };
  session_owner_.on_query = [this](Session& session, std::span<const uint8_t> query, std::span<uint8_t> out) {
    sessions_.splice(sessions_.end(), sessions_, session.place);
    Asked asked;
    Answerer::read(query, session.client(), *view_, asked);
    Answerer::locate({&asked, 1}, *view_);
    return answer(asked, query, session.client(), Transport::tcp, out, &session);
  };
  set_limits(limits);
  set_view(std::move(view));
}

Server::~Server() = default;

Status Server::set_sockets(const std::vector<int>& datagrams, const std::vector<int>& listeners,
                           const std::vector<int>& tls_listeners) {
  std::erase_if(datagrams_, [&](const auto& d) { return !contains(datagrams, d->fd()); });
  std::erase_if(streams_, [&](const Stream& s) { return !contains(s.tls ? tls_listeners : listeners, s.fd); });
  Responder& responder = *this;
  for (int fd : datagrams) {
    if (std::any_of(datagrams_.begin(), datagrams_.end(), [&](const auto& d) { return d->fd() == fd; })) continue;
    if (auto status = prepare_datagram(fd); !status) return status;
    datagrams_.push_back(std::make_unique<DatagramSocket>(worker_, fd, *batch_, responder));
  }
  for (bool tls : {false, true})
    for (int fd : tls ? tls_listeners : listeners) listen(fd, tls);
  return {};
}

void Server::listen(int fd, bool tls) {
  if (std::any_of(streams_.begin(), streams_.end(), [&](const Stream& s) { return s.fd == fd; })) return;
  auto on_accept = [this, tls](UniqueFd socket, const SocketAddress& peer) {
    this->on_accept(std::move(socket), peer, tls);
  };
  streams_.push_back({fd, tls, std::make_unique<loop::Listener>(worker_, fd, on_accept)});
}

void Server::set_view(std::shared_ptr<const View> view) {
  view_ = std::move(view);
  counters_.set_view(view_);
  demand_.set_view(*view_);
}

void Server::set_limits(const ServerLimits& limits) {
  const bool same_rate = limiter_ && limiter_->config() == limits.rate_limit && limits.workers == limits_.workers;
  limits_ = limits;
  session_owner_.idle_timeout_ms = limits.tcp_idle_timeout_ms;
  if (limits.rate_limit.answers_per_second == 0) {
    limiter_.reset();
  } else if (!same_rate) {
    limiter_.emplace(limits.rate_limit, limits.workers, crypto::HashKey{worker_.rng().next(), worker_.rng().next()});
  }
  if (log_) log_->set_share(limits.query_log_share);
  if (!acceptor_ || acceptor_->identity() != limits.tls) make_acceptor();
}

void Server::make_acceptor() {
  acceptor_ = limits_.tls ? std::make_shared<loop::TlsAcceptor>(limits_.tls) : nullptr;
  if (!acceptor_) return;
  acceptor_->set_ticket_keys(ticket_keys_);
  acceptor_->set_staples(staples_);
}

void Server::set_ticket_keys(std::shared_ptr<const crypto::TicketKeys> keys) {
  ticket_keys_ = std::move(keys);
  if (acceptor_) acceptor_->set_ticket_keys(ticket_keys_);
}

void Server::set_staples(std::shared_ptr<const crypto::Staples> staples) {
  staples_ = std::move(staples);
  if (acceptor_) acceptor_->set_staples(staples_);
}

void Server::read(unsigned index, std::span<const uint8_t> query, const IpAddress& client) {
  Answerer::read(query, client, *view_, asked_[index]);
}

void Server::locate(unsigned count) {
  Answerer::locate(std::span(asked_).first(count), *view_);
}

size_t Server::answer(unsigned index, std::span<const uint8_t> query, const IpAddress& client, std::span<uint8_t> out) {
  return answer(asked_[index], query, client, Transport::udp, out);
}

size_t Server::answer(const Asked& asked, std::span<const uint8_t> query, const IpAddress& client, Transport transport,
                      std::span<uint8_t> out, const Session* session) {
  AnswerInfo info;
  dns::OptReply reply;
  CookieJar::Standing standing = CookieJar::Standing::none;
  const dns::Query& q = asked.query;
  if (q.says_more) standing = fill(q, client, transport, session, reply);
  size_t size = answerer_.answer(asked, query, client, transport, *view_, out, info, q.says_more ? &reply : nullptr);
  if (size != 0 && limiter_ && transport == Transport::udp && standing != CookieJar::Standing::known)
    size = limit(asked, query, client, reply, out, size, info);
  if (size != 0) {
    counters_.count(info);
    if (info.flow >= 0) {
      demand_.count(info.flow, info.order);
      counters_.count_service(info, asker_of(asked.query, client));
    }
  } else {
    counters_.count_dropped();
  }
  if (log_ && log_->wants(worker_.rng()) && asked.verdict != dns::Verdict::drop) {
    const char* how = transport == Transport::udp ? "udp" : session && session->encrypted() ? "tls" : "tcp";
    log_->write({worker_.wall_ms(), client, how, asked, info, *view_, size});
  }
  return size;
}

CookieJar::Standing Server::fill(const dns::Query& query, const IpAddress& client, Transport transport,
                                 const Session* session, dns::OptReply& reply) const {
  if (session && session->encrypted()) reply.padding_block = padding_block;
  if (view_->identity) reply.nsid = view_->identity->nsid;
  if (transport == Transport::tcp)
    reply.keepalive_100ms = static_cast<int>(std::min<int64_t>(limits_.tcp_idle_timeout_ms / 100, 65535));
  if (!query.has_cookie || !limits_.cookies) return CookieJar::Standing::none;
  return limits_.cookies->answer(query.cookie, client, static_cast<uint32_t>(worker_.wall_ms() / 1000), reply);
}

// Who sent a cookie learns the right one instead (RFC 7873 §5.2.3): that proves who it is as a TCP connection does.
size_t Server::limit(const Asked& asked, std::span<const uint8_t> query, const IpAddress& client,
                     const dns::OptReply& reply, std::span<uint8_t> out, size_t size, AnswerInfo& info) {
  const RateLimiter::Action action = limiter_->take(client, thing(asked, info), worker_.now_us());
  if (action == RateLimiter::Action::answer) return size;
  counters_.count_limited(action == RateLimiter::Action::drop);
  if (action == RateLimiter::Action::drop) return 0;
  dns::Composer composer(out, query, asked.query, dns::plain_udp_size, &reply);
  info.rcode = reply.has_cookie ? dns::badcookie : dns::noerror;
  info.truncated = !reply.has_cookie;
  if (info.truncated) composer.truncate();
  return composer.finish(info.rcode, false);
}

void Server::on_accept(UniqueFd socket, const SocketAddress& peer, bool tls) {
  if (limits_.tcp_connections == 0 || (tls && !acceptor_)) return;
  if (clients_.contains(peer.ip) && clients_[peer.ip] >= limits_.tcp_connections_per_client) return shed_.add();
  while (sessions_.size() >= limits_.tcp_connections) {
    sessions_.front()->end();
    shed_.add();
  }
  clients_[peer.ip]++;
  sessions_.push_back(
      std::make_unique<Session>(worker_, std::move(socket), peer.ip, session_owner_, tls ? acceptor_.get() : nullptr));
  sessions_.back()->place = std::prev(sessions_.end());
}

void Server::close(Session& session) {
  auto client = clients_.find(session.client());
  if (client != clients_.end() && --client->second == 0) clients_.erase(client);
  std::unique_ptr<Session> dead = std::move(*session.place);
  sessions_.erase(session.place);
  worker_.bury(std::move(dead));
}

}  // namespace portolan::geodns
