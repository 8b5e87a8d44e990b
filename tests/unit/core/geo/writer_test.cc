#include "core/geo/writer.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "core/geo/database.hh"
#include "core/geo/demo.hh"
#include "tests/unit/core/geo/support.hh"

namespace portolan::geo {
namespace {

using test::Numbers;

Place random_place(Numbers& numbers) {
  Place place;
  if (numbers.below(4)) {
    place.latitude = static_cast<double>(numbers.below(1801)) / 10 - 90;
    place.longitude = static_cast<double>(numbers.below(3601)) / 10 - 180;
    if (numbers.below(2)) place.accuracy_radius_km = static_cast<uint16_t>(numbers.below(1001));
  }
  const char* countries[] = {"", "US", "DE", "JP", "BR"};
  const char* continents[] = {"", "NA", "EU", "AS", "SA"};
  place.country = countries[numbers.below(5)];
  place.continent = continents[numbers.below(5)];
  place.city = numbers.below(2) ? std::string(numbers.below(400), 'x') : "";
  return place;
}

Location expected(const Place* place, DatabaseWriter::Numbers style) {
  Location l;
  if (!place) return l;
  auto as_written = [style](double v) {
    if (style != DatabaseWriter::Numbers::float32) return v;
    volatile float narrow = static_cast<float>(v);  // g++ 12 at -O2 drops the rounding of the pair
    return static_cast<double>(narrow);
  };
  if (place->latitude && place->longitude) {
    l.has_coordinates = true;
    l.latitude = as_written(*place->latitude);
    l.longitude = as_written(*place->longitude);
    l.accuracy_radius_km = place->accuracy_radius_km.value_or(0);
  }
  if (!place->country.empty()) l.country = {place->country[0], place->country[1]};
  if (!place->continent.empty()) l.continent = {place->continent[0], place->continent[1]};
  return l;
}

struct Shape {
  unsigned record_size;
  unsigned ip_version;
  DatabaseWriter::Style style;
  DatabaseWriter::Numbers numbers;
};

class RoundTrip : public testing::TestWithParam<Shape> {};

TEST_P(RoundTrip, EveryNetworkIsFoundAgain) {
  const Shape shape = GetParam();
  DatabaseWriter::Options options;
  options.record_size = shape.record_size;
  options.ip_version = shape.ip_version;
  options.style = shape.style;
  options.numbers = shape.numbers;
  DatabaseWriter writer(options);
  Numbers numbers(shape.record_size * 100 + shape.ip_version);
  std::map<IpNetwork, Place> places;
  for (unsigned i = 0; i < 200; ++i) {
    bool six = shape.ip_version == 6 && i % 2;
    unsigned length = 4 + static_cast<unsigned>(numbers.below(six ? 61 : 29));
    IpAddress a = test::random_address(numbers, six);
    if (six) a.bytes[0] = 0x2a;
    IpNetwork network{a.masked(length), length};
    places[network] = random_place(numbers);
    ASSERT_TRUE(writer.insert(network, places[network]));
  }
  auto bytes = writer.finish();
  ASSERT_TRUE(bytes) << bytes.error().text;
  auto table = load_bytes(*bytes, {"made", "city", {}});
  ASSERT_TRUE(table) << table.error().text;
  for (unsigned i = 0; i < 4000; ++i) {
    auto near = std::next(places.begin(), static_cast<ptrdiff_t>(numbers.below(places.size())));
    IpAddress a = test::inside(near->first.address, i % 4 ? near->first.length : 3, numbers);
    const std::pair<const IpNetwork, Place>* best = nullptr;
    for (const auto& entry : places)
      if (entry.first.contains(a) && (!best || entry.first.length > best->first.length)) best = &entry;
    Found found = (*table)->find(a);
    Location want = expected(best ? &best->second : nullptr, shape.numbers);
    ASSERT_EQ(test::describe((*table)->location(found.place)), test::describe(want)) << a.to_string();
    ASSERT_EQ((*table)->location(found.place), want);
    for (unsigned k = 0; k < 4; ++k) {
      Found other = (*table)->find(test::inside(a, found.prefix_length, numbers));
      ASSERT_EQ(other.place, found.place) << a.to_string() << "/" << found.prefix_length;
    }
  }
}

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (unsigned size : {24u, 28u, 32u})
    for (unsigned version : {4u, 6u})
      for (auto style : {DatabaseWriter::Style::nested, DatabaseWriter::Style::flat})
        for (auto form :
             {DatabaseWriter::Numbers::float64, DatabaseWriter::Numbers::float32, DatabaseWriter::Numbers::text})
          all.push_back({size, version, style, form});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Shapes, RoundTrip, testing::ValuesIn(shapes()), [](const auto& tested) {
  const Shape& s = tested.param;
  return fmt::format("{}bit_v{}_{}_{}", s.record_size, s.ip_version,
                     s.style == DatabaseWriter::Style::flat ? "flat" : "nested",
                     s.numbers == DatabaseWriter::Numbers::float64   ? "double"
                     : s.numbers == DatabaseWriter::Numbers::float32 ? "float"
                                                                     : "text");
});

TEST(Writer, OrderOfInsertsDoesNotMatter) {
  Place a, b;
  a.country = "US";
  b.country = "DE";
  DatabaseWriter forth({}), back({});
  auto wide = *IpNetwork::parse("10.0.0.0/8"), narrow = *IpNetwork::parse("10.1.0.0/16");
  ASSERT_TRUE(forth.insert(wide, a) && forth.insert(narrow, b));
  ASSERT_TRUE(back.insert(narrow, b) && back.insert(wide, a));
  EXPECT_EQ(*forth.finish(), *back.finish());
}

TEST(Writer, AliasesLeadToIpv4) {
  Place place;
  place.country = "FR";
  DatabaseWriter writer({});
  ASSERT_TRUE(writer.insert(*IpNetwork::parse("192.0.2.0/24"), place));
  auto table = *load_bytes(*writer.finish(), {"made", "auto", {}});
  for (auto [text, length] :
       {std::pair("2002:c000:0201::9", 40u), {"::ffff:192.0.2.1", 120u}, {"::192.0.2.1", 120u}, {"192.0.2.1", 24u}}) {
    Found found = table->find(*IpAddress::parse(text));
    ASSERT_NE(found.place, 0u) << text;
    EXPECT_EQ(found.prefix_length, length) << text;
  }
  EXPECT_EQ(table->find(*IpAddress::parse("2002:c000:0301::9")).place, 0u);
  EXPECT_EQ(table->find(*IpAddress::parse("2002:c000:0301::9")).prefix_length, 40u);
}

TEST(Writer, RefusesWhatDoesNotFit) {
  DatabaseWriter::Options four;
  four.ip_version = 4;
  EXPECT_FALSE(DatabaseWriter(four).insert(*IpNetwork::parse("2001:db8::/32"), {}));
}

TEST(Demo, ThirtyCitiesAreFoundInAllTheirNetworks) {
  auto bytes = demo_database();
  ASSERT_TRUE(bytes) << bytes.error().text;
  EXPECT_EQ(*bytes, *demo_database());
  auto table = load_bytes(*bytes, {"demo", "city", {}});
  ASSERT_TRUE(table) << table.error().text;
  ASSERT_EQ(demo_cities().size(), 30u);
  EXPECT_EQ((*table)->location_count(), 30u);
  std::set<std::string> seen;
  for (const DemoCity& city : demo_cities()) {
    EXPECT_EQ(city.network, city.networks.front());
    for (const std::string& text : city.networks) {
      EXPECT_TRUE(seen.insert(text).second) << text << " twice";
      auto network = IpNetwork::parse(text);
      ASSERT_TRUE(network) << text;
      EXPECT_EQ(network->to_string(), text);
      Found found = (*table)->find(network->address);
      ASSERT_NE(found.place, 0u) << text;
      const Location location = (*table)->location(found.place);
      EXPECT_EQ(location.latitude, city.latitude);
      EXPECT_EQ(location.longitude, city.longitude);
      EXPECT_EQ(location.country_code(), city.country);
      EXPECT_EQ(location.continent_code(), city.continent);
      EXPECT_EQ(found.prefix_length, network->length);
    }
  }
}

TEST(Demo, FileIsReplacedWhole) {
  std::string path = testing::TempDir() + "portolan-demo.mmdb";
  ASSERT_TRUE(write_demo_database(path));
  EXPECT_EQ(test::contents(path), *demo_database());
  EXPECT_FALSE(write_demo_database("/nonexistent/demo.mmdb"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace portolan::geo
