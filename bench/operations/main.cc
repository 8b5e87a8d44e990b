// The micro-benchmarks: nanoseconds and heap allocations by default, by Google Benchmark, which has the options;
// `--instructions` under `valgrind --tool=callgrind` counts instructions: it dumps "desc: Trigger: NAME" after a
// thousand times of each operation.
#include <benchmark/benchmark.h>
#include <valgrind/callgrind.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "bench/operations/operation.hh"

namespace portolan::bench {
namespace {

long allocations = 0;

constexpr size_t counted_times = 1000;

int count_instructions() {
  for (const Operation& operation : operations()) {
    Run run = operation.prepare();
    run(counted_times);  // buffers and tables have their size now
    CALLGRIND_ZERO_STATS;
    run(counted_times);
    CALLGRIND_DUMP_STATS_AT(operation.name.c_str());
  }
  return 0;
}

void measure(benchmark::State& state, const Operation& operation) {
  static constexpr size_t batch = 64;
  Run run = operation.prepare();
  run(batch);
  long before = allocations;
  while (state.KeepRunningBatch(batch)) run(batch);
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(allocations - before), benchmark::Counter::kAvgIterations);
}

}  // namespace

std::vector<Operation>& operations() {
  static std::vector<Operation> all;
  return all;
}

}  // namespace portolan::bench

void* operator new(size_t size) {
  ++portolan::bench::allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void* operator new(size_t size, std::align_val_t align) {
  ++portolan::bench::allocations;
  auto boundary = static_cast<size_t>(align);
  if (void* memory = std::aligned_alloc(boundary, (size + boundary - 1) / boundary * boundary)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

int main(int argc, char** argv) {
  using namespace portolan::bench;
  std::sort(operations().begin(), operations().end(),
            [](const Operation& a, const Operation& b) { return a.name < b.name; });
  if (argc == 2 && std::strcmp(argv[1], "--instructions") == 0) return count_instructions();
  for (const Operation& operation : operations())
    benchmark::RegisterBenchmark(operation.name.c_str(),
                                 [&operation](benchmark::State& state) { measure(state, operation); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
