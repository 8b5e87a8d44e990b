// A load generator for DNS that varies the Client Subnet query by query, which dnsperf can't. One thread, a fixed window of
// outstanding queries (or a rate), over UDP by recvmmsg and sendmmsg, or over TCP connections that stay; the figures go to
// standard output.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/latencies.hh"
#include "core/base/address.hh"
#include "core/base/clock.hh"
#include "core/dns/name.hh"

namespace {

using portolan::Rng;
using portolan::dns::Name;
using portolan::dns::store16;

constexpr unsigned batch = 32;
constexpr unsigned sockets = 4;  // source ports, so that a server with several workers uses them all
constexpr int64_t timeout_us = 1'000'000;
const portolan::SystemClock monotonic;
constexpr size_t packet_size = 512, answer_size = 1500;
constexpr const char* usage =
    "usage: load_dns --server ADDRESS:PORT --work geo4|geo6|geo|static|nxdomain|names:FILE --name NAME\n"
    "                [--seconds S] [--outstanding N] [--rate QUERIES_A_SECOND] [--tcp] [--json]\n"
    "  geo4, geo6: a random Client Subnet (/24, /56) in every query; geo, static: EDNS without one;\n"
    "  nxdomain: a random name below NAME; names:FILE: the names of a file, one a line, in turn\n";

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "load_dns: %s\n", text.c_str());
  std::exit(2);
}

struct Options {
  portolan::SocketAddress server;
  std::string work = "static";
  std::string name;
  double seconds = 5;
  unsigned outstanding = 256;
  double rate = 0;  // 0: as fast as answers come
  bool tcp = false;
  bool json = false;
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; i++) {
    const std::string key = argv[i];
    o.json |= key == "--json";
    o.tcp |= key == "--tcp";
    if (key == "--json" || key == "--tcp") continue;
    if (i + 1 == argc) fail(usage);
    const std::string value = argv[++i];
    if (key == "--server") {
      auto address = portolan::SocketAddress::parse(value);
      if (!address) fail(address.error().text);
      o.server = *address;
    } else if (key == "--work" || key == "--name") {
      (key == "--work" ? o.work : o.name) = value;
    } else if (key == "--seconds" || key == "--rate") {
      (key == "--seconds" ? o.seconds : o.rate) = std::atof(value.c_str());
    } else if (key == "--outstanding") {
      o.outstanding = static_cast<unsigned>(std::atoi(value.c_str()));
    } else {
      fail(usage);
    }
  }
  if (o.server.port == 0 || o.seconds <= 0 || o.outstanding == 0 || o.outstanding > sockets * 65536u) fail(usage);
  return o;
}

// Writes queries of the kind asked for.
class Maker {
 public:
  Maker(const Options& o, Rng& rng) : rng_(rng) {
    if (o.work == "geo4" || o.work == "geo6") {
      subnet_ = o.work == "geo4" ? 4 : 6;
    } else if (o.work == "nxdomain") {
      random_label_ = true;
    } else if (o.work.starts_with("names:")) {
      std::ifstream file(o.work.substr(6));
      for (std::string line; std::getline(file, line);)
        if (!line.empty()) add(line);
      if (names_.empty()) fail("no names in " + o.work.substr(6));
    } else if (o.work != "geo" && o.work != "static") {
      fail(usage);
    }
    if (names_.empty()) add(o.name);
  }

  size_t write(uint8_t* out, uint16_t id) {
    std::memset(out, 0, portolan::dns::header_size);
    store16(out, id);
    out[5] = 1;   // a question
    out[11] = 1;  // OPT
    uint8_t* p = out + portolan::dns::header_size;
    if (random_label_) {
      *p++ = 12;
      uint64_t bits = rng_.next();
      for (int i = 0; i < 12; i++, bits >>= 5)
        *p++ = static_cast<uint8_t>("abcdefghijklmnopqrstuvwxyz234567"[bits & 31]);
    }
    const std::string& name = names_[next_++ % names_.size()];
    std::memcpy(p, name.data(), name.size());
    p += name.size();
    static constexpr uint8_t question[4] = {0, 1, 0, 1};  // A IN
    std::memcpy(p, question, sizeof question);
    return static_cast<size_t>(put_opt(p + sizeof question) - out);
  }

 private:
  void add(const std::string& text) {
    auto name = Name::parse(text);
    if (!name || name->wire().size() > 200) fail(name ? text + " is too long" : name.error().text);
    names_.emplace_back(name->wire());
  }

