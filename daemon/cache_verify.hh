#pragma once
// The check of what caches keep on disks: how far one is, what it found, and `portolan cache verify`.
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "edge/disk/disk.hh"

namespace portolan::daemon {

struct StoreCheck {
  std::string name;                                        // of the cache; or the directory
  uint64_t done = 0, total = 0;                            // bytes of the store
  std::string failure;                                     // why it wasn't walked to its end
  std::shared_ptr<const edge::disk::VerifyReport> report;  // null: it wasn't begun, isn't through, or couldn't be read
};

struct VerifyState {
  uint64_t number = 0;  // counts the checks of a process; 0: there was none, or it is no daemon's
  bool running = false;
  std::vector<StoreCheck> stores;  // one after the other
};

// {"number","running","stores":[{"name","done","total","failure", and with a report "records","bytes","damaged",
// "damaged_in","sizes","segments"}]}; "damaged_in": the numbers of segments with damage; "sizes": [{"below" (0: any), "records","bytes"}].
// "segments", only when asked for: [{"number","kind","open","opened_ms","records","current","bytes","damaged"}], of those in
// use; "current", how many of the records the index knows, where a daemon checked them.
std::string to_json(const VerifyState& state, bool segments);
// Reads that back, without segments.
Result<VerifyState> parse_verify_state(std::string_view json);
// A line for each store that was walked. Others are what failures() tells.
std::string to_text(const VerifyState& state);
// And how many of its records are how large.
std::string sizes_text(const VerifyState& state);
// The numbers of those with damage, at most ten: "3, 17".
std::string damaged_segments(const edge::disk::VerifyReport& report);
std::vector<std::string> failures(const VerifyState& state);
// 0: every record of every store is whole; 1: some are damaged; 2: none is known to be, but not all were checked.
int exit_code(const VerifyState& state);

// On a terminal: how far a check is. Nothing, unless `on`; gone with the object.
class VerifyBar {
 public:
  VerifyBar(std::ostream& err, bool on) : err_(err), on_(on) {}
  ~VerifyBar();
  VerifyBar(const VerifyBar&) = delete;
  VerifyBar& operator=(const VerifyBar&) = delete;
  void draw(const StoreCheck& store);

 private:
  std::ostream& err_;
  const bool on_;
};

struct VerifyOptions {
  std::string cache;  // empty: every cache with a disk
  std::string store;  // a directory, instead of a daemon's caches
  bool json = false;
  bool sizes = false;
  bool bar = false;
};
// `portolan cache verify --store DIRECTORY`: in this thread. The exit code.
int verify_directory(const VerifyOptions& options, std::ostream& out, std::ostream& err);
// What came of a check, by whoever it was made. The exit code.
int tell(const VerifyState& state, const VerifyOptions& options, std::ostream& out, std::ostream& err);

}  // namespace portolan::daemon
