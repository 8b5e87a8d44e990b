#include "daemon/privileges.hh"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace portolan::daemon {
namespace {

struct Account {
  uid_t uid;
  gid_t gid;
};

std::optional<Account> find_account(const std::string& user) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
  return Account{entry.pw_uid, entry.pw_gid};
}

Error no_such_user(const std::string& user) {
  return Error{"user in [server]: there is no user \"" + user + "\"; create it (adduser --system --group " + user +
               "), or leave the key out to stay who you are"};
}

Status keep_bind_capability() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  data[0].permitted = data[0].effective = 1u << CAP_NET_BIND_SERVICE;
  if (syscall(SYS_capset, &header, data) != 0) return system_error("cannot keep CAP_NET_BIND_SERVICE");
  return {};
}

}  // namespace

Status check_user(const std::string& user) {
  if (user.empty() || geteuid() != 0 || find_account(user)) return {};
  return no_such_user(user);
}

Status drop_privileges(const std::string& user) {
  if (user.empty() || geteuid() != 0) return {};
  auto account = find_account(user);
  if (!account) return no_such_user(user);
  if (account->uid == 0) return {};
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return system_error("cannot keep capabilities");
  if (initgroups(user.c_str(), account->gid) != 0) return system_error("cannot take the groups of " + user);
  if (setresgid(account->gid, account->gid, account->gid) != 0)
    return system_error("cannot become the group of " + user);
  if (setresuid(account->uid, account->uid, account->uid) != 0) return system_error("cannot become " + user);
  prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  if (auto kept = keep_bind_capability(); !kept) return kept;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  return {};
}

Status give_to(const std::string& path, const std::string& user) {
  if (user.empty() || geteuid() != 0) return {};
  auto account = find_account(user);
  if (!account) return no_such_user(user);
  if (chown(path.c_str(), account->uid, account->gid) != 0) return system_error("cannot give " + path + " to " + user);
  return {};
}

std::vector<std::string> unreadable(const std::vector<std::string>& paths) {
  std::vector<std::string> problems;
  for (const std::string& path : paths) {
    if (access(path.c_str(), R_OK) == 0) continue;
    int code = errno;
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);
    getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found);
    std::string who = found ? found->pw_name : std::to_string(geteuid());
    std::string text = system_error("user " + who + " cannot read " + path, code).text;
    if (code == EACCES)
      text += "; let it: chgrp " + who + " " + path + " && chmod g+r " + path + " (and g+x on the directories above)";
    problems.push_back(text);
  }
  return problems;
}

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur;
}

}  // namespace portolan::daemon