  uint8_t* put_opt(uint8_t* p) {
    static constexpr uint8_t opt[11] = {0, 0, 41, 0x04, 0xd0};  // 1232 bytes
    const unsigned bytes = subnet_ == 4 ? 3 : 7;
    std::memcpy(p, opt, sizeof opt);
    p += sizeof opt;
    if (subnet_ == 0) return p;
    store16(p - 2, 8 + bytes);
    store16(p, portolan::dns::option_client_subnet);
    store16(p + 2, 4 + bytes);
    store16(p + 4, subnet_ == 4 ? 1 : 2);
    store16(p + 6, bytes << 11);
    p += 8;
    const uint64_t bits = rng_.next();
    std::memcpy(p, &bits, bytes);
    if (subnet_ == 4) {
      p[0] = static_cast<uint8_t>(1 + p[0] % 223);
    } else {  // where registries have given out networks
      static constexpr uint8_t first[6][2] = {{0x20, 1}, {0x24, 0}, {0x26, 0}, {0x28, 0}, {0x2a, 0}, {0x2c, 0}};
      const auto& block = first[rng_.below(6)];
      p[0] = block[0];
      p[1] = static_cast<uint8_t>(block[1] | (p[1] & (block[1] ? 0 : 0x0f)));
    }
    return p + bytes;
  }

  Rng& rng_;
  std::vector<std::string> names_;  // wire form
  size_t next_ = 0;
  bool random_label_ = false;
  int subnet_ = 0;
};

struct Totals {
  uint64_t queries = 0, answered = 0, lost = 0, noerror = 0, nxdomain = 0, other = 0;
  portolan::bench::Latencies latencies;
};

// One connected socket and the queries on their way over it.
class Flow {
 public:
  Flow(const Options& o, int type, unsigned window, Maker& maker, Totals& totals) : maker_(maker), totals_(totals) {
    sockaddr_storage to;
    const socklen_t length = o.server.to(to);
    fd = ::socket(o.server.domain(), type | SOCK_CLOEXEC, 0);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&to), length) != 0) fail("cannot reach the server");
    for (unsigned i = 0; i < window; i++) free_.push_back(static_cast<uint16_t>(i));
    sent_us_.assign(65536, 0);
  }
  virtual ~Flow() = default;

  // At most a batch, at most `most`; returns how many went out.
  unsigned send(unsigned most) {
    const auto count = static_cast<unsigned>(std::min({size_t{batch}, size_t{most}, free_.size()}));
    const unsigned sent = count > 0 ? send_now(count) : 0;
    const int64_t now = monotonic.now_us();
    for (unsigned i = 0; i < sent; i++, free_.pop_back()) sent_us_[free_.back()] = now;
    totals_.queries += sent;
    return sent;
  }

  virtual unsigned receive() = 0;

  void expire(int64_t before_us) {
    for (unsigned id = 0; id < sent_us_.size(); id++) {
      if (sent_us_[id] == 0 || sent_us_[id] > before_us) continue;
      sent_us_[id] = 0;
      free_.push_back(static_cast<uint16_t>(id));
      totals_.lost++;
    }
  }

  int fd = -1;

 protected:
  virtual unsigned send_now(unsigned count) = 0;  // how many of these went out
  size_t write(uint8_t* out, unsigned number) { return maker_.write(out, free_[free_.size() - 1 - number]); }
  void take(const uint8_t* p, size_t size, int64_t now_us) {
    if (size < portolan::dns::header_size) return;
    const uint16_t id = portolan::dns::load16(p);
    if (sent_us_[id] == 0) return;
    totals_.latencies.add((now_us - sent_us_[id]) * 1000);
    sent_us_[id] = 0;
    free_.push_back(id);
    totals_.answered++;
    const unsigned rcode = p[3] & 15;
    (rcode == 0 ? totals_.noerror : rcode == 3 ? totals_.nxdomain : totals_.other)++;
  }

 private:
  Maker& maker_;
  Totals& totals_;
  std::vector<uint16_t> free_;    // ids
  std::vector<int64_t> sent_us_;  // by id; 0: not on its way
};

class UdpFlow final : public Flow {
 public:
  UdpFlow(const Options& o, unsigned window, Maker& maker, Totals& totals)
      : Flow(o, SOCK_DGRAM | SOCK_NONBLOCK, window, maker, totals) {
    const int room = 4 << 20;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    for (unsigned i = 0; i < batch; i++) {
      out_parts_[i] = {out_[i], 0};
      in_parts_[i] = {in_[i], answer_size};
      out_messages_[i].msg_hdr = {nullptr, 0, &out_parts_[i], 1, nullptr, 0, 0};
      in_messages_[i].msg_hdr = {nullptr, 0, &in_parts_[i], 1, nullptr, 0, 0};
    }
  }

  unsigned receive() override {
    const int count = ::recvmmsg(fd, in_messages_, batch, MSG_DONTWAIT, nullptr);
    const int64_t now = monotonic.now_us();
    for (int i = 0; i < count; i++) take(in_[i], in_messages_[i].msg_len, now);
    return count > 0 ? static_cast<unsigned>(count) : 0;
  }

