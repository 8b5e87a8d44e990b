#pragma once
// The command line: `portolan run|check|reference|status|reload|drain|enable|purge|purge-token|cache|geo-demo|shards`. All
// but `run`, `check`, `reference`, `geo-demo` and `shards` talk to a running daemon over its admin socket.
#include <functional>
#include <iosfwd>
#include <string>

namespace portolan::daemon {

// Runs the daemon in the foreground on that configuration file; returns the exit code.
using Run = std::function<int(const std::string& config_path)>;

// Returns the exit code: 0; 1 when what was asked for failed; 2 for mistakes in the command line or
// configuration.
int run_command(int argc, const char* const* argv, const Run& run, std::ostream& out, std::ostream& err);

}  // namespace portolan::daemon
