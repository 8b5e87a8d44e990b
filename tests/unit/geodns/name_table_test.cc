#include "geodns/name_table.hh"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace portolan::geodns {
namespace {

TEST(NameTable, FindsWhatWasPutInAndNothingElse) {
  NameTable<int> table;
  EXPECT_EQ(table.find("x"), nullptr) << "also while it is empty";
  std::vector<std::pair<std::string, const int*>> kept;
  for (int i = 0; i < 20000; i++) {
    const std::string name(1, static_cast<char>('a' + i % 7));
    auto [value, fresh] = table.emplace(name + std::to_string(i));
    EXPECT_TRUE(fresh);
    value = i;
    kept.emplace_back(name + std::to_string(i), &value);
  }
  for (int i = 0; i < 20000; i++) {
    const auto& [name, place] = kept[static_cast<size_t>(i)];
    ASSERT_EQ(table.find(name), place) << "entries keep their place";
    EXPECT_EQ(*place, i);
    EXPECT_FALSE(table.emplace(name).second);
    EXPECT_EQ(table.find(name + "!"), nullptr);
  }
  EXPECT_EQ(table.entries().size(), 20000u);
}

TEST(NameTable, EveryByteOfANameCounts) {
  NameTable<size_t> table;
  for (size_t size = 0; size <= 40; size++) table.emplace(std::string(size, 'x')).first = size;
  for (size_t size = 0; size <= 40; size++) {
    std::string name(size, 'x');
    ASSERT_NE(table.find(name), nullptr);
    EXPECT_EQ(*table.find(name), size);
    for (char& c : name) {
      c = 'y';
      EXPECT_EQ(table.find(name), nullptr) << name;
      c = 'x';
    }
  }
}

}  // namespace
}  // namespace portolan::geodns
