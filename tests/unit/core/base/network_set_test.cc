#include "core/base/network_set.hh"

#include <gtest/gtest.h>

#include "core/base/clock.hh"

namespace portolan {
namespace {

IpNetwork network(std::string_view text) {
  return *IpNetwork::parse(text);
}

TEST(NetworkSet, HoldsWhatOneOfItsNetworksHolds) {
  EXPECT_FALSE(NetworkSet().contains(IpAddress::v4(1, 2, 3, 4)));
  NetworkSet set({network("10.0.0.0/8"), network("10.1.0.0/16"), network("192.0.2.7"), network("2001:db8::/32")});
  EXPECT_TRUE(set.contains(IpAddress::v4(10, 0, 0, 0)));
  EXPECT_TRUE(set.contains(IpAddress::v4(10, 2, 0, 1))) << "behind the end of a network within";
  EXPECT_TRUE(set.contains(IpAddress::v4(10, 255, 255, 255)));
  EXPECT_FALSE(set.contains(IpAddress::v4(11, 0, 0, 0)));
  EXPECT_TRUE(set.contains(IpAddress::v4(192, 0, 2, 7)));
  EXPECT_FALSE(set.contains(IpAddress::v4(192, 0, 2, 8)));
  EXPECT_TRUE(set.contains(*IpAddress::parse("2001:db8:1::1")));
  EXPECT_FALSE(set.contains(*IpAddress::parse("2001:db9::1")));
  EXPECT_FALSE(set.contains(IpAddress{}));
  EXPECT_FALSE(NetworkSet({network("0.0.0.0/0")}).contains(*IpAddress::parse("::1"))) << "another family";
}

TEST(NetworkSet, IsWhatALookAtEveryNetworkWouldFind) {
  Rng rng(5);
  auto byte = [&] { return static_cast<uint8_t>(rng.below(4) * 64 + rng.below(2)); };
  auto address = [&] {
    IpAddress a = IpAddress::v4(byte(), byte(), byte(), byte());
    if (rng.below(2)) {
      a.family = IpAddress::Family::v6;
      for (uint8_t& b : a.bytes) b = byte();
    }
    return a;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<IpNetwork> networks;
    for (uint64_t n = rng.below(40); n > 0; --n) {
      IpAddress a = address();
      auto length = static_cast<unsigned>(rng.below(rng.below(2) ? 12 : a.bits() + 1));
      networks.push_back({a.masked(length), length});
    }
    NetworkSet set(networks);
    for (int i = 0; i < 300; ++i) {
      IpAddress a = rng.below(2) || networks.empty() ? address() : networks[rng.below(networks.size())].address;
      ASSERT_EQ(set.contains(a), contains(networks, a)) << a.to_string();
    }
  }
}

}  // namespace
}  // namespace portolan
