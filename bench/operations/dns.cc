// A DNS answer, from the bytes of the query to the bytes of the answer, and the lookup of a place.
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bench/operations/operation.hh"
#include "core/dns/query.hh"
#include "geodns/answer.hh"

namespace portolan::geodns {
namespace {

using bench::Row;
using bench::Run;
using Packet = std::vector<uint8_t>;

IpAddress ip(std::string_view text) {
  auto parsed = IpAddress::parse(text);
  if (!parsed) std::abort();
  return *parsed;
}

// A zone as in the manual: fixed names beside a service in six datacentres.
GeodnsConfig config() {
  GeodnsConfig c;
  ServiceConfig web{"", "web", {}};
  const std::pair<double, double> cities[] = {{39, -77}, {37, -122}, {50, 9}, {1, 104}, {36, 140}, {-24, -47}};
  for (int i = 0; const auto& [latitude, longitude] : cities) {
    const std::string name = "dc" + std::to_string(++i);
    c.datacenters.push_back({"", name, true, latitude, longitude});
    web.sites[name].addresses = {IpAddress::v4(192, 0, 2, static_cast<uint8_t>(i))};
  }
  c.services = {web};
  ZoneConfig z;
  z.name = "bench.test";
  z.nameservers = {"ns1.bench.test"};
  const auto record = [&](std::string name) -> RecordConfig& {
    z.records.emplace_back().name = std::move(name);
    return z.records.back();
  };
  for (int i = 0; i < 1000; i++) {
    RecordConfig& r = record(i == 0 ? "ns1" : "host" + std::to_string(i));
    r.type = "A";
    r.value = "192.0.2.99";
  }
  for (const char* policy : {"nearest", "weighted", "failover"}) {
    RecordConfig& r = record(policy);
    r.service = "web";
    r.policy = policy;
  }
  c.zones = {z};
  return c;
}

// A location a /16, all over the world.
std::shared_ptr<const geo::Table> table() {
  geo::Table::Builder builder;
  Rng rng(1);
  for (unsigned i = 0; i < 2000; i++) {
    geo::Location location;
    location.latitude = rng.unit() * 180 - 90;
    location.longitude = rng.unit() * 360 - 180;
    location.has_coordinates = true;
    const IpNetwork network{IpAddress::v4(static_cast<uint8_t>(1 + i % 223), static_cast<uint8_t>(i / 223), 0, 0), 16};
    if (!builder.insert(network, location)) std::abort();
  }
  return builder.finish();
}

// A query for A with EDNS, and a Client Subnet /24 where asked.
Packet query(std::string_view name, bool subnet, Rng& rng) {
  Packet p = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  const auto wire = dns::Name::parse(name);
  if (!wire) std::abort();
  p.insert(p.end(), wire->wire().begin(), wire->wire().end());
  const uint8_t opt = subnet ? 11 : 0;
  p.insert(p.end(), {0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, opt});
  if (!subnet) return p;
  p.insert(p.end(), {0, 8, 0, 7, 0, 1, 24, 0, static_cast<uint8_t>(1 + rng.below(223))});
  for (int i = 0; i < 2; i++) p.push_back(static_cast<uint8_t>(rng.next()));
  return p;
}

std::vector<Packet> queries(const char* name, bool subnet) {
  Rng rng(2);
  std::vector<Packet> list;
  for (int i = 0; i < 256; i++) list.push_back(query(name, subnet, rng));
  return list;
}

Run parse(const char* name, bool subnet) {
  return [packets = queries(name, subnet), parsed = dns::Query(), i = size_t{0}](size_t times) mutable {
    while (times-- > 0) bench::keep(dns::parse_query(packets[i++ % packets.size()], parsed));
  };
}

struct Bench {
  std::shared_ptr<const View> view;
  std::vector<Packet> packets;
  Rng rng{3};
  Answerer answerer{rng};
  Asked asked;
  uint8_t out[dns::max_udp_size];
};

Run answer(const char* name, bool subnet) {
  auto all = std::make_shared<Bench>();
  std::vector<Mistake> mistakes;
  const auto built = build_view(config(), 1, mistakes);
  if (!built) std::abort();
  give_places(*built, table(), nullptr);
  all->view = built;
  all->packets = queries(name, subnet);
  return [all, client = ip("127.0.0.1"), i = size_t{0}](size_t times) mutable {
    AnswerInfo info;
    while (times-- > 0) {  // as the server does with a batch
      const Packet& packet = all->packets[i++ % all->packets.size()];
      Answerer::read(packet, client, *all->view, all->asked);
      Answerer::locate({&all->asked, 1}, *all->view);
      bench::keep(all->answerer.answer(all->asked, packet, client, Transport::udp, *all->view, all->out, info));
    }
  };
}

Run look_up() {
  Rng rng(4);
  std::vector<IpAddress> addresses;
  for (int i = 0; i < 1024; i++) {
    const uint64_t n = rng.next();
    addresses.push_back(IpAddress::v4(static_cast<uint8_t>(n), static_cast<uint8_t>(n >> 8),
                                      static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 24)));
  }
  return [geo = table(), addresses, i = size_t{0}](size_t times) mutable {
    while (times-- > 0) bench::keep(geo->find(addresses[i++ % 1024]));
  };
}

const Row rows[] = {
    {"dns parse", [] { return parse("host42.bench.test", false); }},
    {"dns parse, client subnet", [] { return parse("nearest.bench.test", true); }},
    {"dns answer, fixed", [] { return answer("host42.bench.test", false); }},
    {"dns answer, nearest", [] { return answer("nearest.bench.test", false); }},
    {"dns answer, nearest, client subnet", [] { return answer("nearest.bench.test", true); }},
    {"dns answer, weighted, client subnet", [] { return answer("weighted.bench.test", true); }},
    {"dns answer, failover, client subnet", [] { return answer("failover.bench.test", true); }},
    {"dns answer, no such name", [] { return answer("no.such.name.bench.test", false); }},
    {"dns answer, refused", [] { return answer("www.elsewhere.test", false); }},
    {"geo lookup", look_up},
};

}  // namespace
}  // namespace portolan::geodns
