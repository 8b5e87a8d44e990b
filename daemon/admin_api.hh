#pragma once
// The admin API without its connections: a request in, an answer out. See admin.hh for the routes.
#include <functional>
#include <string>

#include "daemon/admin.hh"

namespace portolan::daemon {

struct AdminRequest {
  Admin::Door door = Admin::Door::control;
  std::string method;
  std::string path;
  std::string query;
  std::string body;
  bool has_query = false;
  std::string authority;
  std::string who;                             // asks, for the log
  std::function<int64_t(size_t purges)> take;  // of who has a limit: PurgeAccess::take()
};

struct AdminAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string allow;  // of a 405
  std::string body;
  int64_t retry_after_s = 0;  // of a 429
  int64_t heartbeat_ms = 0;   // > 0: a watch on /health; the body is its first line
};

// Calls `reply` once, now or later.
void answer_admin(AdminBackend& backend, const AdminRequest& request, std::function<void(AdminAnswer)> reply);

AdminAnswer admin_error(int status, const std::string& what);

}  // namespace portolan::daemon
