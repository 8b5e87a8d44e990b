#include "core/geo/database.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <limits>

#include "core/geo/demo.hh"
#include "core/geo/embedded.hh"
#include "core/geo/writer.hh"
#include "tests/unit/core/geo/support.hh"

namespace portolan::geo {
namespace {

// The first flaw as an error.
Result<std::shared_ptr<const Table>> load_all(const std::vector<Database>& databases) {
  std::vector<Flaw> flaws;
  auto table = load(databases, flaws).table;
  EXPECT_EQ(table == nullptr, !flaws.empty());
  if (table) return table;
  return flaws.front().error;
}

using test::IndependentReader;
using test::Numbers;

using Loaded = Result<std::shared_ptr<const Table>>;

Loaded load_made(const std::string& bytes, const std::string& kind = "auto",
                 std::map<std::string, std::string> keys = {}) {
  return load_bytes(bytes, {"made.mmdb", kind, std::move(keys)});
}

Place city() {
  Place place;
  place.latitude = 48.5;
  place.longitude = 2.25;
  place.accuracy_radius_km = 50;
  place.country = "FR";
  place.continent = "EU";
  return place;
}

// One network, 192.0.2.0/24, in a database of IPv4 addresses with 24-bit records: nodes of six
// bytes.
std::string one_network(const Place& place, unsigned ip_version = 4) {
  DatabaseWriter::Options options;
  options.ip_version = ip_version;
  options.aliases = false;
  DatabaseWriter writer(options);
  EXPECT_TRUE(writer.insert(*IpNetwork::parse("192.0.2.0/24"), place));
  return *writer.finish();
}

void set_record(std::string& file, uint32_t node, bool right, uint32_t value) {
  for (unsigned i = 0; i < 3; ++i) file[node * 6 + (right ? 3 : 0) + i] = static_cast<char>(value >> (16 - 8 * i));
}

void expect_refused(const Loaded& loaded, const std::string& words) {
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().text.rfind("made.mmdb: ", 0), 0u) << loaded.error().text;
  EXPECT_NE(loaded.error().text.find(words), std::string::npos) << loaded.error().text;
}

TEST(Several, EachThatIsNoGoodIsNamed) {
  const std::string good = testing::TempDir() + "good-" + std::to_string(getpid()) + ".mmdb";
  const std::string list = testing::TempDir() + "list-" + std::to_string(getpid()) + ".txt";
  std::ofstream(good, std::ios::binary) << one_network(city());
  std::ofstream(list) << "192.0.2.0/24 country=DE\n";
  std::vector<Flaw> flaws;
  geo::Loaded loaded =
      load({{good, "asn", {}}, {good, "city", {}}, {"/nonexistent", "auto", {}}, {list, "networks", {}}}, flaws);
  EXPECT_FALSE(loaded.table);
  ASSERT_EQ(flaws.size(), 2u);
  EXPECT_EQ(flaws[0].database, 0u);
  EXPECT_EQ(flaws[0].error.text.find(good + ": "), 0u) << flaws[0].error.text;
  EXPECT_EQ(flaws[1].database, 2u);
  flaws.clear();
  loaded = load({{good, "city", {}}, {list, "networks", {}}}, flaws);
  EXPECT_TRUE(loaded.table);
  EXPECT_TRUE(flaws.empty());
  EXPECT_EQ(loaded.built_s, (std::vector<int64_t>{static_cast<int64_t>(DatabaseWriter::Options().build_epoch), 0}));
  std::remove(good.c_str());
  std::remove(list.c_str());
}

// 192.0.2.0/24 makes the nodes 0..23, one a bit; node 24 means "nothing".
TEST(Refuses, Cycles) {
  std::string file = one_network(city());
  ASSERT_TRUE(load_made(file));
  for (uint32_t back : {0u, 5u, 10u}) {
    std::string bad = file;
    set_record(bad, 10, back % 2 == 0, back);
    set_record(bad, 10, back % 2 != 0, back);
    expect_refused(load_made(bad), "reached twice");
  }
}

TEST(Refuses, CyclesInTheIpv4Part) {
  std::string file = one_network(city(), 6);
  ASSERT_TRUE(load_made(file));
  for (uint32_t node : {0u, 3u, 95u, 96u, 100u, 119u})
    for (uint32_t back : {0u, 3u, 95u, 96u, 97u}) {
      if (back > node) continue;
      for (bool right : {false, true}) {
        if (right && node < 96 && back == 96) continue;
        std::string bad = file;
        set_record(bad, node, right, back);
        EXPECT_FALSE(load_made(bad)) << node << " -> " << back;
      }
    }
}

TEST(Refuses, Overlaps) {
  std::string file = one_network(city());
  set_record(file, 0, false, 20);  // node 20 belongs to 192.0.2.0/24 already
  expect_refused(load_made(file), "reached twice");
}

TEST(Refuses, AliasesOfTheIpv4PartOnlyWhereAnIpv4AddressFits) {
  std::string file = one_network(city(), 6);
  set_record(file, 40, true, 96);  // 41 bits down
  auto fine = load_made(file);
  ASSERT_TRUE(fine) << fine.error().text;
  IpAddress aliased;
  aliased.family = IpAddress::Family::v6;
  aliased.bytes[5] = 0x80;  // the 41st bit, then 192.0.2.7 shifted by one bit
  uint64_t shifted = uint64_t{0xc0000207} << 7;
  for (unsigned i = 0; i < 5; ++i) aliased.bytes[5 + i] |= static_cast<uint8_t>(shifted >> (32 - 8 * i));
  Found found = (*fine)->find(aliased);
  ASSERT_NE(found.place, 0u);
  EXPECT_EQ(found.prefix_length, 41u + 24u);
}

TEST(Refuses, RecordsOutsideTheData) {
  std::string file = one_network(city());
  for (uint32_t distance : {1u, 8u, 15u}) {
    std::string bad = file;
    set_record(bad, 23, false, 24 + distance);
    set_record(bad, 23, true, 24 + distance);
    expect_refused(load_made(bad), "separator");
  }
  size_t marker = file.find("\xab\xcd\xefMaxMind.com");
  size_t data = marker - 24 * 6 - 16;
  for (uint32_t offset : {uint32_t(data), uint32_t(data) + 20, 0xffffffu - 24 - 16}) {
    std::string bad = file;
    set_record(bad, 3, false, 24 + 16 + offset);
    expect_refused(load_made(bad), "out of the data");
  }
}

TEST(Refuses, TreesDeeperThanAnAddress) {
  DatabaseWriter::Options options;
  options.ip_version = 4;
  DatabaseWriter writer(options);
  ASSERT_TRUE(writer.insert(*IpNetwork::parse("192.0.2.1/32"), city()));
  ASSERT_TRUE(writer.insert(*IpNetwork::parse("10.0.0.0/16"), city()));
  std::string file = *writer.finish();
  // The last node of one path is hung below the last of the other.
  set_record(file, 46, false, 20);
  Loaded loaded = load_made(file);
  EXPECT_FALSE(loaded);
}

TEST(Refuses, ValuesOutOfRange) {
  auto refuse = [](auto change, const std::string& words) {
    for (auto style : {DatabaseWriter::Style::nested, DatabaseWriter::Style::flat})
      for (auto form :
           {DatabaseWriter::Numbers::float64, DatabaseWriter::Numbers::float32, DatabaseWriter::Numbers::text}) {
        DatabaseWriter::Options options;
        options.style = style;
        options.numbers = form;
        DatabaseWriter writer(options);
        Place place = city();
        change(place);
        ASSERT_TRUE(writer.insert(*IpNetwork::parse("192.0.2.0/24"), place));
        expect_refused(load_made(*writer.finish()), words);
      }
  };
  refuse([](Place& p) { p.latitude = 90.5; }, "latitude is 90.5, outside [-90, 90]");
  refuse([](Place& p) { p.latitude = std::numeric_limits<double>::quiet_NaN(); }, "latitude");
  refuse([](Place& p) { p.longitude = -181; }, "longitude");
  refuse([](Place& p) { p.longitude = std::numeric_limits<double>::infinity(); }, "longitude");
  refuse([](Place& p) { p.country = "FRA"; }, "not a code of two letters");
  refuse([](Place& p) { p.continent = "\x01x"; }, "not a code of two letters");
}

TEST(Refuses, DatabasesWithoutTheWantedKeys) {
  Place place;
  place.city = "Nowhere";
  expect_refused(load_made(one_network(place)), "looked for location.latitude");
  place.country = "FR";
  std::string file = one_network(place);
  EXPECT_TRUE(load_made(file));
  EXPECT_TRUE(load_made(file, "country"));
  expect_refused(load_made(file, "city"), "has no coordinates");
  expect_refused(load_made(file, "town"), "kind \"town\"");
  expect_refused(load_made(file, "auto", {{"colour", "x"}}), "unknown field \"colour\"");
  expect_refused(load_made(file, "auto", {{"country", "a..b"}}), "not a path");
}

TEST(Refuses, WhatIsNoDatabase) {
  expect_refused(load_made(""), "empty");
  expect_refused(load_made("hello"), "not a MaxMind DB file");
  EXPECT_FALSE(load_all({{"/nonexistent/geo.mmdb", "auto", {}}}));
  EXPECT_FALSE(load_all({{"/tmp", "auto", {}}}));
  std::string fifo = testing::TempDir() + "portolan-geo-fifo";
  ::unlink(fifo.c_str());
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  auto loaded = load_all({{fifo, "auto", {}}});
  ::unlink(fifo.c_str());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().text, fifo + ": not a regular file");
}

