#pragma once
// The only code that reads time or entropy. Everything else is handed a Clock or an Rng, so that tests move time.
#include <cstdint>

namespace portolan {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t now_ms() const = 0;   // monotonic milliseconds; for intervals and timeouts
  virtual int64_t now_us() const = 0;   // monotonic microseconds; for latencies
  virtual int64_t wall_ms() const = 0;  // milliseconds since the Unix epoch; for dates and logs
};

class SystemClock final : public Clock {
 public:
  int64_t now_ms() const override;
  int64_t now_us() const override;
  int64_t wall_ms() const override;
};

// Moves only when told to.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(int64_t wall_ms = 1'700'000'000'000) : wall_start_ms_(wall_ms) {}
  int64_t now_ms() const override { return us_ / 1000; }
  int64_t now_us() const override { return us_; }
  int64_t wall_ms() const override { return wall_start_ms_ + us_ / 1000; }
  void advance_ms(int64_t ms) { us_ += ms * 1000; }

 private:
  int64_t wall_start_ms_;
  int64_t us_ = 1'000'000;
};

// xoshiro256**: fast, not for secrets. One per thread.
class Rng {
 public:
  explicit Rng(uint64_t seed);
  static Rng from_system();  // seeded by getrandom(2)
  uint64_t next();
  uint64_t below(uint64_t bound);  // uniform in [0, bound), unbiased; bound > 0
  double unit();                   // uniform in [0, 1)

 private:
  uint64_t s_[4];
};

// Fills with the kernel's entropy: keys and seeds.
void system_entropy(void* out, unsigned long size);

}  // namespace portolan
