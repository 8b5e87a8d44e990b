// What the process really holds while a full cache turns over, beside its budget: the heap's fragments, what the accounts
// forget, and pages of anonymous files, which no count of resident memory shows.
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

constexpr uint64_t budget = 512ull << 20;

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  uint64_t bytes = resident * 4096;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code code;
    std::string target = std::filesystem::read_symlink(entry.path(), code).string();
    struct stat s {};
    if (target.starts_with("/memfd:") && ::stat(entry.path().c_str(), &s) == 0)
      bytes += static_cast<uint64_t>(s.st_blocks) * 512;
  }
  return bytes;
}

struct Sizes {
  const char* name;
  uint64_t least, most;  // evenly in their logarithm
};

// As a worker fills it: pieces as they come from a socket.
void store_one(Cache& cache, uint64_t number, uint64_t size, const std::string& bytes) {
  Request request("/" + std::to_string(number));
  Lookup lookup = cache.find(request.at(start_ms));
  if (!lookup.writer) return;
  Response response({{"Cache-Control", "max-age=600"}, {"Content-Type", "image/jpeg"}, {"ETag", "\"0123456789\""}});
  response.length(size);
  if (lookup.writer->head(response.head, start_ms, start_ms) != Writer::Verdict::stored) return;
  for (uint64_t at = 0; at < size;) {
    uint64_t n = std::min<uint64_t>(16 << 10, size - at);
    lookup.writer->append(Slice::copy_of(std::string_view(bytes).substr(0, n)));
    at += n;
  }
  lookup.writer->finish();
}

void churn(Cache& cache, const Sizes& sizes, uint64_t bytes, uint64_t first) {
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 2; ++thread)
    threads.emplace_back([&, thread] {
      std::mt19937_64 rng(first + thread);
      const std::string body(16 << 10, 'x');
      double low = std::log(static_cast<double>(sizes.least)), high = std::log(static_cast<double>(sizes.most));
      uint64_t number = first * 1'000'000'000 + thread * 100'000'000;
      for (uint64_t done = 0; done < bytes / 2;) {
        double share = static_cast<double>(rng() % 1'000'000) / 1e6;
        auto size = static_cast<uint64_t>(std::exp(low + share * (high - low)));
        store_one(cache, number++, size, body);
        done += size;
        // Some come back, so that what is kept lies between what goes.
        if (rng() % 4 == 0) store_one(cache, number - 1 - rng() % 2000, size, body);
      }
    });
  for (std::thread& t : threads) t.join();
}

TEST(ResidentMemory, StaysWithinATenthOfTheBudget) {
  const char* scale = std::getenv("PORTOLAN_SCALE");
  const uint64_t turns = scale && std::string_view(scale) == "full" ? 12 : 1;
  Cache cache(config(budget, 16 << 20), 1);
  uint64_t before = resident_bytes();
  // Each mix after the other: what one leaves must be of use to the next.
  const Sizes mixes[] = {{"mixed", 200, 4 << 20}, {"small", 200, 2000},        {"pages", 8 << 10, 32 << 10},
                         {"tiny", 20, 200},       {"large", 1 << 20, 8 << 20}, {"mixed again", 200, 1 << 20}};
  uint64_t first = 1;
  for (const Sizes& mix : mixes) {
    uint64_t volume = budget * turns / (mix.most <= 200 ? 8 : mix.most <= 2000 ? 2 : 1);
    churn(cache, mix, volume, first++);
    uint64_t held = resident_bytes() - before;
    Stats stats = cache.stats();
    double share = static_cast<double>(held) / static_cast<double>(budget);
    printf("%-12s resident %.3f of the budget, accounted %.3f, objects %lu\n", mix.name, share,
           static_cast<double>(stats.bytes) / static_cast<double>(budget), static_cast<unsigned long>(stats.objects));
    EXPECT_LE(share, 1.1) << mix.name;
  }
}

}  // namespace
}  // namespace portolan::edge::test
