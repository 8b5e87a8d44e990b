#include "core/base/log.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/base/clock.hh"

namespace portolan::log {
namespace {

std::atomic<Level> level_now{Level::info};
std::atomic<void (*)(std::string_view)> sink_now{nullptr};
constexpr std::string_view names[] = {"debug", "info", "warning", "error"};

bool plain(std::string_view value) {
  for (unsigned char c : value)
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) return false;
  return !value.empty();
}

void append_value(std::string& line, std::string_view value) {
  if (plain(value)) {
    line += value;
    return;
  }
  line += '"';
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += static_cast<char>(c);
    } else if (c < ' ' || c == 0x7f) {
      line += fmt::format("\\x{:02x}", c);
    } else {
      line += static_cast<char>(c);
    }
  }
  line += '"';
}

}  // namespace

void set_level(Level level) {
  level_now.store(level, std::memory_order_relaxed);
}

bool parse_level(std::string_view text, Level& level) {
  for (size_t i = 0; i < std::size(names); ++i)
    if (text == names[i]) {
      level = static_cast<Level>(i);
      return true;
    }
  return false;
}

void set_sink(void (*sink)(std::string_view)) {
  sink_now.store(sink);
}

void write(Level level, std::string_view message, std::initializer_list<Pair> pairs) {
  if (level < level_now.load(std::memory_order_relaxed)) return;
  int64_t wall = SystemClock().wall_ms();
  std::string line =
      fmt::format("time={:%Y-%m-%dT%H:%M:%S}.{:03}Z level={} event=", fmt::gmtime(static_cast<time_t>(wall / 1000)),
                  wall % 1000, names[static_cast<size_t>(level)]);
  append_value(line, message);
  for (const Pair& p : pairs) {
    line += ' ';
    line += p.key;
    line += '=';
    append_value(line, p.value);
  }
  line += '\n';
  if (auto* sink = sink_now.load()) return sink(line);
  [[maybe_unused]] ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

bool Limit::pass(int64_t now_ms) {
  int64_t next = next_ms_.load(std::memory_order_relaxed);
  if (now_ms < next) return false;
  return next_ms_.compare_exchange_strong(next, now_ms + every_ms_, std::memory_order_relaxed);
}

}  // namespace portolan::log
