#include "core/loop/resolver.hh"

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "core/dns/response.hh"

namespace portolan::loop {

struct Resolver::Ticket::Query {  // the callbacks are empty once answered or cancelled
  Callback addresses;
  ServiceCallback services;
  void answer(Result<Resolution> result) {
    if (addresses) std::exchange(addresses, nullptr)(std::move(result));
  }
  void answer(Result<ServiceResolution> result) {
    if (services) std::exchange(services, nullptr)(std::move(result));
  }
};

Resolver::Ticket::~Ticket() {
  query_->addresses = nullptr;
  query_->services = nullptr;
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
    // c-ares reads a part of a TCP answer a time; no edge comes for the rest.
    void on_ready(Ready ready) {
      State& s = state;
      int d = fd;
      int rounds = 0;
      do {
        ares_process_fd(s.channel, ready.readable ? d : ARES_SOCKET_BAD, ready.writable ? d : ARES_SOCKET_BAD);
        ready.writable = false;
        ready.readable = s.sockets.contains(d) && can_read(d);
      } while (ready.readable && ++rounds < most_rounds);
      s.dead.clear();
      s.arm();
    }
    State& state;
    int fd;
    SocketEvent event;
  };
  static constexpr int most_rounds = 1024;  // of 64 KiB at most a few are needed

  static bool can_read(int fd) {
    pollfd look{fd, POLLIN, 0};
    return ::poll(&look, 1, 0) == 1 && (look.revents & POLLIN);
  }

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
  bool replaced = false;  // what is under way ends with an error rather than without a word
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

Result<Resolution> addresses_of(const std::string& host, int status, ares_addrinfo* info) {
  if (status == ARES_SUCCESS && info && info->nodes) return collect(info);
  bool denied = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
  return Error{"cannot resolve " + host + ": " + (status == ARES_SUCCESS ? "no address" : ares_strerror(status)),
               denied ? ENOENT : EAGAIN};
}

// c-ares 1.18 gives no TTL for SRV: the answer is read by our own codec.
Result<ServiceResolution> services_of(const std::string& name, int status, const unsigned char* bytes, int size) {
  auto failed = [&name](const std::string& why) { return Error{"cannot resolve srv:" + name + ": " + why}; };
  if (status != ARES_SUCCESS) return failed(ares_strerror(status));
  auto asked = dns::Name::parse(name);
  if (!asked) return failed(asked.error().text);
  if (size < 2) return failed("an empty answer");
  auto response = dns::parse_response({bytes, static_cast<size_t>(size)}, dns::load16(bytes), *asked, dns::type_srv);
  if (!response) return failed(response.error().text);
  ServiceResolution r;
  r.ttl_ms = int64_t{response->ttl_s} * 1000;
  for (const dns::ServiceTarget& s : response->services) {
    std::string target = s.target.to_string();
    if (target == "." && response->services.size() == 1) return failed("the service is said not to be available");
    target.pop_back();
    auto host = HostPort::parse(target + ":1");
    if (!host || host->is_literal || s.port == 0) return failed("its target " + target + " can't be connected to");
    r.records.push_back({s.priority, std::move(target), s.port, s.weight});
  }
  if (r.records.empty()) return failed("no SRV record");
  std::sort(r.records.begin(), r.records.end());
  r.records.erase(std::unique(r.records.begin(), r.records.end()), r.records.end());
  return r;
}

}  // namespace

// ── the resolver ──────────────────────────────────────────────────────────────────────────────────────────────────

bool Resolver::SystemFile::same_as(const SystemFile& other) const {
  return status.st_ino == other.status.st_ino && status.st_size == other.status.st_size &&
         status.st_mtim.tv_sec == other.status.st_mtim.tv_sec && status.st_mtim.tv_nsec == other.status.st_mtim.tv_nsec;
}

Resolver::Resolver(Worker& worker, const ResolverConfig& config) : worker_(worker), config_(config) {
  static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
  (void)initialised;
  open();
}