TEST(Load, TruncationAfterwardsHarmsNobody) {
  std::string path = testing::TempDir() + "portolan-geo-truncated.mmdb";
  ASSERT_TRUE(write_demo_database(path));
  auto table = load_all({{path, "city", {}}});
  ASSERT_TRUE(table) << table.error().text;
  ASSERT_EQ(::truncate(path.c_str(), 0), 0);
  EXPECT_TRUE(test::at(**table, IpAddress::v4(127, 3, 0, 1)).known());
  EXPECT_FALSE(load_all({{path, "city", {}}}));
  ::unlink(path.c_str());
}

TEST(Load, EveryTruncationIsRefused) {
  std::string file = one_network(city());
  for (size_t size = 0; size + 1 < file.size(); ++size) EXPECT_FALSE(load_made(file.substr(0, size))) << size;
}

TEST(Load, ConfiguredKeysReplaceTheUsualOnes) {
  DatabaseWriter::Options options;
  DatabaseWriter writer(options);
  Place place = city();
  place.registered_country = "BE";
  ASSERT_TRUE(writer.insert(*IpNetwork::parse("192.0.2.0/24"), place));
  std::string file = *writer.finish();
  IpAddress a = IpAddress::v4(192, 0, 2, 1);
  EXPECT_EQ(test::at(**load_made(file), a).country_code(), "FR");
  auto other = load_made(file, "auto", {{"country", "registered_country.iso_code"}});
  EXPECT_EQ(test::at(**other, a).country_code(), "BE");
  auto none = load_made(file, "auto", {{"latitude", "location.nothing"}});
  EXPECT_FALSE(test::at(**none, a).has_coordinates);
  auto no_coordinates = load_made(file, "country");
  EXPECT_FALSE(test::at(**no_coordinates, a).has_coordinates);
}

