#pragma once
// Who may pass, made ready off the loops: users files and maintenance pages are read, limits and switches that didn't
// change live on with what they count and say.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/config.hh"
#include "daemon/files.hh"
#include "proxy/admit/gate.hh"
#include "proxy/snapshot.hh"

namespace portolan::daemon {

struct GateParts {
  struct UsersFile {
    FileStamp stamp;
    std::shared_ptr<const proxy::Users> users;
  };
  std::map<std::string, std::shared_ptr<const proxy::UrlKeys>> url_keys;      // by the file's name
  std::map<std::string, UsersFile> users;                                     // by the file's name
  std::map<std::string, std::shared_ptr<proxy::Limiter>> limiters;            // by what has them
  std::map<std::string, std::shared_ptr<proxy::MaintenanceSwitch>> switches;  // by route, of those with maintenance
};

struct GateReading {
  GateParts parts;
  std::vector<std::shared_ptr<const proxy::Gate>> routes;  // by route; empty where none has one
  std::map<std::string, std::shared_ptr<const proxy::Gate>, std::less<>> listeners;
  std::vector<std::string> errors;  // complete sentences, with their place
};

GateReading read_gates(const Config& config, const GateParts& before);

// All files named: what a reload will read.
std::vector<std::string> gate_files_of(const Config& config);

}  // namespace portolan::daemon
