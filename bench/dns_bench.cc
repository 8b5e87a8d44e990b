// What a DNS answer costs in user space, from the bytes of the query to the bytes of the answer.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/dns/query.hh"
#include "geodns/answer.hh"

namespace portolan::geodns {
namespace {

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

void parse_query(benchmark::State& state, const char* name, bool subnet) {
  const auto packets = queries(name, subnet);
  dns::Query parsed;
  for (size_t i = 0; auto _ : state) benchmark::DoNotOptimize(dns::parse_query(packets[i++ % packets.size()], parsed));
}

void answer(benchmark::State& state, const char* name, bool subnet) {
  std::vector<Mistake> mistakes;
  const auto built = build_view(config(), 1, mistakes);
  if (!built) std::abort();
  const auto view = with_geo(*built, table());
  const auto packets = queries(name, subnet);
  const IpAddress client = ip("127.0.0.1");
  Rng rng(3);
  Answerer answerer(rng);
  AnswerInfo info;
  uint8_t out[dns::max_udp_size];
  for (size_t i = 0; auto _ : state)
    benchmark::DoNotOptimize(answerer.answer(packets[i++ % packets.size()], client, Transport::udp, *view, out, info));
}

BENCHMARK_CAPTURE(parse_query, plain, "host42.bench.test", false);
BENCHMARK_CAPTURE(parse_query, subnet, "nearest.bench.test", true);
BENCHMARK_CAPTURE(answer, static, "host42.bench.test", false);
BENCHMARK_CAPTURE(answer, nearest, "nearest.bench.test", false);
BENCHMARK_CAPTURE(answer, nearest_subnet, "nearest.bench.test", true);
BENCHMARK_CAPTURE(answer, weighted, "weighted.bench.test", true);
BENCHMARK_CAPTURE(answer, failover, "failover.bench.test", true);
BENCHMARK_CAPTURE(answer, nxdomain, "no.such.name.bench.test", false);
BENCHMARK_CAPTURE(answer, refused, "www.elsewhere.test", false);

}  // namespace
}  // namespace portolan::geodns
