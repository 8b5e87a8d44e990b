#include <iostream>

#include "core/crypto/record_buffers.hh"
#include "daemon/cli.hh"
#include "daemon/server.hh"

int main(int argc, char** argv) {
  portolan::crypto::reuse_record_buffers();
  return portolan::daemon::run_command(argc, argv, portolan::daemon::run_daemon, std::cout, std::cerr);
}