TEST(Load, CountryFallsBackToTheRegisteredOne) {
  Place place;
  place.registered_country = "AU";
  auto table = load_made(one_network(place));
  ASSERT_TRUE(table);
  EXPECT_EQ(test::at(**table, IpAddress::v4(192, 0, 2, 1)).country_code(), "AU");
}

TEST(Load, LaterDatabasesTakePrecedence) {
  std::string directory = testing::TempDir();
  auto write = [&](const char* name, const char* network, const Place& place) {
    DatabaseWriter writer({});
    EXPECT_TRUE(writer.insert(*IpNetwork::parse(network), place));
    std::ofstream(directory + name, std::ios::binary) << *writer.finish();
    return Database{directory + name, "auto", {}};
  };
  Place german;
  german.country = "DE";
  Database first = write("portolan-geo-1.mmdb", "192.0.2.0/24", city());
  Database second = write("portolan-geo-2.mmdb", "192.0.2.128/25", german);
  auto table = load_all({first, second});
  ASSERT_TRUE(table) << table.error().text;
  EXPECT_EQ(test::describe(test::at(**table, IpAddress::v4(192, 0, 2, 1))), "FR/EU 48.500000,2.250000 r50");
  EXPECT_EQ(test::describe(test::at(**table, IpAddress::v4(192, 0, 2, 200))), "DE/EU 48.500000,2.250000 r50");
  EXPECT_EQ(test::at(**table, *IpAddress::parse("2002:c000:02ff::")).country_code(), "DE");
  table = load_all({second, first});
  EXPECT_EQ(test::at(**table, IpAddress::v4(192, 0, 2, 200)).country_code(), "FR");
  for (const Database& database : {first, second}) ::unlink(database.path.c_str());
}

