// The index against a map, with what it remembers of the buried among the living.
#include <gtest/gtest.h>

#include <map>

#include "core/base/clock.hh"
#include "edge/disk/index.hh"

namespace portolan::edge::disk {
namespace {

constexpr uint32_t shard = 5;

Index::Entry at(uint32_t segment, uint32_t unit) {
  return {{segment, unit}, 0, false};
}

TEST(DiskIndexEntries, WhatComesBackTakesThePlaceOfItsOwnGhost) {
  Index index(64 << 20);
  Index::Name name{shard, 77};
  index.put(name, at(1, 10));
  ASSERT_TRUE(index.bury(name, {1, 10}, 9));
  EXPECT_EQ(index.went_at(name), 9u);
  EXPECT_FALSE(index.find(name));
  EXPECT_EQ(index.objects(), 0u);
  index.put(name, at(2, 20));
  ASSERT_TRUE(index.find(name));
  EXPECT_EQ(index.find(name)->place, (Place{2, 20}));
  EXPECT_EQ(index.went_at(name), 0u);
  auto displaced = index.put(name, at(3, 30));
  EXPECT_EQ(displaced.before, (Place{2, 20}));
  EXPECT_EQ(index.objects(), 1u);
  EXPECT_EQ(index.erase(name), (Place{3, 30}));
  EXPECT_FALSE(index.find(name));
  EXPECT_EQ(index.objects(), 0u);
}

TEST(DiskIndexEntries, AgreeWithAMapWhateverHappens) {
  Index index(64 << 20);
  std::map<uint32_t, Place> model;
  Rng rng(11);
  uint32_t unit = 1;
  for (int i = 0; i < 200'000; ++i) {
    // Few tags close together, and some all over, so that buckets run full and shards grow.
    auto tag = static_cast<uint32_t>(rng.below(4) ? rng.below(48) : rng.below(i < 100'000 ? 4'000 : 200) * 16'000);
    Index::Name name{shard, tag};
    auto there = model.find(tag);
    Place place{static_cast<uint32_t>(rng.below(100)), unit = unit % 60'000 + 1};
    switch (rng.below(6)) {
      case 0:
      case 1: {
        auto displaced = index.put(name, {place, 0, false});
        ASSERT_EQ(displaced.before.has_value(), there != model.end());
        if (displaced.before) {
          EXPECT_EQ(*displaced.before, there->second);
        }
        ASSERT_FALSE(displaced.evicted);
        model[tag] = place;
        break;
      }
      case 2:
        EXPECT_EQ(index.erase(name).has_value(), there != model.end());
        model.erase(tag);
        break;
      case 3: {
        bool was = there != model.end();
        ASSERT_EQ(index.bury(name, was ? there->second : place, 1 + i % 1'000), was);
        if (was) {
          EXPECT_EQ(index.went_at(name), 1u + i % 1'000);
        }
        model.erase(tag);
        break;
      }
      case 4:
        if (there == model.end()) break;
        ASSERT_TRUE(index.move(name, there->second, {place, 0, false}));
        there->second = place;
        break;
      default:
        index.touch(name);
    }
    auto found = index.find(name);
    auto now = model.find(tag);
    ASSERT_EQ(found.has_value(), now != model.end()) << i;
    if (found) {
      ASSERT_EQ(found->place, now->second) << i;
    }
    ASSERT_EQ(index.objects(), model.size()) << i;
  }
  EXPECT_GT(model.size(), 500u);
  std::vector<uint64_t> entries;
  index.copy(shard, entries);
  EXPECT_EQ(entries.size(), model.size());
}

}  // namespace
}  // namespace portolan::edge::disk
