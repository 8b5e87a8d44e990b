#pragma once
// How many cores this process may use: its CPU affinity, and the quota of its control group (v2 and v1), rounded up.
#include <cstddef>

namespace portolan::daemon {

size_t usable_cores();  // at least 1

}  // namespace portolan::daemon
