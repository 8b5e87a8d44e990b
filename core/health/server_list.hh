#pragma once
// The file behind "file:/path" in `servers`: one server a line, its address and what differs from the entry that names
// the file. "#" begins a comment.
//   10.0.0.11:8080
//   10.0.0.12:8080 weight=2 max_connections=200
//   app-3.internal:8080 backup
#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"

namespace portolan::health {

// A server by host and port. Nothing: as the entry of `servers` says.
struct Place {
  HostPort at;
  std::string asked;  // the name that is resolved, where it isn't at.host
  std::optional<int> weight;
  std::optional<int> max_connections;
  std::optional<bool> backup;
  bool operator==(const Place&) const = default;
};

inline constexpr size_t largest_server_list = 1 << 20;  // bytes
inline constexpr size_t most_listed_servers = 10'000;

// Errors are "PATH:LINE: what". A list without servers is one.
Result<std::vector<Place>> parse_server_list(std::string_view text, const std::string& path);

// What a file was when it was read; equal ones are the same contents.
struct FileStamp {
  struct stat status {};
  bool is_of(const struct stat& now) const;
};

struct ListReading {
  bool changed = false;  // since the stamp that was given, or it can't be read
  FileStamp stamp;
  Result<std::vector<Place>> places = std::vector<Place>();  // where it changed
};
// Blocks: off the loops. A file that is written to meanwhile counts as not changed yet.
ListReading read_server_list(const std::string& path, const FileStamp& last);

}  // namespace portolan::health
