#include "daemon/private_file.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/clock.hh"
#include "core/base/fd.hh"
#include "core/base/log.hh"
#include "daemon/privileges.hh"

namespace portolan::daemon {
namespace {

constexpr size_t largest = 4096;

}  // namespace

std::string read_private(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return {};
  struct stat s {};
  if (::fstat(fd.get(), &s) != 0 || s.st_mode & 077) {
    log::warning("a file of keys is not private; new ones are made", {{"file", path}});
    return {};
  }
  std::string bytes(largest, '\0');
  ssize_t n = ::read(fd.get(), bytes.data(), bytes.size());
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return bytes;
}

Status write_private(const std::string& path, const std::string& bytes) {
  std::string next = path + ".new";
  UniqueFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return system_error("cannot write " + next);
  if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || ::fsync(fd.get()) != 0)
    return system_error("cannot write " + next);
  if (::rename(next.c_str(), path.c_str()) != 0) return system_error("cannot replace " + path);
  return {};
}

Status make_private_directory(const std::string& path, const std::string& user) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string upper = path.substr(0, slash);
    struct stat s {};
    if (::stat(upper.c_str(), &s) != 0) {
      if (::mkdir(upper.c_str(), 0700) != 0) return system_error("cannot make the directory " + upper);
      if (auto given = give_to(upper, user); !given) return given;
    } else if (!S_ISDIR(s.st_mode)) {
      return Error{upper + " is not a directory", ENOTDIR};
    }
    if (slash == std::string::npos) return {};
  }
}

crypto::MacKey keep_key(const std::string& directory, const std::string& name) {
  crypto::MacKey key{};
  const std::string path = directory + "/" + name;
  std::string kept = directory.empty() ? "" : read_private(path);
  if (kept.size() == key.size()) {
    std::memcpy(key.data(), kept.data(), key.size());
    return key;
  }
  system_entropy(key.data(), key.size());
  if (directory.empty()) return key;
  if (auto written = write_private(path, {reinterpret_cast<const char*>(key.data()), key.size()}); !written)
    log::warning("a key is not kept: what it signed will mean nothing after a restart",
                 {{"setting", "server.state"}, {"reason", written.error().text}});
  return key;
}

}  // namespace portolan::daemon
