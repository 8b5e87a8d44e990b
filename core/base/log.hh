#pragma once
// The event log: `time=… level=… event=… key=value …`, one line a call, written at once to stderr (journald reads it).
// For what happens rarely. What happens per request goes to the access log instead. Thread-safe.
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace portolan::log {

enum class Level : uint8_t { debug, info, warning, error };

struct Pair {
  std::string_view key;
  std::string value;
  Pair(std::string_view k, std::string_view v) : key(k), value(v) {}
  Pair(std::string_view k, const char* v) : key(k), value(v) {}
  Pair(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class N>
  requires std::is_arithmetic_v<N> Pair(std::string_view k, N v) : key(k), value(std::to_string(v)) {}
};

void set_level(Level level);
bool parse_level(std::string_view text, Level& level);  // debug | info | warning | error
void write(Level level, std::string_view message, std::initializer_list<Pair> pairs = {});
// Where lines go instead of stderr; nullptr restores it. For tests.
void set_sink(void (*sink)(std::string_view line));

inline void debug(std::string_view m, std::initializer_list<Pair> p = {}) {
  write(Level::debug, m, p);
}
inline void info(std::string_view m, std::initializer_list<Pair> p = {}) {
  write(Level::info, m, p);
}
inline void warning(std::string_view m, std::initializer_list<Pair> p = {}) {
  write(Level::warning, m, p);
}
inline void error(std::string_view m, std::initializer_list<Pair> p = {}) {
  write(Level::error, m, p);
}

// One line a second from one site: `static log::Limit limit; if (limit.pass(now_ms)) …`. Thread-safe.
class Limit {
 public:
  explicit Limit(int64_t every_ms = 1000) : every_ms_(every_ms) {}
  bool pass(int64_t now_ms);

 private:
  int64_t every_ms_;
  std::atomic<int64_t> next_ms_{INT64_MIN};
};

}  // namespace portolan::log
