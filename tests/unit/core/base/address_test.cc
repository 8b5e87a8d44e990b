#include "core/base/address.hh"

#include <gtest/gtest.h>

namespace portolan {
namespace {

TEST(Address, ParsesWhatTheConfigurationWrites) {
  EXPECT_EQ(SocketAddress::parse("127.0.0.1:80")->to_string(), "127.0.0.1:80");
  EXPECT_EQ(SocketAddress::parse("[::1]:53")->to_string(), "[::1]:53");
  EXPECT_EQ(SocketAddress::parse("unix:/run/x")->to_string(), "unix:/run/x");
  for (const char* bad :
       {"", ":80", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", "::1:80", "[1.2.3.4]:80", "1.2.3.4:8x", "unix:"})
    EXPECT_FALSE(SocketAddress::parse(bad)) << bad;
}

TEST(Address, NamesAreNotLiterals) {
  auto name = HostPort::parse("app.internal:8080");
  ASSERT_TRUE(name);
  EXPECT_FALSE(name->is_literal);
  EXPECT_EQ(name->host, "app.internal");
  EXPECT_TRUE(HostPort::parse("10.0.0.1:80")->is_literal);
  EXPECT_FALSE(HostPort::parse("a b:80"));
}

TEST(Address, NetworksContainAndMask) {
  auto net = IpNetwork::parse("10.0.0.0/8");
  ASSERT_TRUE(net);
  EXPECT_TRUE(net->contains(*IpAddress::parse("10.255.1.2")));
  EXPECT_FALSE(net->contains(*IpAddress::parse("11.0.0.0")));
  EXPECT_FALSE(net->contains(*IpAddress::parse("::1")));
  EXPECT_FALSE(IpNetwork::parse("10.0.0.1/8"));
  EXPECT_FALSE(IpNetwork::parse("10.0.0.0/33"));
  EXPECT_TRUE(IpNetwork::parse("::/0")->contains(*IpAddress::parse("2001:db8::1")));
  EXPECT_EQ(IpAddress::parse("::ffff:1.2.3.4")->unmapped().to_string(), "1.2.3.4");
}

}  // namespace
}  // namespace portolan
