#include "tests/fuzz/h2_run.hh"

// Frames from a client, behind its preface.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::http;
  return fuzz::run_h2(H2Session::Role::server, h2_preface, data, size);
}