Resolver::~Resolver() = default;

void Resolver::open() {
  ::stat("/etc/resolv.conf", &system_.status);
  state_ = std::make_unique<State>(worker_);
  ares_options options{};
  options.sock_state_cb = &State::on_socket;
  options.sock_state_cb_data = state_.get();
  options.timeout = static_cast<int>(config_.timeout_ms);
  options.tries = config_.attempts;
  if (ares_init_options(&state_->channel, &options, ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) !=
      ARES_SUCCESS)
    state_->channel = nullptr;
  std::string servers;
  for (const SocketAddress& server : config_.nameservers) servers += (servers.empty() ? "" : ",") + server.to_string();
  if (state_->channel && !servers.empty()) ares_set_servers_ports_csv(state_->channel, servers.c_str());
}

void Resolver::configure(const ResolverConfig& config) {
  SystemFile now;
  ::stat("/etc/resolv.conf", &now.status);
  if (config == config_ && (!config.nameservers.empty() || now.same_as(system_))) return;
  config_ = config;
  state_->replaced = true;
  open();
}

namespace {

// c-ares may answer before it returns (a hosts file), and answers all when it ends: answers are posted, so that callers
// see one order.
template <class Query>
struct Asked {
  Worker& worker;
  std::string name;
  std::shared_ptr<Query> query;
  const bool& replaced;
  template <class T>
  void post(int status, Result<T> result) const {
    if (status == ARES_EDESTRUCTION && !replaced) return;
    worker.post([q = query, result = std::move(result)]() mutable { q->answer(std::move(result)); });
  }
};

}  // namespace

std::unique_ptr<Resolver::Ticket> Resolver::resolve(const std::string& host, Callback callback,
                                                    IpAddress::Family family) {
  using Context = Asked<Ticket::Query>;
  auto ticket = std::make_unique<Ticket>();
  ticket->query_ = std::make_shared<Ticket::Query>();
  ticket->query_->addresses = std::move(callback);
  auto context = std::make_unique<Context>(Context{worker_, host, ticket->query_, state_->replaced});
  if (!state_->channel) {
    context->post<Resolution>(ARES_ENOTINITIALIZED, Error{"the resolver could not start"});
    return ticket;
  }
  ares_addrinfo_hints hints{};
  using Family = IpAddress::Family;
  hints.ai_family = family == Family::v4 ? AF_INET : family == Family::v6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_flags = ARES_AI_NOSORT;
  ares_getaddrinfo(
      state_->channel, host.c_str(), nullptr, &hints,
      [](void* argument, int status, int, ares_addrinfo* info) {
        std::unique_ptr<Context> c(static_cast<Context*>(argument));
        c->post(status, addresses_of(c->name, status, info));
        if (info) ares_freeaddrinfo(info);
      },
      context.release());
  state_->arm();
  return ticket;
}

std::unique_ptr<Resolver::Ticket> Resolver::resolve_service(const std::string& name, ServiceCallback callback) {
  using Context = Asked<Ticket::Query>;
  auto ticket = std::make_unique<Ticket>();
  ticket->query_ = std::make_shared<Ticket::Query>();
  ticket->query_->services = std::move(callback);
  auto context = std::make_unique<Context>(Context{worker_, name, ticket->query_, state_->replaced});
  if (!state_->channel) {
    context->post<ServiceResolution>(ARES_ENOTINITIALIZED, Error{"the resolver could not start"});
    return ticket;
  }
  ares_query(
      state_->channel, name.c_str(), dns::class_in, dns::type_srv,
      [](void* argument, int status, int, unsigned char* bytes, int size) {
        std::unique_ptr<Context> c(static_cast<Context*>(argument));
        c->post(status, services_of(c->name, status, bytes, size));
      },
      context.release());
  state_->arm();
  return ticket;
}

}  // namespace portolan::loop
