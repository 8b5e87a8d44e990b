// Runs a fuzz target over a folder of seeds where libFuzzer isn't there: each seed whole, and every
// cut of it shorter.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kMostCuts = 512;

void replay(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::vector<char> seed((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  size_t step = seed.size() / kMostCuts + 1;
  for (size_t size = 0; size < seed.size(); size += step) {
    // A buffer of the exact size, so that the sanitizer sees the first byte past its end.
    std::vector<uint8_t> cut(seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(size));
    LLVMFuzzerTestOneInput(cut.data(), cut.size());
  }
  std::vector<uint8_t> whole(seed.begin(), seed.end());
  LLVMFuzzerTestOneInput(whole.data(), whole.size());
}

}  // namespace

int main(int argc, char** argv) {
  size_t seeds = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++seeds;
    }
  }
  std::printf("%zu seeds replayed\n", seeds);
  return seeds > 0 ? 0 : 1;
}
