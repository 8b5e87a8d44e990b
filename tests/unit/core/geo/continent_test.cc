#include "core/geo/continent.hh"

#include <gtest/gtest.h>

#include <set>

namespace portolan::geo {
namespace {

TEST(Continent, EveryCountryIsOnOne) {
  int countries = 0;
  std::set<std::string_view> seen;
  for (char a = 'A'; a <= 'Z'; a++)
    for (char b = 'A'; b <= 'Z'; b++) {
      const char code[] = {a, b};
      const auto continent = continent_of({code, 2});
      countries += !continent.empty();
      if (!continent.empty()) seen.insert(continent);
    }
  EXPECT_EQ(countries, 250) << "ISO 3166-1, and XK";
  EXPECT_EQ(seen, (std::set<std::string_view>{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}));
  EXPECT_EQ(continent_of("DE"), "EU");
  EXPECT_EQ(continent_of("MX"), "NA");
  EXPECT_EQ(continent_of("TR"), "AS");
  for (const char* none : {"", "D", "ZZ", "de", "DEU", " A"}) EXPECT_EQ(continent_of(none), "") << none;
}

TEST(Continent, WhatTheDatabaseSaysCountsForMore) {
  Location at;
  EXPECT_EQ(continent_of(at), "");
  at.country = {'T', 'R'};
  EXPECT_EQ(continent_of(at), "AS");
  at.continent = {'E', 'U'};
  EXPECT_EQ(continent_of(at), "EU");
}

}  // namespace
}  // namespace portolan::geo
