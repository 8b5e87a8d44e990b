// The country of a client.
#include "proxy/country.hh"

#include <gtest/gtest.h>

#include "core/geo/country.hh"

namespace portolan::proxy {
namespace {

std::shared_ptr<const geo::Table> table() {
  geo::Table::Builder builder;
  geo::Location germany, somewhere;
  germany.country = {'D', 'E'};
  somewhere.latitude = 1;
  somewhere.has_coordinates = true;
  EXPECT_TRUE(builder.insert(*IpNetwork::parse("192.0.2.0/24"), germany));
  EXPECT_TRUE(builder.insert(*IpNetwork::parse("2001:db8::/32"), germany));
  EXPECT_TRUE(builder.insert(*IpNetwork::parse("198.51.100.0/24"), somewhere));
  return builder.finish();
}

TEST(ClientCountry, IsWhatTheDatabaseSays) {
  auto known = table();
  auto of = [&](const char* address) {
    ClientCountry country;
    return std::string(country.of(*IpAddress::parse(address), known.get()));
  };
  EXPECT_EQ(of("192.0.2.9"), "DE");
  EXPECT_EQ(of("2001:db8:7::1"), "DE");
  EXPECT_EQ(of("::ffff:192.0.2.9"), "DE");
  EXPECT_EQ(of("198.51.100.1"), "") << "a place without a country";
  EXPECT_EQ(of("203.0.113.1"), "") << "not in it";
  ClientCountry nobody;
  EXPECT_EQ(nobody.of(IpAddress::v4(192, 0, 2, 9), nullptr), "") << "no database";
  EXPECT_EQ(ClientCountry().of(IpAddress{}, known.get()), "") << "a client without an address";
}

TEST(ClientCountry, IsLookedUpOnce) {
  auto known = table();
  ClientCountry country;
  EXPECT_EQ(country.of(IpAddress::v4(192, 0, 2, 9), known.get()), "DE");
  EXPECT_EQ(country.of(IpAddress::v4(203, 0, 113, 1), nullptr), "DE");
}

bool reads(std::string text, std::string& out, std::string& error) {
  conf::Binder binder;
  binder.key = "country";
  conf::Value value;
  value.kind = conf::Value::Kind::string;
  value.string = std::move(text);
  bool good = geo::country().read(binder, value, out);
  error = binder.errors.empty() ? "" : binder.errors.front();
  return good;
}

TEST(CountryKey, TakesCountriesAndNamesWhatWasMeant) {
  std::string out, error;
  EXPECT_TRUE(reads("DE", out, error));
  EXPECT_EQ(out, "DE");
  EXPECT_TRUE(reads("fr", out, error));
  EXPECT_EQ(out, "FR");
  EXPECT_FALSE(reads("UK", out, error));
  EXPECT_NE(error.find("\"GB\""), std::string::npos) << error;
  for (const char* bad : {"", "D", "DEU", "ZZ", "D ", " A", "E "}) EXPECT_FALSE(reads(bad, out, error)) << bad;
}

}  // namespace
}  // namespace portolan::proxy
