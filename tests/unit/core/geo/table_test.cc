#include "core/geo/table.hh"

#include <gtest/gtest.h>

#include "core/geo/embedded.hh"
#include "tests/unit/core/geo/support.hh"

namespace portolan::geo {
namespace {

using test::Numbers;

Location country(const char* code) {
  Location l;
  l.country = {code[0], code[1]};
  return l;
}

IpNetwork net(const char* text) {
  return *IpNetwork::parse(text);
}
IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

TEST(Distance, MatchesKnownCities) {
  EXPECT_NEAR(distance_km(51.5074, -0.1278, 48.8566, 2.3522), 343.6, 1);      // London, Paris
  EXPECT_NEAR(distance_km(40.7128, -74.0060, 35.6762, 139.6503), 10849, 20);  // New York, Tokyo
  EXPECT_NEAR(distance_km(0, 179.5, 0, -179.5), 111.2, 0.2);                  // over the date line
  EXPECT_NEAR(distance_km(0, 0, 0, 180), 20015, 1);                           // antipodes
  EXPECT_EQ(distance_km(12, 34, 12, 34), 0);
}

TEST(Distance, FarNorthIsNotPlanar) {
  double to_stockholm = distance_km(69.65, 18.96, 59.33, 18.07);
  double to_murmansk = distance_km(69.65, 18.96, 68.97, 33.08);
  EXPECT_LT(to_murmansk, to_stockholm);
}

TEST(Table, EmptyKnowsNothingOfTheWholeSpace) {
  auto table = Table::Builder().finish();
  EXPECT_EQ(table->find(ip("1.2.3.4")).place, 0u);
  EXPECT_EQ(table->find(ip("1.2.3.4")).prefix_length, 0u);
  EXPECT_EQ(table->find(ip("2a00::1")).place, 0u);
  EXPECT_EQ(table->find(ip("2a00::1")).prefix_length, 5u) << "2001::/32 holds IPv4 addresses";
  EXPECT_EQ(table->find(ip("::ffff:1.2.3.4")).prefix_length, 96u);
  EXPECT_EQ(table->find(IpAddress{}).place, 0u);
}

TEST(Table, NestedNetworksGetDeaggregatedScopes) {
  Table::Builder builder;
  ASSERT_TRUE(builder.insert(net("10.0.0.0/8"), country("US")));
  ASSERT_TRUE(builder.insert(net("10.1.0.0/16"), country("DE")));
  auto table = builder.finish();
  EXPECT_EQ(table->find(ip("10.2.3.4")).prefix_length, 15u);
  EXPECT_EQ(test::at(*table, ip("10.2.3.4")).country_code(), "US");
  EXPECT_EQ(table->find(ip("10.1.3.4")).prefix_length, 16u);
  EXPECT_EQ(test::at(*table, ip("10.1.3.4")).country_code(), "DE");
  EXPECT_EQ(table->find(ip("11.1.1.1")).place, 0u);
  EXPECT_EQ(table->find(ip("11.1.1.1")).prefix_length, 8u);
}

TEST(Table, EqualNeighboursMerge) {
  Table::Builder builder;
  ASSERT_TRUE(builder.insert(net("192.0.2.0/25"), country("FR")));
  ASSERT_TRUE(builder.insert(net("192.0.2.128/25"), country("FR")));
  auto table = builder.finish();
  EXPECT_EQ(table->find(ip("192.0.2.200")).prefix_length, 24u);
  EXPECT_EQ(table->location_count(), 1u);
}

TEST(Table, WholeSpaceAndSingleAddresses) {
  Table::Builder builder;
  ASSERT_TRUE(builder.insert(net("0.0.0.0/0"), country("AA")));
  ASSERT_TRUE(builder.insert(net("255.255.255.255/32"), country("BB")));
  ASSERT_TRUE(builder.insert(net("2001:db8::ffff/128"), country("CC")));
  auto table = builder.finish();
  EXPECT_EQ(test::at(*table, ip("255.255.255.255")).country_code(), "BB");
  EXPECT_EQ(table->find(ip("255.255.255.255")).prefix_length, 32u);
  EXPECT_EQ(test::at(*table, ip("255.255.255.254")).country_code(), "AA");
  EXPECT_EQ(table->find(ip("255.255.255.254")).prefix_length, 32u);
  EXPECT_EQ(table->find(ip("1.1.1.1")).prefix_length, 1u);
  EXPECT_EQ(test::at(*table, ip("2001:db8::ffff")).country_code(), "CC");
  EXPECT_EQ(table->find(ip("2001:db8::ffff")).prefix_length, 128u);
  EXPECT_EQ(table->find(ip("2001:db8::fffe")).place, 0u);
  EXPECT_EQ(table->find(ip("2001:db8::fffe")).prefix_length, 128u);
}

TEST(Table, MappedAddressesAreIpv4) {
  Table::Builder builder;
  ASSERT_TRUE(builder.insert(net("203.0.113.0/24"), country("JP")));
  auto table = builder.finish();
  Found found = table->find(ip("::ffff:203.0.113.9"));
  ASSERT_NE(found.place, 0u);
  EXPECT_EQ(table->location(found.place).country_code(), "JP");
  EXPECT_EQ(found.prefix_length, 120u);
}

TEST(Table, LaterInsertsWinFieldByField) {
  Location city = country("US");
  city.has_coordinates = true;
  city.latitude = 40;
  city.longitude = -74;
  city.accuracy_radius_km = 10;
  Location continent;
  continent.continent = {'N', 'A'};
  Table::Builder builder;
  ASSERT_TRUE(builder.insert(net("10.0.0.0/16"), city));
  ASSERT_TRUE(builder.insert(net("10.0.0.0/8"), continent));
  ASSERT_TRUE(builder.insert(net("10.0.1.0/24"), country("CA")));
  auto table = builder.finish();
  const Location l = test::at(*table, ip("10.0.1.1"));
  EXPECT_EQ(test::describe(l), "CA/NA 40.000000,-74.000000 r10");
  EXPECT_EQ(test::describe(test::at(*table, ip("10.0.2.1"))), "US/NA 40.000000,-74.000000 r10");
  EXPECT_EQ(test::describe(test::at(*table, ip("10.1.0.1"))), "/NA - r0");
}

// Networks of random length in a /16 against the list of them, for every address; and the scope of
// each answer against every address in it.
TEST(Table, RandomIpv4AgreesWithTheListAndItsScopesHold) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Numbers numbers(seed);
    Table::Builder builder;
    std::vector<std::pair<IpNetwork, char>> list;
    for (uint64_t n = 1 + numbers.below(40); n > 0; --n) {
      unsigned length = 14 + static_cast<unsigned>(numbers.below(19));
      char name = static_cast<char>('A' + numbers.below(4));
      uint32_t bits = 0x0a140000 | static_cast<uint32_t>(numbers.below(65536));
      IpNetwork network{test::v4(bits).masked(length), length};
      list.emplace_back(network, name);
      ASSERT_TRUE(builder.insert(network, country(std::string(2, name).c_str())));
    }
    auto table = builder.finish();
    std::vector<Found> found;
    for (uint32_t i = 0; i < 65536; ++i) found.push_back(table->find(test::v4(0x0a140000 + i)));
    for (uint32_t i = 0; i < 65536; ++i) {
      char expected = 0;
      for (const auto& [network, name] : list)
        if (network.contains(test::v4(0x0a140000 + i))) expected = name;
      char got = table->location(found[i].place).country[0];
      ASSERT_EQ(got, expected) << "seed " << seed << " " << test::v4(0x0a140000 + i).to_string();
      ASSERT_LE(found[i].prefix_length, 32u);
      uint32_t span = found[i].prefix_length <= 16 ? 65536 : 1u << (32 - found[i].prefix_length);
      if (i % span) continue;
      for (uint32_t k = i; k < i + span; ++k) {
        ASSERT_EQ(found[k].place, found[i].place) << "seed " << seed;
        ASSERT_EQ(found[k].prefix_length, found[i].prefix_length) << "seed " << seed;
      }
    }
  }
}

