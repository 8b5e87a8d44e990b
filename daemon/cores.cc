#include "daemon/cores.hh"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace portolan::daemon {
namespace {

// The path of this process in a hierarchy: "" is version 2's line, "cpu" among the controllers version 1's.
std::string cgroup_path(bool version_2) {
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    bool match = version_2 ? controllers == ",," : controllers.find(",cpu,") != std::string::npos;
    if (match) return line.substr(second + 1);
  }
  return "/";
}

double quota_of(const std::string& directory, bool version_2) {
  if (version_2) {
    std::ifstream in(directory + "/cpu.max");
    std::string quota;
    double period = 0;
    if (in >> quota >> period && quota != "max" && period > 0) return std::stod(quota) / period;
    return HUGE_VAL;
  }
  double quota = -1;
  double period = 0;
  std::ifstream(directory + "/cpu.cfs_quota_us") >> quota;
  std::ifstream(directory + "/cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

// The tightest limit from the process's own group up to the root.
double cgroup_quota() {
  double least = HUGE_VAL;
  for (bool version_2 : {true, false}) {
    std::string root = version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    std::string path = cgroup_path(version_2);
    for (;;) {
      least = std::min(least, quota_of(root + (path == "/" ? "" : path), version_2));
      if (path.empty() || path == "/") break;
      path.resize(path.rfind('/'));
      if (path.empty()) path = "/";
    }
  }
  return least;
}

}  // namespace

size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  double limit = std::ceil(std::min<double>(cores, cgroup_quota()));
  return static_cast<size_t>(std::max(1.0, limit));
}

}  // namespace portolan::daemon
