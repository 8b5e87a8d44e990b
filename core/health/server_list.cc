#include "core/health/server_list.hh"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

#include "core/base/fd.hh"

namespace portolan::health {
namespace {

constexpr std::string_view blanks = " \t\r";
constexpr int largest_weight = 1000;  // as `weight` and `max_connections` in the configuration
constexpr int largest_limit = 1'000'000;

// The next word of a line, which is left at what follows; empty: none.
std::string_view next_word(std::string_view& line) {
  size_t begin = line.find_first_not_of(blanks);
  line.remove_prefix(begin == std::string_view::npos ? line.size() : begin);
  std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Words come from a file: what is shown of them has no control characters and an end.
std::string shown(std::string_view word) {
  std::string out = "\"";
  for (char c : word.substr(0, 64)) out += is_control(c) ? '?' : c;
  return out + (word.size() > 64 ? "…\"" : "\"");
}

Status read_number(std::string_view word, std::string_view key, int least, int most, std::optional<int>& out) {
  std::string_view text = word.substr(key.size());
  int n = 0;
  auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (wrong != std::errc() || end != text.data() + text.size() || n < least || n > most)
    return Error{std::string(key) + " takes a whole number from " + std::to_string(least) + " to " +
                 std::to_string(most) + ", not " + shown(text)};
  if (out) return Error{std::string(key) + " stands twice"};
  out = n;
  return {};
}

Status read_option(std::string_view word, Place& place) {
  constexpr std::string_view weight = "weight=", limit = "max_connections=";
  if (word.starts_with(weight)) return read_number(word, weight, 1, largest_weight, place.weight);
  if (word.starts_with(limit)) return read_number(word, limit, 0, largest_limit, place.max_connections);
  if (word != "backup") return Error{shown(word) + " is none of weight=N, max_connections=N and backup"};
  place.backup = true;
  return {};
}

Result<Place> read_place(std::string_view first, std::string_view line) {
  Place place;
  auto at = HostPort::parse(first);
  bool plain = std::none_of(first.begin(), first.end(), [](char c) { return is_control(c); });
  if (!at || !plain)
    return Error{shown(first) + " is not a server: write \"host:port\", \"[v6]:port\" or \"unix:/path\""};
  place.at = std::move(*at);
  for (std::string_view word; !(word = next_word(line)).empty();)
    if (Status option = read_option(word, place); !option) return option.error();
  return place;
}

}  // namespace

Result<std::vector<Place>> parse_server_list(std::string_view text, const std::string& path) {
  std::vector<Place> places;
  std::set<std::string> known;
  size_t number = 0;
  auto wrong = [&](const std::string& what) { return Error{path + ":" + std::to_string(number) + ": " + what}; };
  while (!text.empty()) {
    ++number;
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line = line.substr(0, line.find('#'));
    std::string_view first = next_word(line);
    if (first.empty()) continue;
    auto place = read_place(first, line);
    if (!place) return wrong(place.error().text);
    if (!known.insert(place->at.to_string()).second) return wrong(shown(first) + " stands twice");
    if (places.size() == most_listed_servers) return wrong("more than 10,000 servers");
    places.push_back(std::move(*place));
  }
  if (number == 0) number = 1;
  if (places.empty()) return wrong("no server in the file");
  return places;
}

bool FileStamp::is_of(const struct stat& now) const {
  return status.st_dev == now.st_dev && status.st_ino == now.st_ino && status.st_size == now.st_size &&
         status.st_mtim.tv_sec == now.st_mtim.tv_sec && status.st_mtim.tv_nsec == now.st_mtim.tv_nsec &&
         status.st_ctim.tv_sec == now.st_ctim.tv_sec && status.st_ctim.tv_nsec == now.st_ctim.tv_nsec;
}

ListReading read_server_list(const std::string& path, const FileStamp& last) {
  ListReading r;
  r.stamp = last;
  auto fails = [&](Error error) {
    r.changed = true;
    r.stamp = {};
    r.places = std::move(error);
    return r;
  };
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat before {};
  if (!fd || ::fstat(fd.get(), &before) != 0) return fails(system_error("cannot open " + path));
  if (!S_ISREG(before.st_mode)) return fails(Error{path + " is not a file"});
  if (last.is_of(before)) return r;
  std::string text;
  char buffer[16384];
  ssize_t n = 0;
  while (text.size() <= largest_server_list && (n = ::read(fd.get(), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(n));
  if (n < 0) return fails(system_error("cannot read " + path));
  if (text.size() > largest_server_list) return fails(Error{path + " is larger than 1 MiB"});
  struct stat after {};
  r.stamp.status = before;
  if (::fstat(fd.get(), &after) != 0 || !r.stamp.is_of(after)) {
    r.stamp = last;
    return r;
  }
  r.changed = true;
  r.places = parse_server_list(text, path);
  return r;
}

}  // namespace portolan::health
