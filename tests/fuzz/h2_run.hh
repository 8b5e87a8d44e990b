#pragma once
// For the HTTP/2 fuzz targets: runs a session over one input in pieces and writes down what came of it; aborts when a
// promise of the session is broken.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/h2.hh"

namespace portolan::http::fuzz {

class H2Run final : public H2Session::Events {
 public:
  // `active`: requests are answered as they come, bodies read, streams reset now and then, and what is to be sent is
  // collected after every piece; else events are only written down.
  H2Run(H2Session::Role role, bool active) : role_(role), active_(active), session_(role, small_limits(), *this) {
    if (role == H2Session::Role::server) return;
    for (int i = 0; i < 3; ++i) {
      bool end = i == 1;
      H2Stream* s = session_.send_request("POST /x?y=1 HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\n\r\n", {}, end);
      if (!s) std::abort();
      open_.push_back(s);
      if (!end) send_some(*s);
    }
    collect();
  }

  // Cuts follow from `seed`; 0: no cuts.
  const std::string& run(std::string_view bytes, uint32_t seed) {
    while (!bytes.empty()) {
      size_t piece = bytes.size();
      if (seed) {
        seed = seed * 1664525u + 1013904223u;
        piece = std::min<size_t>(piece, 1 + (seed >> 16) % ((seed >> 8 & 3) ? 7 : 200));
      }
      // A block of the exact size: a read past its end or through an old view is seen by the sanitizer.
      BlockRef block = BlockRef::make(piece);
      std::memcpy(block->data(), bytes.data(), piece);
      bool good = session_.feed(Slice{block, block->data(), piece}, 1);
      bytes.remove_prefix(piece);
      if (active_) answer();
      if (!good) break;
    }
    events_.append("ended ").append(session_.reason());
    return events_;
  }

  bool exhausted() { return session_.budget().exhausted(); }

  void on_request(H2Stream& s) override {
    const RequestHead& h = s.request;
    if (s.refusal == 0 && h.method != Method::connect && (h.path.empty() || h.authority.empty())) std::abort();
    note("request", s);
    events_.append(h.method_text).append(" ").append(h.authority).append(h.target).append("|");
    for (const Field& f : h.fields) {
      if (f.name.empty() || f.name.find_first_of(":\r\n ") != std::string_view::npos) std::abort();
      if (f.value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) std::abort();
      events_.append(f.name).append("=").append(f.value).append("|");
    }
    open_.push_back(&s);
    fresh_.push_back(&s);
  }
  void on_response(H2Stream& s) override {
    if (s.response.status < 100 || s.response.status > 999) std::abort();
    note("response", s);
    events_.append(std::to_string(s.response.status));
  }
  void on_readable(H2Stream& s) override {
    Slice bytes;
    while (session_.read(s, bytes)) body_ += bytes.size;
    if (!s.peer_done()) return;
    note("end", s);
    events_.append(std::to_string(std::exchange(body_, 0)));
  }
  void on_room(H2Stream&) override {}
  void on_closed(H2Stream& s, H2Error why) override {
    note("closed", s);
    events_.append(h2_error_name(why));
    std::erase(open_, &s);
    std::erase(fresh_, &s);
  }

 private:
  static H2Limits small_limits() {
    H2Limits limits;
    limits.head = {2048, 256, 20, 64, 512, false};
    limits.streams = 10;
    limits.stream_window = 65'535;
    return limits;
  }

  void note(const char* what, H2Stream& s) {
    if (std::find(open_.begin(), open_.end(), &s) == open_.end() && std::string_view(what) != "request") std::abort();
    events_.append("\n").append(what).append(" ").append(std::to_string(s.id())).append(" ");
  }

  void send_some(H2Stream& s) {
    Body part;
    part.append(Slice::literal("some bytes of a body"));
    session_.send(s, part);
  }

  void answer() {
    for (H2Stream* s : std::exchange(fresh_, {})) {
      switch (++answered_ % 4) {
        case 0:
          session_.send_response(*s, "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", true);
          break;
        case 1:
          session_.reset(*s, H2Error::cancel);
          break;
        default:
          session_.send_interim(*s, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
          session_.send_response(*s, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n", false);
          send_some(*s);
          if (answered_ % 4 == 2) session_.end(*s, nullptr);
      }
    }
    collect();
  }

  void collect() {
    Body out;
    session_.collect(out, 1 << 20);
  }

  H2Session::Role role_;
  bool active_;
  H2Session session_;
  std::vector<H2Stream*> open_;
  std::vector<H2Stream*> fresh_;
  std::string events_;
  size_t body_ = 0;
  int answered_ = 0;
};

// The first byte chooses the cuts, and whether the session answers. Passive runs must not depend on the cuts.
inline int run_h2(H2Session::Role role, std::string_view prefix, const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string bytes(prefix);
  bytes.append(reinterpret_cast<const char*>(data) + 1, size - 1);
  H2Run(role, true).run(bytes, data[0]);
  H2Run whole(role, false), split(role, false);
  bool alike = whole.run(bytes, 0) == split.run(bytes, data[0] + 1u);
  // At what of many useless frames the account is empty depends on how many came at once.
  if (!alike && !whole.exhausted() && !split.exhausted()) std::abort();
  return 0;
}

}  // namespace portolan::http::fuzz
