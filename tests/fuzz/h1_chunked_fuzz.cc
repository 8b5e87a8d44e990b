#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "core/http/h1.hh"

namespace portolan::http {
namespace {

struct Run {
  std::string text;  // the body, then what ended it
  bool whole = false;
  size_t used = 0;
};

// Cuts follow from `seed` as in h1_split.hh; 0: none.
Run run(BodyParser parser, std::string_view bytes, uint32_t seed) {
  parser.start(Framing::chunked, 0);
  Run r;
  std::string unread;
  while (!bytes.empty() && !r.whole) {
    size_t piece = bytes.size();
    if (seed) {
      seed = seed * 1664525u + 1013904223u;
      piece = std::min<size_t>(piece, 1 + (seed >> 16) % 9);
    }
    unread.append(bytes.substr(0, piece));
    bytes.remove_prefix(piece);
    for (;;) {
      auto copy = std::make_unique<char[]>(unread.size());  // of the exact size: a read past its end is seen
      unread.copy(copy.get(), unread.size());
      Step step = parser.next({copy.get(), unread.size()});
      if (step.event == Event::body) r.text.append(step.data);
      if (step.event == Event::error) {
        r.text.append("\nerror ").append(parser.reason());
        return r;
      }
      if (step.event == Event::end)
        for (const Field& f : parser.trailers()) r.text.append("\n").append(f.name).append("=").append(f.value);
      if (step.consumed > unread.size()) std::abort();
      unread.erase(0, step.consumed);
      r.used += step.consumed;
      r.whole = step.event == Event::end;
      if (r.whole || step.event == Event::need_more) break;
    }
  }
  return r;
}

}  // namespace
}  // namespace portolan::http

// The first byte chooses the cuts and small limits; the rest is a chunked body, and what follows it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::http;
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Limits limits;
  if (data[0] & 1) limits = {256, 64, 8, 16, 64, (data[0] & 2) != 0};
  Run whole = run(BodyParser(limits), bytes, 0);
  Run split = run(BodyParser(limits), bytes, data[0] + 1u);
  if (whole.text != split.text || whole.whole != split.whole) std::abort();
  if (whole.whole && whole.used != split.used) std::abort();
  return 0;
}