// What the reader says of the address that counts: the IPv4 address inside an IPv6 one, where a file of MaxMind may lead
// Teredo's to the server's, and the others nowhere. The length is that of its leaf, or longer where the leaf also holds
// addresses with one inside.
IndependentReader::Answer find_in(IndependentReader& reader, const IpAddress& address) {
  const Embedded embedded = find_embedded(address);
  auto answer = reader.find(embedded.address);
  answer.prefix_length = std::max(answer.prefix_length + embedded.offset, embedded.apart);
  return answer;
}

// Every leaf of the independent reader: the same location, and a scope that holds and is never
// longer than its own.
void compare_every_leaf(const Table& table, IndependentReader& reader, bool six, size_t at_most) {
  Numbers numbers(7);
  std::optional<IpAddress> at;
  at.emplace();
  at->family = six ? IpAddress::Family::v6 : IpAddress::Family::v4;
  for (size_t n = 0; at && n < at_most; ++n) {
    auto theirs = reader.find(*at);
    ASSERT_FALSE(theirs.failed) << at->to_string();
    for (const IpAddress& a : {*at, test::inside(*at, theirs.prefix_length, numbers)}) {
      Found ours = table.find(a);
      auto expected = find_in(reader, a);
      ASSERT_FALSE(expected.failed) << a.to_string();
      ASSERT_EQ(test::describe(table.location(ours.place)), test::describe(expected.location)) << a.to_string();
      ASSERT_EQ(table.location(ours.place), expected.location) << a.to_string();
      ASSERT_LE(ours.prefix_length, expected.prefix_length) << a.to_string();
      Found other = table.find(test::inside(a, ours.prefix_length, numbers));
      ASSERT_EQ(other.place, ours.place) << a.to_string();
      ASSERT_EQ(other.prefix_length, ours.prefix_length) << a.to_string();
    }
    at = test::after(*at, theirs.prefix_length);
  }
}

void compare_samples(const Table& table, IndependentReader& reader, const std::vector<IpAddress>& samples) {
  for (const IpAddress& a : samples) {
    if (a.is_v6() && (!reader.has_ipv6() || a.unmapped().is_v4())) continue;
    auto theirs = find_in(reader, a);
    ASSERT_FALSE(theirs.failed) << a.to_string();
    ASSERT_EQ(test::at(table, a), theirs.location)
        << a.to_string() << ": " << test::describe(test::at(table, a)) << " and " << test::describe(theirs.location);
  }
}

