#pragma once
// Seeded ways to cut bytes into pieces.
#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/core/http/replay.hh"

namespace portolan::http::test {

inline std::vector<size_t> random_cuts(std::mt19937& random, size_t size) {
  std::vector<size_t> cuts;
  if (size < 2) return cuts;
  size_t count = 1 + random() % std::min<size_t>(size, 6);
  for (size_t i = 0; i < count; ++i) cuts.push_back(1 + random() % (size - 1));
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  return cuts;
}

inline std::vector<size_t> every_byte(size_t size) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < size; ++i) cuts.push_back(i);
  return cuts;
}

// Runs `run(cuts)` whole, byte by byte, cut in two everywhere and at random; true when all records
// are alike. `differs` is the first that isn't.
template <class Run>
bool same_however_split(Run run, size_t size, uint32_t seed, Record& whole, Record& differs) {
  whole = run(std::vector<size_t>{});
  std::mt19937 random(seed);
  std::vector<std::vector<size_t>> ways;
  if (size <= 3000) ways.push_back(every_byte(size));
  if (size <= 1000) {
    for (size_t i = 1; i < size; ++i) ways.push_back({i});
  }
  for (int i = 0; i < 8; ++i) ways.push_back(random_cuts(random, size));
  for (const auto& cuts : ways) {
    differs = run(cuts);
    if (!(differs == whole)) return false;
  }
  return true;
}

}  // namespace portolan::http::test
