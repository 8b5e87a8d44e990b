#include "tests/fuzz/h1_split.hh"

// The first byte chooses the cuts, small limits and the request's method; the rest are bytes from
// an origin.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::http;
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Limits limits;
  if (data[0] & 1) limits = {256, 64, 8, 16, 64, (data[0] & 2) != 0};
  Method method = (data[0] & 12) == 12 ? Method::head : (data[0] & 12) == 8 ? Method::connect : Method::get;
  ResponseParser whole(limits), split(limits);
  whole.start(method);
  split.start(method);
  std::string a = fuzz::run(whole, bytes, 0);
  std::string b = fuzz::run(split, bytes, data[0] + 1u);
  if (a != b || whole.finish_at_close() != split.finish_at_close()) std::abort();
  return 0;
}
