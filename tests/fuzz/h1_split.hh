#pragma once
// For the HTTP/1 fuzz targets: runs a parser over one input whole and in pieces, and aborts when
// the events differ.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "core/http/h1.hh"

namespace portolan::http::fuzz {

inline void write_down(std::string& out, const Fields& fields) {
  for (const Field& f : fields) out.append(f.name).append("=").append(f.value).append("|");
  out += '\n';
}

// Cuts follow from `seed`: a linear congruence gives the size of the next piece. 0: no cuts.
template <class Parser>
std::string run(Parser& parser, std::string_view bytes, uint32_t seed) {
  std::string out, unread, body;
  auto flush = [&] {
    if (!body.empty()) out.append("body ").append(body).append("\n");
    body.clear();
  };
  while (!bytes.empty()) {
    size_t piece = bytes.size();
    if (seed) {
      seed = seed * 1664525u + 1013904223u;
      piece = std::min<size_t>(piece, 1 + (seed >> 16) % ((seed >> 8 & 3) ? 7 : 200));
    }
    unread.append(bytes.substr(0, piece));
    bytes.remove_prefix(piece);
    for (;;) {
      // A fresh block of the exact size: a read past its end or through an old view is seen by the
      // sanitizer.
      auto copy = std::make_unique<char[]>(unread.size());
      unread.copy(copy.get(), unread.size());
      Step step = parser.next({copy.get(), unread.size()});
      if (step.event == Event::body) body.append(step.data);
      if (step.event == Event::head || step.event == Event::end || step.event == Event::error) flush();
      if (step.event == Event::head) {
        out += "head ";
        write_down(out, parser.head().fields);
      }
      if (step.event == Event::end) {
        out += "end ";
        write_down(out, parser.trailers());
      }
      if (step.event == Event::error) return out + parser.reason();
      if (step.consumed > unread.size()) std::abort();
      unread.erase(0, step.consumed);
      if (step.event == Event::need_more) break;
    }
  }
  flush();
  return out + "left " + std::to_string(unread.size());
}

}  // namespace portolan::http::fuzz
