#include "core/base/clock.hh"

#include <sys/random.h>
#include <time.h>

#include <cerrno>
#include <cstdlib>

namespace portolan {
namespace {

int64_t read_us(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1000;
}

uint64_t split_mix(uint64_t& x) {
  uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

uint64_t rotl(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

}  // namespace

int64_t SystemClock::now_ms() const {
  return read_us(CLOCK_MONOTONIC) / 1000;
}
int64_t SystemClock::now_us() const {
  return read_us(CLOCK_MONOTONIC);
}
int64_t SystemClock::wall_ms() const {
  return read_us(CLOCK_REALTIME) / 1000;
}

Rng::Rng(uint64_t seed) {
  for (uint64_t& s : s_) s = split_mix(seed);
}

Rng Rng::from_system() {
  uint64_t seed = 0;
  system_entropy(&seed, sizeof seed);
  return Rng(seed);
}

uint64_t Rng::next() {
  uint64_t result = rotl(s_[1] * 5, 7) * 9;
  uint64_t t = s_[1] << 17;
  s_[2] ^= s_[0];
  s_[3] ^= s_[1];
  s_[1] ^= s_[2];
  s_[0] ^= s_[3];
  s_[2] ^= t;
  s_[3] = rotl(s_[3], 45);
  return result;
}

uint64_t Rng::below(uint64_t bound) {
  uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  uint64_t x = next();
  while (x >= limit) x = next();
  return x % bound;
}

double Rng::unit() {
  return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

void system_entropy(void* out, unsigned long size) {
  char* p = static_cast<char*>(out);
  while (size > 0) {
    ssize_t got = getrandom(p, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) abort();
    p += got;
    size -= static_cast<unsigned long>(got);
  }
}

}  // namespace portolan
