#pragma once
// What the micro-benchmarks measure: one operation a row, the same for nanoseconds, heap allocations and instructions.
#include <functional>
#include <string>
#include <vector>

namespace portolan::bench {

// Does it so many times. Everything it needs is ready.
using Run = std::function<void(size_t times)>;

struct Operation {
  std::string name;              // "route match/10000"
  std::function<Run()> prepare;  // what is not measured
};

std::vector<Operation>& operations();

// File scope: `const Row row{"name", [] { … return [=](size_t times) {…}; }};`
struct Row {
  Row(std::string name, std::function<Run()> prepare) { operations().push_back({std::move(name), std::move(prepare)}); }
};

// Keeps the compiler from leaving out what makes `value`.
template <class T>
inline void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace portolan::bench
