#include "tests/fuzz/h1_split.hh"

// The first byte chooses the cuts and small limits; the rest are bytes from a client.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::http;
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Limits limits;
  if (data[0] & 1) limits = {256, 64, 8, 16, 64, (data[0] & 2) != 0};
  RequestParser whole(limits), split(limits);
  std::string a = fuzz::run(whole, bytes, 0);
  std::string b = fuzz::run(split, bytes, data[0] + 1u);
  if (a != b || whole.status() != split.status()) std::abort();
  return 0;
}