std::vector<IpAddress> sample(const std::string& bytes, size_t leaves, uint64_t seed) {
  Numbers numbers(seed);
  std::vector<IpAddress> all;
  IndependentReader reader(bytes);
  for (bool six : {false, true}) {
    if (six && !(reader.opened() && reader.has_ipv6())) continue;
    std::optional<IpAddress> at = test::random_address(numbers, six).masked(0);
    for (size_t n = 0; reader.opened() && at && n < leaves; ++n) {
      auto found = reader.find(*at);
      if (found.failed) break;
      all.push_back(test::inside(*at, found.prefix_length, numbers));
      at = test::after(*at, found.prefix_length);
    }
    for (unsigned i = 0; i < 50; ++i) all.push_back(test::random_address(numbers, six));
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<std::string>& info) {
  std::string name = std::filesystem::path(info.param).stem();
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

// Of the others the error says why they are refused.
bool says_where_or_whose(const std::string& path) {
  for (const char* word : {"City", "Country", "Enterprise", "ASN", "ISP"})
    if (path.find(word) != path.npos) return true;
  return false;
}

class GoodFile : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoodFile);

TEST_P(GoodFile, AnswersAsTheIndependentReader) {
  auto table = load_all({{GetParam(), "auto", {}}});
  if (!says_where_or_whose(GetParam())) {
    ASSERT_FALSE(table);
    EXPECT_NE(table.error().text.find("knows no locations: looked for"), std::string::npos) << table.error().text;
    return;
  }
  ASSERT_TRUE(table) << table.error().text;
  IndependentReader reader(test::contents(GetParam()));
  ASSERT_TRUE(reader.opened());
  compare_every_leaf(**table, reader, false, 20'000);
  if (reader.has_ipv6()) compare_every_leaf(**table, reader, true, 20'000);
  compare_samples(**table, reader, sample(test::contents(GetParam()), 3000, 3));
}

class BadFile : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BadFile);

TEST_P(BadFile, IsRefusedOrAnswersAsTheIndependentReader) {
  auto table = load_all({{GetParam(), "auto", {}}});
  if (!table) {
    EXPECT_EQ(table.error().text.rfind(GetParam() + ": ", 0), 0u) << table.error().text;
    EXPECT_GT(table.error().text.size(), GetParam().size() + 10);
    return;
  }
  std::string bytes = test::contents(GetParam());
  IndependentReader reader(bytes);
  ASSERT_TRUE(reader.opened());
  compare_samples(**table, reader, sample(bytes, 3000, 5));
}

// Those files through their structure alone, whatever keys they hold: none may be refused only for
// want of places.
TEST_P(BadFile, BrokenTreesAndPointersAreCalledThat) {
  auto table = load_all({{GetParam(), "auto", {}}});
  for (const char* broken : {"broken-search-tree", "pointers-24", "separator", "cyclic", "Node-Count", "deep-",
                             "oversized", "offset", "invalid-", "Double"}) {
    if (GetParam().find(broken) == std::string::npos) continue;
    ASSERT_FALSE(table);
    EXPECT_EQ(table.error().text.find("knows no locations"), std::string::npos) << table.error().text;
  }
}

size_t corruption_count() {
  const char* text = std::getenv("PORTOLAN_CORRUPTIONS");
  return text ? static_cast<size_t>(std::atol(text)) : 1000;
}

std::string corrupted(std::string bytes, Numbers& numbers) {
  for (uint64_t n = 1 + numbers.below(4); n > 0; --n) {
    size_t at = numbers.below(bytes.size());
    switch (numbers.below(6)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << numbers.below(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(numbers.next());
        break;
      case 2:
        bytes[at] = static_cast<char>(0xff);
        break;
      case 3:  // anywhere -> somewhere else
        for (size_t i = 0, from = numbers.below(bytes.size()); i < 7; ++i)
          bytes[(at + i) % bytes.size()] = bytes[(from + i) % bytes.size()];
        break;
      case 4:
        bytes[at % 2000 % bytes.size()] = static_cast<char>(numbers.next());
        break;  // the tree
      case 5:   // the metadata
        at = bytes.size() - 1 - numbers.below(std::min<size_t>(bytes.size(), 250));
        bytes[at] = static_cast<char>(numbers.next());
        break;
    }
  }
  if (numbers.below(20) == 0) bytes.resize(numbers.below(bytes.size()) + 1);
  return bytes;
}

class Corrupted : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Corrupted);

TEST_P(Corrupted, NeverHarmsAndNeverAnswersOtherwise) {
  std::string sound = GetParam() == "demo" ? *demo_database() : test::contents(GetParam());
  std::vector<IpAddress> samples = sample(sound, 300, 11);
  Numbers numbers(std::hash<std::string>{}(std::filesystem::path(GetParam()).filename()));
  size_t loaded = 0;
  size_t count = std::max<size_t>(corruption_count() / 10, 1);
  for (size_t i = 0; i < count; ++i) {
    std::string bytes = corrupted(sound, numbers);
    auto table = load_made(bytes);
    if (!table) {
      ASSERT_GT(table.error().text.size(), 20u);
      continue;
    }
    ++loaded;
    IndependentReader reader(bytes);
    ASSERT_TRUE(reader.opened()) << "corruption " << i;
    compare_samples(**table, reader, samples);
    if (HasFatalFailure()) FAIL() << "corruption " << i;
  }
  RecordProperty("loaded", static_cast<int>(loaded));
  if (count >= 50) {
    EXPECT_GT(loaded, 0u);
  }
}

std::vector<std::string> good_with_places() {
  std::vector<std::string> files{"demo"};
  for (const std::string& path : test::files_in(test::data_directory("good")))
    if (says_where_or_whose(path)) files.push_back(path);
  return files;
}

INSTANTIATE_TEST_SUITE_P(Shared, GoodFile, testing::ValuesIn(test::files_in(test::data_directory("good"))), name_of);
INSTANTIATE_TEST_SUITE_P(Shared, BadFile, testing::ValuesIn(test::files_in(test::data_directory("bad"))), name_of);
INSTANTIATE_TEST_SUITE_P(Seeded, Corrupted, testing::ValuesIn(good_with_places()), name_of);

}  // namespace
}  // namespace portolan::geo
