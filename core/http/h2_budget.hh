#pragma once
// How much useless work an HTTP/2 peer may ask for. Reads the frames' headers as they pass, before anything else looks at
// them, and keeps an account: what has a use earns, what has none costs, and time forgives. Rapid reset (CVE-2023-44487),
// streams made to be reset by us (CVE-2025-8671), floods of CONTINUATION (CVE-2024-27316), SETTINGS, PING, PRIORITY,
// WINDOW_UPDATE and empty frames (CVE-2019-9511 to 9518) all end here.
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace portolan::http {

// What all connections of a worker may waste together. While they waste more, none of them is forgiven by time alone, and
// new ones begin with little.
class H2SharedBudget {
 public:
  static constexpr int most = 20'000;     // units
  static constexpr int a_second = 5'000;  // units that come back
  void begin(int64_t now_ms);             // before the bytes of one read
  void charge(int units);
  void earn(int units);
  bool exhausted() const { return exhausted_; }  // until half of it is back

 private:
  int units_ = most;
  bool exhausted_ = false;
  int64_t refilled_ms_ = 0;
};

class H2Budget {
 public:
  static constexpr size_t frame_header = 9;              // bytes
  static constexpr int most = 500;                       // units; what a connection begins with
  static constexpr int a_second = 100;                   // units that come back
  static constexpr size_t most_block_bytes = 64 * 1024;  // of one head, compressed
  static constexpr int most_continuations = 8;           // frames of one head

  static constexpr size_t useful_data = 256;  // bytes of a DATA frame that pay for what it brings

  static constexpr int least = 150;  // units; what a connection begins with while all waste too much

  // Whose frames: a client's begin behind the connection preface, which is none. `all` may be nullptr.
  explicit H2Budget(bool of_client, H2SharedBudget* all = nullptr)
      : all_(all),
        of_client_(of_client),
        preface_left_(of_client ? 24 : 0),
        units_(all && all->exhausted() ? least : most) {}

  struct Frame {
    uint8_t type = 0;
    uint32_t stream = 0;
    size_t read = 0;  // bytes of it, so far
    bool is_data() const { return type == 0; }
    bool is_head() const { return type == 1; }
    bool is_goaway() const { return type == 7; }
  };
  void begin(int64_t now_ms);  // before the bytes of one read
  // Goes on to the end of the next frame's header, however the bytes are split. False: there was none; all is read.
  bool next(std::string_view& bytes, Frame& frame);
  // offence() says by what.
  bool exhausted() const { return exhausted_; }
  // Not empty: a frame that nghttp2 passes over, though RFC 9113 §6.3 calls it a connection error.
  const char* fault() const { return fault_; }
  const char* offence() const { return offence_; }

  void earn(int units) {
    add(units);
    if (all_) all_->earn(units);
  }
  // What was sent brings window updates, of the stream and of the connection.
  void on_data_sent(size_t bytes) {
    if (bytes >= useful_data) earn(2);
  }
  void charge(int units, const char* offence);

 private:
  void add(int units) { units_ = units_ + units < most ? units_ + units : most; }
  void spend(int units, const char* offence);
  void on_frame(uint32_t length, uint8_t type, uint8_t flags);
  void on_head(uint32_t stream);
  void on_priority();
  uint32_t number(size_t at) const;
  uint8_t header_[13];  // of a PRIORITY frame with what it depends on
  size_t header_size_ = 0;
  uint32_t payload_left_ = 0;
  H2SharedBudget* all_;
  bool of_client_;
  uint32_t newest_stream_ = 0;
  bool settings_seen_ = false;
  size_t preface_left_;
  size_t block_bytes_ = 0;
  int continuations_ = 0;
  int units_;
  int64_t refilled_ms_ = 0;
  bool exhausted_ = false;
  const char* offence_ = "";
  const char* fault_ = "";
};

}  // namespace portolan::http
