#pragma once
// `portolan shards plan`: what of a pool's map has to change, and which slots to move, when a server comes or goes.
#include <iosfwd>
#include <string>

namespace portolan::daemon {

struct ShardsOptions {
  std::string pool;
  std::string add;     // the server that comes; empty: none
  std::string remove;  // the one that goes
};

// Prints the plan for the configuration file. The exit code: 0; 1 where there is no such pool or server; 2 for a file
// with mistakes. Nothing is changed.
int plan_shards(const std::string& config_path, const ShardsOptions& options, std::ostream& out, std::ostream& err);

}  // namespace portolan::daemon
