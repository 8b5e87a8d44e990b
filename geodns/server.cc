#include "geodns/server.hh"

#include <algorithm>

namespace portolan::geodns {
namespace {

const metrics::Family shed_sessions{
    "portolan_dns_tcp_shed_total", "DNS connections closed to make room for newer ones.", metrics::Type::counter, {}};

bool contains(const std::vector<int>& list, int fd) {
  return std::find(list.begin(), list.end(), fd) != list.end();
}

}  // namespace

Server::Server(loop::Worker& worker, std::shared_ptr<const View> view, const ServerLimits& limits)
    : worker_(worker),
      limits_(limits),
      answerer_(worker.rng()),
      counters_(worker.metrics()),
      shed_(worker.metrics().counter(shed_sessions)),
      batch_(std::make_unique<DatagramBatch>()),
      asked_(DatagramBatch::width) {
  session_owner_.scratch.resize(dns::max_message_size);
  session_owner_.idle_timeout_ms = limits.tcp_idle_timeout_ms;
  session_owner_.on_end = [this](Session& session) { close(session); };
  session_owner_.on_query = [this](Session& session, std::span<const uint8_t> query, std::span<uint8_t> out) {
    sessions_.splice(sessions_.end(), sessions_, session.place);
    Asked asked;
    Answerer::read(query, session.client(), *view_, asked);
    return answer(asked, query, session.client(), Transport::tcp, out);
  };
  set_view(std::move(view));
}

Server::~Server() = default;

Status Server::set_sockets(const std::vector<int>& datagrams, const std::vector<int>& listeners) {
  std::erase_if(datagrams_, [&](const auto& d) { return !contains(datagrams, d->fd()); });
  std::erase_if(streams_, [&](const Stream& s) { return !contains(listeners, s.fd); });
  Responder& responder = *this;
  for (int fd : datagrams) {
    if (std::any_of(datagrams_.begin(), datagrams_.end(), [&](const auto& d) { return d->fd() == fd; })) continue;
    if (auto status = prepare_datagram(fd); !status) return status;
    datagrams_.push_back(std::make_unique<DatagramSocket>(worker_, fd, *batch_, responder));
  }
  for (int fd : listeners) {
    if (std::any_of(streams_.begin(), streams_.end(), [&](const Stream& s) { return s.fd == fd; })) continue;
    auto on_accept = [this](UniqueFd socket, const SocketAddress& peer) { this->on_accept(std::move(socket), peer); };
    streams_.push_back({fd, std::make_unique<loop::Listener>(worker_, fd, on_accept)});
  }
  return {};
}

void Server::set_view(std::shared_ptr<const View> view) {
  view_ = std::move(view);
  answerer_.begin(*view_);
  counters_.set_zones(view_->zones);
}

void Server::set_limits(const ServerLimits& limits) {
  limits_ = limits;
  session_owner_.idle_timeout_ms = limits.tcp_idle_timeout_ms;
}

void Server::read(unsigned index, std::span<const uint8_t> query, const IpAddress& client) {
  Answerer::read(query, client, *view_, asked_[index]);
}

void Server::locate(unsigned count) {
  if (view_->geo) Answerer::locate(std::span(asked_).first(count), *view_);
}

size_t Server::answer(unsigned index, std::span<const uint8_t> query, const IpAddress& client, std::span<uint8_t> out) {
  return answer(asked_[index], query, client, Transport::udp, out);
}

size_t Server::answer(const Asked& asked, std::span<const uint8_t> query, const IpAddress& client, Transport transport,
                      std::span<uint8_t> out) {
  AnswerInfo info;
  const size_t size = answerer_.answer(asked, query, client, transport, *view_, out, info);
  if (size != 0) {
    counters_.count(info);
  } else {
    counters_.count_dropped();
  }
  return size;
}

void Server::on_accept(UniqueFd socket, const SocketAddress& peer) {
  if (limits_.tcp_connections == 0) return;
  while (sessions_.size() >= limits_.tcp_connections) {
    close(*sessions_.front());
    shed_.add();
  }
  sessions_.push_back(std::make_unique<Session>(worker_, std::move(socket), peer.ip, session_owner_));
  sessions_.back()->place = std::prev(sessions_.end());
}

void Server::close(Session& session) {
  std::unique_ptr<Session> dead = std::move(*session.place);
  sessions_.erase(session.place);
  worker_.bury(std::move(dead));
}

}  // namespace portolan::geodns
