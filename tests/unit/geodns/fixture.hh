#pragma once
// A zone, three datacentres and a small prefix table, asked from bytes to bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "geodns/answer.hh"
#include "tests/unit/core/dns/packets.hh"

namespace portolan::geodns::test {

using namespace dns::test;  // NOLINT(google-build-using-namespace)

inline IpAddress ip(std::string_view text) {
  auto parsed = IpAddress::parse(text);
  if (!parsed) std::abort();
  return *parsed;
}

inline RecordConfig fixed(std::string name, std::string type, std::string value) {
  RecordConfig record;
  record.where = "test:1:1";
  record.name = std::move(name);
  record.type = std::move(type);
  record.value = std::move(value);
  return record;
}

inline RecordConfig service(std::string name, std::string what, std::string policy) {
  RecordConfig record;
  record.where = "test:2:2";
  record.name = std::move(name);
  record.service = std::move(what);
  record.policy = std::move(policy);
  return record;
}

inline ServiceSite site(std::vector<std::string> addresses) {
  ServiceSite s;
  s.where = "test:3:3";
  for (const auto& a : addresses) s.addresses.push_back(ip(a));
  return s;
}

inline ZoneConfig zone(std::string name) {
  ZoneConfig z;
  z.where = "test:4:4";
  z.name = std::move(name);
  z.nameservers = {"ns1.example.com", "ns2.example.com"};
  z.contact = "host.master@example.com";
  return z;
}

// New York, Frankfurt and Tokyo; everywhere IPv4, IPv6 not in Tokyo.
inline GeodnsConfig config() {
  GeodnsConfig c;
  c.datacenters = {{"t", "us", true, 40.7, -74.0}, {"t", "eu", true, 50.1, 8.7}, {"t", "jp", true, 35.7, 139.7}};
  ServiceConfig web{"t", "web", {}};
  web.sites["us"] = site({"192.0.2.10", "2001:db8:1::10"});
  web.sites["eu"] = site({"192.0.2.20", "2001:db8:2::10"});
  web.sites["jp"] = site({"192.0.2.30"});
  ServiceConfig old{"t", "old", {}};
  old.sites["eu"] = site({"192.0.2.21", "192.0.2.22", "192.0.2.21"});
  c.services = {web, old};
  ZoneConfig z = zone("Example.com");
  z.records = {
      fixed("ns1", "A", "192.0.2.53"),
      fixed("ns2", "A", "192.0.2.54"),
      fixed("ns2", "AAAA", "2001:db8::54"),
      fixed("@", "MX", "10 mail.example.com"),
      fixed("@", "MX", "20 mx.elsewhere.org"),
      fixed("mail", "A", "192.0.2.25"),
      fixed("@", "TXT", "v=spf1 -all"),
      fixed("a.deep.ent", "A", "192.0.2.1"),
      fixed("*.wild", "A", "192.0.2.2"),
      fixed("*.wild", "TXT", "wild"),
      fixed("there.wild", "A", "192.0.2.3"),
      fixed("x.ent.wild", "A", "192.0.2.4"),
      fixed("alias", "CNAME", "mail"),
      fixed("chain", "CNAME", "alias.example.com"),
      fixed("out", "CNAME", "www.elsewhere.org."),
      fixed("dangling", "CNAME", "gone"),
      fixed("notype", "CNAME", "ns1"),
      fixed("*.alias-wild", "CNAME", "alias"),
      fixed("to-www", "CNAME", "www"),
      fixed("to-apex", "CNAME", "@"),
      fixed("big", "TXT", std::string(1300, 'x')),
      service("www", "web", "nearest"),
      service("beta", "web", "weighted"),
      service("db", "web", "failover"),
      service("old", "old", ""),
      fixed("www", "TXT", "beside a service"),
      service("*.apps", "web", "nearest"),
  };
  for (RecordConfig& r : z.records) {
    if (r.name == "beta") r.weights = {{"us", 70}, {"eu", 30}};
    if (r.name == "db") r.order = {"eu", "us", "jp"};
  }
  ZoneConfig child = zone("dev.example.com");
  child.nameservers = {"ns1.example.com"};
  child.records = {fixed("@", "A", "192.0.2.99"), fixed("up", "CNAME", "alias.example.com")};
  c.zones = {z, child};
  return c;
}

inline std::shared_ptr<const geo::Table> table() {
  geo::Table::Builder builder;
  const auto put = [&](const char* network, double latitude, double longitude, bool coordinates = true) {
    geo::Location l;
    l.latitude = latitude;
    l.longitude = longitude;
    l.has_coordinates = coordinates;
    l.country = {'X', 'X'};
    if (!builder.insert(*IpNetwork::parse(network), l)) std::abort();
  };
  put("10.0.0.0/8", 42.4, -71.1);       // Boston
  put("10.1.0.0/16", 48.9, 2.4);        // Paris, inside it
  put("10.2.3.0/25", 37.6, 127.0);      // Seoul
  put("198.51.100.0/24", 0, 0, false);  // a country without coordinates
  put("2001:db8:f::/48", 52.5, 13.4);   // Berlin
  return builder.finish();
}

class World {
 public:
  World() {
    std::vector<Mistake> mistakes;
    auto built = build_view(config(), 2026112301, mistakes);
    for (const Mistake& m : mistakes) ADD_FAILURE() << m.where << ": " << m.text;
    give_places(*built, table(), nullptr);
    view = built;
  }

  Packet raw(const Packet& packet, Transport transport = Transport::udp) {
    Packet out(transport == Transport::udp ? 1232 : 65535);
    Answerer answerer(rng);
    out.resize(answerer.answer(packet, client, transport, *view, out, info));
    return out;
  }
  Message ask(const Ask& question, Transport transport = Transport::udp) {
    Message m = decode(raw(make(question), transport));
    EXPECT_TRUE(m.good) << question.name;
    return m;
  }
  Message ask(std::string name, uint16_t type = dns::type_a, std::string_view subnet = "") {
    Ask question;
    question.name = std::move(name);
    question.type = type;
    question.edns = !subnet.empty();
    if (question.edns) question.options = subnet_option(subnet);
    return ask(question);
  }
  // The data of the answer section, sorted.
  std::vector<std::string> answers(std::string name, uint16_t type = dns::type_a, std::string_view subnet = "") {
    std::vector<std::string> list;
    const Message m = ask(std::move(name), type, subnet);
    for (const auto& r : m.answers()) list.push_back(r.data);
    std::sort(list.begin(), list.end());
    return list;
  }
  // States of "web" by datacentre: us, eu, jp.
  void states(State us, State eu, State jp) { view = with_states(*view, {{{us, eu, jp}}}); }

  std::shared_ptr<const View> view;
  Rng rng{7};
  IpAddress client = ip("10.9.9.9");
  AnswerInfo info;
};

}  // namespace portolan::geodns::test