 private:
  unsigned send_now(unsigned count) override {
    for (unsigned i = 0; i < count; i++) out_parts_[i].iov_len = write(out_[i], i);
    const int sent = ::sendmmsg(fd, out_messages_, count, 0);
    return sent > 0 ? static_cast<unsigned>(sent) : 0;
  }

  mmsghdr out_messages_[batch] = {}, in_messages_[batch] = {};
  iovec out_parts_[batch], in_parts_[batch];
  uint8_t out_[batch][packet_size], in_[batch][answer_size];
};

// Messages behind their length (RFC 1035 §4.2.2), many on their way at once (RFC 7766 §6.2.1.1).
class TcpFlow final : public Flow {
 public:
  TcpFlow(const Options& o, unsigned window, Maker& maker, Totals& totals)
      : Flow(o, SOCK_STREAM, window, maker, totals) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  unsigned receive() override {
    const ssize_t got = ::recv(fd, in_ + held_, sizeof in_ - held_, MSG_DONTWAIT);
    if (got == 0) fail("the server closed the connection");
    if (got < 0) return 0;
    held_ += static_cast<size_t>(got);
    const int64_t now = monotonic.now_us();
    unsigned count = 0;
    size_t at = 0;
    for (; held_ - at >= 2; count++) {
      const size_t size = portolan::dns::load16(in_ + at);
      if (held_ - at < 2 + size) break;
      take(in_ + at + 2, size, now);
      at += 2 + size;
    }
    std::memmove(in_, in_ + at, held_ -= at);
    return count;
  }

 private:
  unsigned send_now(unsigned count) override {
    size_t size = 0;
    for (unsigned i = 0; i < count; i++) {
      const size_t length = write(out_ + size + 2, i);
      store16(out_ + size, static_cast<unsigned>(length));
      size += 2 + length;
    }
    // The window bounds what is on its way, so that the socket's buffer takes it all.
    return ::send(fd, out_, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size) ? count : 0;
  }

  uint8_t out_[batch * packet_size];
  uint8_t in_[128 << 10];
  size_t held_ = 0;
};

void run(const Options& o, std::vector<std::unique_ptr<Flow>>& flows, Totals& totals, int64_t begin) {
  const auto end = begin + static_cast<int64_t>(o.seconds * 1e6);
  std::vector<pollfd> polled;
  for (const auto& flow : flows) polled.push_back({flow->fd, POLLIN, 0});
  int64_t expire_at = begin + timeout_us;
  for (int64_t now = begin; now < end + timeout_us / 5; now = monotonic.now_us()) {
    unsigned moved = 0;
    for (auto& flow : flows) {
      const double due = o.rate * static_cast<double>(now - begin) / 1e6 - static_cast<double>(totals.queries);
      if (now < end) moved += flow->send(o.rate == 0 ? batch : due > 0 ? static_cast<unsigned>(due) : 0);
      moved += flow->receive();
    }
    if (now >= expire_at) {
      for (auto& flow : flows) flow->expire(now - timeout_us);
      expire_at = now + timeout_us / 10;
    }
    if (moved == 0 && o.rate == 0) ::poll(polled.data(), polled.size(), 10);
  }
  for (auto& flow : flows) flow->expire(INT64_MAX);
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = parse(argc, argv);
  Rng rng = Rng::from_system();
  Maker maker(o, rng);
  Totals totals;
  std::vector<std::unique_ptr<Flow>> flows;
  for (unsigned i = 0; i < std::min(sockets, o.outstanding); i++) {
    const unsigned window = (o.outstanding + i) / sockets;
    if (o.tcp) {
      flows.push_back(std::make_unique<TcpFlow>(o, window, maker, totals));
    } else {
      flows.push_back(std::make_unique<UdpFlow>(o, window, maker, totals));
    }
  }
  run(o, flows, totals, monotonic.now_us());
  const char* format =
      o.json ? "{\"queries\":%llu,\"answered\":%llu,\"lost\":%llu,\"noerror\":%llu,\"nxdomain\":%llu,\"other\":%llu,"
               "\"seconds\":%.3f,\"qps\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f}\n"
             : "%llu queries, %llu answered, %llu lost; %llu NOERROR, %llu NXDOMAIN, %llu others\n"
               "%.3f s, %.0f answers/s; p50 %.1f us, p99 %.1f us, p99.9 %.1f us\n";
  using Count = unsigned long long;
  std::printf(format, Count{totals.queries}, Count{totals.answered}, Count{totals.lost}, Count{totals.noerror},
              Count{totals.nxdomain}, Count{totals.other}, o.seconds, static_cast<double>(totals.answered) / o.seconds,
              totals.latencies.quantile_us(0.5), totals.latencies.quantile_us(0.99),
              totals.latencies.quantile_us(0.999));
  return totals.answered == 0;
}
