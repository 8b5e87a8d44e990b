// A load generator for HTTP at a fixed rate: latencies count from when a request was due, not from when a slow server let
// it be sent, which wrk can't. One thread, connections that stay; the figures go to standard output as JSON.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "bench/latencies.hh"
#include "core/base/address.hh"
#include "core/base/clock.hh"

namespace {

const portolan::SystemClock monotonic;
constexpr const char* usage =
    "usage: load_http --server ADDRESS:PORT --path PATH --rate N [--connections N] [--seconds S]";

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "load_http: %s\n", text.c_str());
  std::exit(2);
}

struct Options {
  portolan::SocketAddress server;
  std::string path = "/";
  double rate = 0;  // requests a second
  int connections = 64;
  double seconds = 1;
};

Options parse(int argc, char** argv) {
  Options o;
  if (argc % 2 == 0) fail(usage);
  for (int i = 1; i < argc; i += 2) {
    const std::string key = argv[i], value = argv[i + 1];
    if (key == "--server") {
      auto address = portolan::SocketAddress::parse(value);
      if (!address) fail(address.error().text);
      o.server = *address;
    } else if (key == "--path") {
      o.path = value;
    } else if (key == "--rate") {
      o.rate = std::atof(value.c_str());
    } else if (key == "--connections") {
      o.connections = std::atoi(value.c_str());
    } else if (key == "--seconds") {
      o.seconds = std::atof(value.c_str());
    } else {
      fail(usage);
    }
  }
  if (o.server.port == 0 || o.rate <= 0 || o.connections <= 0 || o.seconds <= 0) fail(usage);
  return o;
}

// One connection and the answer it reads.
class Client {
 public:
  explicit Client(const portolan::SocketAddress& server) {
    sockaddr_storage to;
    const socklen_t length = server.to(to);
    fd = ::socket(server.domain(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&to), length) != 0) fail("cannot reach the server");
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }

  void ask(std::string_view request, int64_t due) {
    due_us = due;
    head_.clear();
    left_ = -1;
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      fail("the server takes no more");
  }

  // True when the answer is whole.
  bool read() {
    static char buffer[256 << 10];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got == 0) fail("the server closed a connection");
    if (got < 0) return false;
    if (left_ < 0) {
      head_.append(buffer, static_cast<size_t>(got));
      const size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      if (!head_.starts_with("HTTP/1.1 200")) ++failed;
      left_ = content_length() + static_cast<int64_t>(end + 4) - static_cast<int64_t>(head_.size());
    } else {
      left_ -= got;
    }
    return left_ == 0;
  }

  int fd = -1;
  int64_t due_us = 0;
  static inline uint64_t failed = 0;

 private:
  int64_t content_length() const {
    const char* at = ::strcasestr(head_.c_str(), "content-length:");
    if (!at) fail("an answer without Content-Length");
    return std::atoll(at + 15);
  }
  std::string head_;
  int64_t left_ = -1;  // bytes of the body; -1: still in the head
};

}  // namespace

int main(int argc, char** argv) {
  const Options o = parse(argc, argv);
  const std::string request = "GET " + o.path + " HTTP/1.1\r\nHost: " + o.server.to_string() + "\r\n\r\n";
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::deque<Client> clients;
  std::vector<Client*> free;
  for (int i = 0; i < o.connections; ++i) {
    Client& client = clients.emplace_back(o.server);
    epoll_event event{EPOLLIN, {&client}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, client.fd, &event);
    free.push_back(&client);
  }
  portolan::bench::Latencies latencies;
  uint64_t asked = 0, answered = 0;
  const int64_t begin = monotonic.now_us(), end = begin + static_cast<int64_t>(o.seconds * 1e6);
  for (int64_t now = begin; now < end || (answered < asked && now < end + 2'000'000); now = monotonic.now_us()) {
    int64_t due = begin;
    while (!free.empty()) {
      due = begin + static_cast<int64_t>(static_cast<double>(asked) * 1e6 / o.rate);
      if (due > now || due >= end) break;
      free.back()->ask(request, due);
      free.pop_back();
      ++asked;
    }
    const int64_t wait_us = free.empty() || due >= end ? 10'000 : due > now ? due - now : 0;
    epoll_event events[64];
    const timespec wait{0, wait_us * 1000};
    const int count = ::epoll_pwait2(poll, events, 64, &wait, nullptr);
    now = monotonic.now_us();
    for (int i = 0; i < count; ++i) {
      auto* client = static_cast<Client*>(events[i].data.ptr);
      if (!client->read()) continue;
      latencies.add((now - client->due_us) * 1000);
      ++answered;
      free.push_back(client);
    }
  }
  std::printf("{\"asked\":%llu,\"answered\":%llu,\"failed\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f}\n",
              static_cast<unsigned long long>(asked), static_cast<unsigned long long>(answered),
              static_cast<unsigned long long>(Client::failed), latencies.quantile_us(0.5), latencies.quantile_us(0.99),
              latencies.quantile_us(0.999));
  return answered == 0;
}