TEST(Table, RandomIpv6AgreesWithTheListAndItsScopesHold) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Numbers numbers(seed);
    Table::Builder builder;
    std::vector<std::pair<IpNetwork, char>> list;
    IpAddress base = test::random_address(numbers, true);
    base.bytes[0] = 0x20;
    for (uint64_t n = 1 + numbers.below(40); n > 0; --n) {
      unsigned length = static_cast<unsigned>(numbers.below(129));
      IpAddress near = test::inside(base, static_cast<unsigned>(numbers.below(129)), numbers);
      char name = static_cast<char>('A' + numbers.below(4));
      list.emplace_back(IpNetwork{near.masked(length), length}, name);
      ASSERT_TRUE(builder.insert(list.back().first, country(std::string(2, name).c_str())));
    }
    auto table = builder.finish();
    for (unsigned k = 0; k < 400; ++k) {
      const IpNetwork& network = list[numbers.below(list.size())].first;
      unsigned shared = static_cast<unsigned>(numbers.below(129));
      IpAddress a = test::inside(network.address, std::max(shared, network.length), numbers);
      if (k % 3 == 0) a = test::inside(network.address, shared, numbers);
      if (find_embedded(a).offset > 0) continue;
      char expected = 0;
      for (const auto& [candidate, name] : list)
        if (candidate.contains(a)) expected = name;
      Found found = table->find(a);
      ASSERT_EQ(table->location(found.place).country[0], expected) << a.to_string();
      for (unsigned more = 0; more < 8; ++more) {
        Found other = table->find(test::inside(a, found.prefix_length, numbers));
        ASSERT_EQ(other.place, found.place);
        ASSERT_EQ(other.prefix_length, found.prefix_length);
      }
    }
  }
}

}  // namespace
}  // namespace portolan::geo
