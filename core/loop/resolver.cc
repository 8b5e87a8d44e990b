#include "core/loop/resolver.hh"

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>

namespace portolan::loop {

struct Resolver::Ticket::Query {
  Callback callback;  // empty once answered or cancelled
};

Resolver::Ticket::~Ticket() {
  query_->callback = nullptr;
}

struct Resolver::State {
  explicit State(Worker& w) : worker(w), timer(w, this, &Calls<&State::on_timer>::call) {}
  ~State() {
    if (channel) ares_destroy(channel);
    sockets.clear();
  }

  struct Socket {
    Socket(State& s, int descriptor)
        : state(s),
          fd(descriptor),
          event(s.worker, descriptor, SocketEvent::Mode::edge_read_write, this, &Calls<&Socket::on_ready>::call) {}
    void on_ready(Ready ready) {
      State& s = state;
      int d = fd;
      ares_process_fd(s.channel, ready.readable ? d : ARES_SOCKET_BAD, ready.writable ? d : ARES_SOCKET_BAD);
      s.dead.clear();
      s.arm();
    }
    State& state;
    int fd;
    SocketEvent event;
  };

  static void on_socket(void* self, ares_socket_t fd, int readable, int writable) {
    auto* s = static_cast<State*>(self);
    auto found = s->sockets.find(fd);
    if (!readable && !writable) {
      // c-ares closes the socket next; its event may be the one being served now.
      if (found != s->sockets.end()) {
        s->dead.push_back(std::move(found->second));
        s->sockets.erase(found);
        s->dead.back()->event.pause();
      }
    } else if (found == s->sockets.end()) {
      s->sockets.emplace(fd, std::make_unique<Socket>(*s, fd));
    }
  }

  void on_timer() {
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    dead.clear();
    arm();
  }

  void arm() {
    timeval longest{5, 0};
    timeval out{};
    if (sockets.empty()) return timer.cancel();
    timeval* t = ares_timeout(channel, &longest, &out);
    timer.set(t->tv_sec * 1000 + t->tv_usec / 1000 + 1);
  }

  Worker& worker;
  Timer timer;
  ares_channel channel = nullptr;
  std::map<int, std::unique_ptr<Socket>> sockets;
  std::vector<std::unique_ptr<Socket>> dead;
};

namespace {

Resolution collect(ares_addrinfo* info) {
  Resolution r;
  int64_t ttl_s = 3600;
  for (ares_addrinfo_node* n = info->nodes; n; n = n->ai_next) {
    SocketAddress a = SocketAddress::from(n->ai_addr, n->ai_addrlen);
    r.addresses.push_back(a.ip);
    ttl_s = std::min<int64_t>(ttl_s, n->ai_ttl);
  }
  std::sort(r.addresses.begin(), r.addresses.end());
  r.addresses.erase(std::unique(r.addresses.begin(), r.addresses.end()), r.addresses.end());
  r.ttl_ms = ttl_s * 1000;
  return r;
}

}  // namespace

Resolver::Resolver(Worker& worker, std::string servers) : state_(std::make_unique<State>(worker)) {
  static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
  (void)initialised;
  ares_options options{};
  options.sock_state_cb = &State::on_socket;
  options.sock_state_cb_data = state_.get();
  options.timeout = 2000;
  options.tries = 3;
  if (ares_init_options(&state_->channel, &options, ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) !=
      ARES_SUCCESS)
    state_->channel = nullptr;
  if (state_->channel && !servers.empty()) ares_set_servers_ports_csv(state_->channel, servers.c_str());
}

Resolver::~Resolver() = default;

std::unique_ptr<Resolver::Ticket> Resolver::resolve(const std::string& host, Callback callback) {
  auto ticket = std::make_unique<Ticket>();
  ticket->query_ = std::make_shared<Ticket::Query>();
  ticket->query_->callback = std::move(callback);
  if (!state_->channel) {
    state_->worker.post([query = ticket->query_] {
      if (query->callback) std::exchange(query->callback, nullptr)(Error{"the resolver could not start"});
    });
    return ticket;
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_flags = ARES_AI_NOSORT;
  // c-ares may answer before this returns (a hosts file): the answer is posted, so that callers see one order.
  struct Context {
    Worker& worker;
    std::string host;
    std::shared_ptr<Ticket::Query> query;
  };
  auto* context = new Context{state_->worker, host, ticket->query_};
  ares_getaddrinfo(
      state_->channel, host.c_str(), nullptr, &hints,
      [](void* argument, int status, int, ares_addrinfo* info) {
        std::unique_ptr<Context> c(static_cast<Context*>(argument));
        if (status == ARES_EDESTRUCTION) return;
        Result<Resolution> result =
            status == ARES_SUCCESS && info && info->nodes
                ? Result<Resolution>(collect(info))
                : Result<Resolution>(Error{"cannot resolve " + c->host + ": " +
                                           (status == ARES_SUCCESS ? "no address" : ares_strerror(status))});
        if (info) ares_freeaddrinfo(info);
        c->worker.post([query = c->query, result = std::move(result)]() mutable {
          if (query->callback) std::exchange(query->callback, nullptr)(std::move(result));
        });
      },
      context);
  state_->arm();
  return ticket;
}

}  // namespace portolan::loop
