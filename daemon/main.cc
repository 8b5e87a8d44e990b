#include <iostream>

#include "daemon/cli.hh"
#include "daemon/server.hh"

int main(int argc, char** argv) {
  return portolan::daemon::run_command(argc, argv, portolan::daemon::run_daemon, std::cout, std::cerr);
}
