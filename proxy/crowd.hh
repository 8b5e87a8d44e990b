#pragma once
// The client connections of one worker in the order in which they were last of use, the newest first, exact to a second;
// and which of them goes first when there are too many, or when they hold too much. No call looks at more than a few.
#include <cstddef>
#include <cstdint>

namespace portolan::proxy {

class Connection;

class Crowd {
 public:
  void add(Connection& connection, int64_t now_ms);  // owned from here on
  void remove(Connection& connection);               // given back
  void destroy_all();
  size_t size() const { return size_; }
  Connection* newest() { return newest_; }
  template <class Visit>
  void each(Visit visit);  // which may not end them

  void begins_to_idle(Connection& connection, int64_t now_ms);
  // Whose place another may have: who idles for longest, or has not come to the end of a head or a handshake for as long
  // and more than a second. nullptr: all are at work, as far as was looked; the next call looks at others.
  Connection* least_needed(int64_t now_ms);
  // Of a few that hold memory for clients who don't take it, the one that has taken nothing for longest; nullptr: none of
  // them, or it is who asks. The next call looks at others.
  Connection* slowest_reader(const Connection& asking, int64_t now_ms);

 private:
  void link(Connection& connection, int64_t now_ms);
  void unlink(Connection& connection);
  Connection* newest_ = nullptr;
  Connection* oldest_ = nullptr;
  Connection* hand_ = nullptr;  // where slowest_reader() goes on; nullptr: from the oldest
  size_t size_ = 0;
};

}  // namespace portolan::proxy
