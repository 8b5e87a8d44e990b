#include "core/base/result.hh"

#include <cerrno>
#include <cstring>

namespace portolan {

Error system_error(std::string what, int code) {
  char buffer[128];
  const char* reason = strerror_r(code, buffer, sizeof buffer);
  return Error{std::move(what) + ": " + reason, code};
}

Error system_error(std::string what) {
  return system_error(std::move(what), errno);
}

}  // namespace portolan
