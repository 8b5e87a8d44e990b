#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "core/conf/words.hh"
#include "daemon/config_check.hh"
#include "daemon/privileges.hh"

namespace portolan::daemon {
namespace {

// What keeps a file from being made there, or "".
std::string obstacle(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return S_ISDIR(status.st_mode) ? " is a directory" : "";
  const std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) return {};
  const bool found = ::stat(directory.c_str(), &status) == 0;
  if (found ? S_ISDIR(status.st_mode) : errno != ENOENT && errno != ENOTDIR) return {};
  return ": there is no directory " + conf::quoted(directory) + "; make it";
}

void check_log(const std::string& path, const std::string& where, const char* table, Errors& errors) {
  if (path == "off" || path == "stdout") return;
  if (std::string what = obstacle(path); !what.empty())
    errors.push_back(where + ": path in " + table + ": " + conf::quoted(path) + what);
}

}  // namespace

void check_machine(const Config& config, Errors& errors) {
  if (auto known = check_user(config.server.user); !known)
    errors.push_back(config.places.user + ": " + known.error().text);
  check_log(config.log.access_path, config.places.access_log, "[log.access]", errors);
  check_log(config.log.queries_path, config.places.query_log, "[log.queries]", errors);
}

}  // namespace portolan::daemon
