// Lists of networks, and IPv4 inside IPv6.
#include "core/geo/networks.hh"

#include <gtest/gtest.h>

#include "core/base/clock.hh"
#include "core/geo/embedded.hh"
#include "core/geo/network_list.hh"
#include "core/geo/remap.hh"

namespace portolan::geo {
namespace {

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}
IpNetwork net(std::string_view text) {
  return *IpNetwork::parse(text);
}

TEST(Networks, TheLongestCountsAndSaysHowFarItHolds) {
  const Networks networks({{net("10.0.0.0/8"), 1}, {net("10.1.0.0/16"), 2}, {net("2001:db8::/32"), 3}});
  EXPECT_EQ(networks.find(ip("10.1.2.3")).value, 2u);
  EXPECT_EQ(networks.find(ip("10.1.2.3")).prefix_length, 16u);
  EXPECT_EQ(networks.find(ip("10.2.3.4")).value, 1u);
  EXPECT_EQ(networks.find(ip("10.2.3.4")).prefix_length, 15u) << "not 8: 10.1/16 is another's";
  EXPECT_EQ(networks.find(ip("10.128.0.1")).prefix_length, 9u);
  EXPECT_EQ(networks.find(ip("192.0.2.1")).value, Networks::none);
  EXPECT_EQ(networks.find(ip("192.0.2.1")).prefix_length, 1u);
  EXPECT_EQ(networks.find(ip("2001:db8::1")).prefix_length, 32u);
  EXPECT_EQ(Networks().find(ip("192.0.2.1")).prefix_length, 0u);
  EXPECT_EQ(Networks({{net("0.0.0.0/0"), 7}}).find(ip("255.255.255.255")).prefix_length, 0u);
}

template <class Address>
void brute_force(Address random_address) {
  Rng rng(11);
  for (int round = 0; round < 300; round++) {
    std::vector<std::pair<IpNetwork, uint32_t>> list;
    for (auto n = rng.below(12); n > 0; n--) {
      const IpAddress a = random_address(rng);
      const auto length = static_cast<unsigned>(rng.below(a.bits() + 1));
      list.emplace_back(IpNetwork{a.masked(length), length}, static_cast<uint32_t>(rng.below(3)));
    }
    const auto model = [&](const IpAddress& a) {
      const std::pair<IpNetwork, uint32_t>* best = nullptr;
      for (const auto& entry : list)
        if (entry.first.contains(a) && (!best || entry.first.length > best->first.length)) best = &entry;
      return best ? best->second : Networks::none;
    };
    const Networks networks(list);
    for (int i = 0; i < 60; i++) {
      const IpAddress a = random_address(rng);
      const auto found = networks.find(a);
      ASSERT_EQ(found.value, model(a)) << a.to_string();
      for (const auto& [network, value] : list) {
        if (network.address.masked(found.prefix_length) == a.masked(found.prefix_length)) {
          ASSERT_EQ(model(network.address), found.value);
        }
      }
    }
  }
}

TEST(Networks, AreWhatALookAtAllWouldFind) {
  brute_force([](Rng& rng) {
    IpAddress a = IpAddress::v4(0, 0, 0, 0);
    for (size_t i = 0; i < 4; i++)
      a.bytes[i] = rng.below(2) ? static_cast<uint8_t>(rng.next()) : rng.below(2) ? 255 : 0;
    return a;
  });
  brute_force([](Rng& rng) {
    IpAddress a = ip("::");
    for (size_t i = 0; i < 16; i++)
      a.bytes[i] = rng.below(3) ? 0 : rng.below(2) ? 255 : static_cast<uint8_t>(rng.next());
    return a;
  });
}

TEST(Embedded, FindsIPv4) {
  const std::vector<std::tuple<const char*, const char*, unsigned>> cases = {
      {"::ffff:192.0.2.1", "192.0.2.1", 96},
      {"::ffff:0:192.0.2.1", "192.0.2.1", 96},
      {"64:ff9b::192.0.2.1", "192.0.2.1", 96},
      {"2002:c000:201::5", "192.0.2.1", 16},
      {"2001:0:4136:e378:8000:63bf:3fff:fdfe", "192.0.2.1", 96},
  };
  for (const auto& [inside, address, offset] : cases) {
    EXPECT_EQ(find_embedded(ip(inside)).address, ip(address)) << inside;
    EXPECT_EQ(find_embedded(ip(inside)).offset, offset) << inside;
  }
  for (const char* plain : {"2001:db8::1", "::1", "64:ff9b:1::1", "2003::", "::fffe:192.0.2.1", "2001:1::"}) {
    EXPECT_EQ(find_embedded(ip(plain)).address, ip(plain));
    EXPECT_EQ(find_embedded(ip(plain)).offset, 0u) << plain;
  }
}

TEST(Embedded, APrefixThatIsApartHoldsNone) {
  Rng rng(3);
  const char* prefixes[] = {"::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "2002::", "2001::"};
  for (int i = 0; i < 20'000; i++) {
    IpAddress a = ip(prefixes[rng.below(5)]);
    const auto flipped = rng.below(100);
    a.bytes[flipped / 8] ^= static_cast<uint8_t>(0x80 >> flipped % 8);
    if (rng.below(2)) a.bytes[rng.below(16)] = static_cast<uint8_t>(rng.next());
    const Embedded e = find_embedded(a);
    if (e.offset > 0) continue;
    for (const char* prefix : prefixes) {
      ASSERT_NE(a.masked(e.apart), ip(prefix).masked(e.apart)) << a.to_string() << "/" << e.apart;
    }
    bool needed = false;
    for (const char* prefix : prefixes) needed |= a.masked(e.apart - 1) == ip(prefix).masked(e.apart - 1);
    ASSERT_TRUE(needed) << a.to_string() << "/" << e.apart;
  }
}

TEST(Embedded, CountsInATable) {
  Table::Builder builder;
  Location l;
  l.country = {'D', 'E'};
  ASSERT_TRUE(builder.insert(net("192.0.2.0/24"), l));
  const auto table = builder.finish();
  for (const char* inside : {"::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "2001:0:4136:e378:8000:63bf:3fff:fdfe"}) {
    EXPECT_EQ(table->location(table->find(ip(inside)).place).country_code(), "DE") << inside;
    EXPECT_EQ(table->find(ip(inside)).prefix_length, 120u) << inside;
  }
  EXPECT_EQ(table->find(ip("2002:c000:201::5")).prefix_length, 40u);
}

std::shared_ptr<const Table> listed(std::string_view text) {
  Table::Builder builder;
  const Status added = add_network_list(text, builder);
  EXPECT_TRUE(added) << (added ? "" : added.error().text);
  return builder.finish();
}
std::string wrong(std::string_view text) {
  Table::Builder builder;
  const Status added = add_network_list(text, builder);
  return added ? "" : added.error().text;
}

TEST(NetworkList, SaysWhatIsKnownOfEach) {
  const auto table = listed(
      "# ours\n10.1.0.0/16 country=fr\tasn=64500 # a branch\r\n\n"
      "10.0.0.0/8 latitude=50.1 longitude=8.7 accuracy_radius=5 country=DE region=HE\n2001:db8::/32 continent=EU");
  Location l = table->location(table->find(ip("10.1.2.3")).place);
  EXPECT_EQ(l.country_code(), "FR") << "the longer one, though it came first";
  EXPECT_EQ(l.region_code(), "") << "that was the other country's";
  EXPECT_EQ(l.asn, 64500u);
  EXPECT_EQ(l.latitude, 50.1) << "what it doesn't say the shorter one does";
  l = table->location(table->find(ip("10.2.0.0")).place);
  EXPECT_EQ(l.region_code(), "HE");
  EXPECT_EQ(l.accuracy_radius_km, 5);
  EXPECT_EQ(table->location(table->find(ip("2001:db8::1")).place).continent_code(), "EU");
}

TEST(NetworkList, NamesTheLineOfAMistake) {
  EXPECT_NE(wrong("10.0.0.0/8 country=DE\n10.0.0.1/8 country=DE").find("line 2: "), std::string::npos);
  EXPECT_NE(wrong("10.0.0.0/8 country=Germany").find("country=Germany"), std::string::npos);
  EXPECT_NE(wrong("10.0.0.0/8 latitude=91 longitude=0").find("latitude=91"), std::string::npos);
  EXPECT_EQ(wrong("10.0.0.0/8 latitude=9"), "line 1: latitude and longitude belong together");
  EXPECT_NE(wrong("10.0.0.0/8 accuracy_radius=9 asn=1").find("accuracy_radius needs"), std::string::npos);
  EXPECT_EQ(wrong("10.0.0.0/8"), "line 1: nothing is said of the network");
  EXPECT_NE(wrong("10.0.0.0/8 asn=0").find("asn=0"), std::string::npos);
  EXPECT_NE(wrong("10.0.0.0/8 asn=-4500").find("asn=-4500"), std::string::npos);
  EXPECT_NE(wrong("10.0.0.0/8 latitude=9 longitude=9 accuracy_radius=nan").find("accuracy_radius=nan"),
            std::string::npos);
  EXPECT_NE(wrong("10.0.0.0/8 colour=red").find("colour=red"), std::string::npos);
  EXPECT_NE(wrong("somewhere country=DE").find("line 1: "), std::string::npos);
}

TEST(Remap, IsTheSameTableWithClassesForPlaces) {
  Rng rng(8);
  for (int round = 0; round < 100; round++) {
    Table::Builder builder;
    std::vector<IpNetwork> networks;
    for (auto n = rng.below(30); n > 0; n--) {
      IpAddress a = rng.below(2) ? IpAddress::v4(0, 0, 0, 0) : ip("::");
      for (size_t i = 0; i < a.size(); i++)
        if (rng.below(2)) a.bytes[i] = static_cast<uint8_t>(rng.next());
      const auto length = static_cast<unsigned>(rng.below(a.bits() + 1));
      networks.push_back({a.masked(length), length});
      Location l;
      l.asn = static_cast<uint32_t>(1 + rng.below(9));
      ASSERT_TRUE(builder.insert(networks.back(), l));
    }
    const auto table = builder.finish();
    const uint32_t classes = 1 + static_cast<uint32_t>(rng.below(4));
    std::vector<uint32_t> class_of(table->location_count() + 1);
    for (uint32_t& c : class_of) c = static_cast<uint32_t>(rng.below(classes));
    const auto remapped = remap(*table, class_of, classes);
    for (int i = 0; i < 2000; i++) {
      IpAddress a = networks.empty() ? IpAddress::v4(1, 2, 3, 4) : networks[rng.below(networks.size())].address;
      if (rng.below(2)) a.bytes[rng.below(a.size())] ^= static_cast<uint8_t>(1 << rng.below(8));
      ASSERT_EQ(remapped->find(a).place, class_of[table->find(a).place]) << a.to_string();
      ASSERT_LE(remapped->find(a).prefix_length, table->find(a).prefix_length);
    }
  }
}

}  // namespace
}  // namespace portolan::geo
