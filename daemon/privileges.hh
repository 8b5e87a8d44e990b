#pragma once
// From root to the user of the configuration, before any thread starts. Keeps CAP_NET_BIND_SERVICE, so that a reload can
// bind a new low port.
#include <string>
#include <vector>

#include "core/base/result.hh"

namespace portolan::daemon {

// Whether drop_privileges() will find its user: always, where it does nothing.
Status check_user(const std::string& user);
// Does nothing when `user` is empty or the process isn't root.
Status drop_privileges(const std::string& user);
// Gives a path (the admin socket, its directory) to the user before that.
Status give_to(const std::string& path, const std::string& user);
// What of `paths` this process can't read, each with the remedy; to be asked after the drop.
std::vector<std::string> unreadable(const std::vector<std::string>& paths);
// Raises the limit of open descriptors as far as allowed; returns it.
uint64_t raise_descriptor_limit();

}  // namespace portolan::daemon
