// The cache against the reference model (model.hh) on a virtual clock: random requests, origins, purges and steps of
// time. An episode is a list of seeds, one an operation, so that a failing one is cut down to the operations that matter.
//
//   PORTOLAN_SCALE=full                    a million operations instead of fifty thousand
//   PORTOLAN_SEED=N                        other episodes; a failure names the one to repeat
#include <cstdlib>
#include <set>

#include "tests/unit/edge/episode.hh"

namespace portolan::edge::test {
namespace {

constexpr size_t operations_an_episode = 500;

using Operations = std::vector<uint64_t>;

std::string run(uint64_t seed, const Operations& operations, bool tracing = false, std::string* trace = nullptr) {
  Episode episode(seed, tracing);
  bool good = true;
  for (size_t i = 0; i < operations.size() && good; ++i) good = episode.step(operations[i]);
  if (good) episode.end();
  if (trace) *trace = episode.trace();
  return episode.failure();
}

// What a failure is about, whatever its numbers.
std::string kind_of(std::string failure) {
  std::erase_if(failure, [](char c) { return c >= '0' && c <= '9'; });
  return failure.substr(0, 60);
}

// The fewest operations that still fail like this, by leaving ever smaller runs of them out.
Operations shrink(uint64_t seed, Operations operations, const std::string& kind) {
  for (size_t run_length = operations.size() / 2; run_length > 0; run_length /= 2) {
    for (size_t at = 0; at + run_length <= operations.size();) {
      Operations fewer = operations;
      fewer.erase(fewer.begin() + static_cast<long>(at), fewer.begin() + static_cast<long>(at + run_length));
      if (kind_of(run(seed, fewer)) != kind) {
        at += run_length;
      } else {
        operations = std::move(fewer);
      }
    }
  }
  return operations;
}

TEST(Differential, TheCacheDoesWhatTheModelAllowsAndExpects) {
  const char* scale = std::getenv("PORTOLAN_SCALE");
  const char* given = std::getenv("PORTOLAN_SEED");
  size_t episodes = (scale && std::string_view(scale) == "full" ? 1'000'000 : 50'000) / operations_an_episode;
  uint64_t first = given ? std::strtoull(given, nullptr, 10) : 1;
  std::set<std::string> known;
  for (uint64_t seed = first; seed < first + episodes && known.size() < 10; ++seed) {
    Operations operations;
    Rng rng(seed * 0x9e3779b97f4a7c15);
    for (size_t i = 0; i < operations_an_episode; ++i) operations.push_back(rng.next());
    std::string failure = run(seed, operations);
    if (failure.empty() || !known.insert(kind_of(failure)).second) continue;
    operations = shrink(seed, operations, kind_of(failure));
    std::string trace;
    failure = run(seed, operations, true, &trace);
    ADD_FAILURE() << "PORTOLAN_SEED=" << seed << ": " << failure << "\n"
                  << operations.size() << " operations:\n"
                  << trace;
  }
}

}  // namespace
}  // namespace portolan::edge::test
