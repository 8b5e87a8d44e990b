#pragma once
// Helpers of this room's tests; above all a reader that shares no code with the loader:
// libmaxminddb's own lookup.
#include <maxminddb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.hh"
#include "core/geo/location.hh"
#include "core/geo/table.hh"

namespace portolan::geo::test {

inline std::string data_directory(const std::string& kind) {
  return PORTOLAN_SOURCE_DIR "/../shared/data/geo/" + kind;
}

inline std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(directory, missing))
    if (entry.path().extension() == ".mmdb") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

inline std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// SplitMix64: the same numbers on every machine.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

inline IpAddress v4(uint32_t bits) {
  return IpAddress::v4(static_cast<uint8_t>(bits >> 24), static_cast<uint8_t>(bits >> 16),
                       static_cast<uint8_t>(bits >> 8), static_cast<uint8_t>(bits));
}

inline IpAddress random_address(Numbers& numbers, bool six) {
  IpAddress a;
  a.family = six ? IpAddress::Family::v6 : IpAddress::Family::v4;
  for (size_t i = 0; i < a.size(); ++i) a.bytes[i] = static_cast<uint8_t>(numbers.next());
  return a;
}

// The same first `length` bits, the others at random.
inline IpAddress inside(const IpAddress& address, unsigned length, Numbers& numbers) {
  IpAddress r = random_address(numbers, address.is_v6());
  for (unsigned i = 0; i < length; ++i) {
    uint8_t bit = static_cast<uint8_t>(0x80 >> i % 8);
    r.bytes[i / 8] = static_cast<uint8_t>((r.bytes[i / 8] & ~bit) | (address.bytes[i / 8] & bit));
  }
  return r;
}

// The address after the last one of the network; none after the end of the space.
inline std::optional<IpAddress> after(const IpAddress& address, unsigned length) {
  IpAddress r = address.masked(length);
  for (unsigned i = length; i-- > 0;) {
    uint8_t bit = static_cast<uint8_t>(0x80 >> i % 8);
    r.bytes[i / 8] ^= bit;
    if (r.bytes[i / 8] & bit) return r;
  }
  return std::nullopt;
}

class IndependentReader {
 public:
  explicit IndependentReader(const std::string& bytes) {
    fd_ = ::memfd_create("reader", MFD_CLOEXEC);
    open_ = ::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
            MMDB_open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), MMDB_MODE_MMAP, &mmdb_) == MMDB_SUCCESS;
  }
  IndependentReader(const IndependentReader&) = delete;
  IndependentReader& operator=(const IndependentReader&) = delete;
  ~IndependentReader() {
    if (open_) MMDB_close(&mmdb_);
    ::close(fd_);
  }

  bool opened() const { return open_; }
  bool has_ipv6() const { return mmdb_.metadata.ip_version == 6; }

  struct Answer {
    bool failed = false;  // the reader met an error
    Location location;
    unsigned prefix_length = 0;
  };

  Answer find(const IpAddress& address) {
    sockaddr_storage storage{};
    SocketAddress where;
    where.ip = address;
    where.to(storage);
    int error = 0;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&mmdb_, reinterpret_cast<sockaddr*>(&storage), &error);
    Answer answer;
    answer.failed = error != MMDB_SUCCESS;
    if (answer.failed) return answer;
    unsigned added = address.is_v4() && has_ipv6() ? 96 : 0;
    answer.prefix_length = std::max<unsigned>(found.netmask, added) - added;
    if (found.found_entry) read(found.entry, answer);
    return answer;
  }

 private:
  using Path = std::vector<const char*>;

  void read(MMDB_entry_s& entry, Answer& answer) {
    Location& to = answer.location;
    double radius = 0;
    bool latitude = number(entry, answer, to.latitude, {{"location", "latitude"}, {"latitude"}, {"lat"}});
    bool longitude = number(entry, answer, to.longitude, {{"location", "longitude"}, {"longitude"}, {"lng"}, {"lon"}});
    number(entry, answer, radius, {{"location", "accuracy_radius"}, {"accuracy_radius"}});
    to.has_coordinates = latitude && longitude;
    if (!to.has_coordinates) to.latitude = to.longitude = radius = 0;
    to.accuracy_radius_km = static_cast<uint16_t>(std::ceil(radius));
    code(entry, answer, to.country,
         {{"country", "iso_code"}, {"registered_country", "iso_code"}, {"country_code"}, {"country"}});
    code(entry, answer, to.continent, {{"continent", "code"}, {"continent_code"}, {"continent"}});
    code(entry, answer, to.region, {{"subdivisions", "0", "iso_code"}, {"region_code"}, {"region"}, {"state1"}}, 1);
    double asn = 0;
    number(entry, answer, asn, {{"autonomous_system_number"}, {"asn"}, {"as_number"}});
    to.asn = static_cast<uint32_t>(asn);
  }

  static bool value(MMDB_entry_s& entry, Answer& answer, Path path, MMDB_entry_data_s& out) {
    path.push_back(nullptr);
    int code = MMDB_aget_value(&entry, &out, path.data());
    if (code == MMDB_SUCCESS) return out.has_data;
    if (code != MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR) answer.failed = true;
    return false;
  }

  static bool number(MMDB_entry_s& entry, Answer& answer, double& to, std::initializer_list<Path> paths) {
    for (const Path& path : paths) {
      MMDB_entry_data_s data;
      if (!value(entry, answer, path, data)) continue;
      if (data.type == MMDB_DATA_TYPE_DOUBLE) return to = data.double_value, true;
      if (data.type == MMDB_DATA_TYPE_FLOAT) return to = static_cast<double>(data.float_value), true;
      if (data.type == MMDB_DATA_TYPE_UINT16) return to = data.uint16, true;
      if (data.type == MMDB_DATA_TYPE_UINT32) return to = data.uint32, true;
      if (data.type == MMDB_DATA_TYPE_INT32) return to = data.int32, true;
      if (data.type == MMDB_DATA_TYPE_UINT64) return to = static_cast<double>(data.uint64), true;
      if (data.type == MMDB_DATA_TYPE_UTF8_STRING && data.data_size > 0)
        return to = std::stod(std::string(data.utf8_string, data.data_size)), true;
    }
    return false;
  }

  static void code(MMDB_entry_s& entry, Answer& answer, std::span<char> to, std::initializer_list<Path> paths,
                   size_t shortest = 2) {
    for (const Path& path : paths) {
      MMDB_entry_data_s data;
      if (!value(entry, answer, path, data) || data.type != MMDB_DATA_TYPE_UTF8_STRING) continue;
      std::string_view text(data.utf8_string, data.data_size);
      if (text.size() < shortest || text.size() > to.size() || !std::ranges::all_of(text, is_letter_or_digit)) continue;
      std::ranges::transform(text, to.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      return;
    }
  }

  static bool is_letter_or_digit(unsigned char c) { return c < 0x80 && std::isalnum(c); }

  int fd_ = -1;
  bool open_ = false;
  MMDB_s mmdb_{};
};

// Nothing known where the table knows nothing.
inline Location at(const Table& table, const IpAddress& address) {
  return table.location(table.find(address).place);
}

inline std::string describe(const Location& l) {
  return std::string(l.country_code()) + "/" + std::string(l.continent_code()) + " " +
         (l.has_coordinates ? std::to_string(l.latitude) + "," + std::to_string(l.longitude) : "-") + " r" +
         std::to_string(l.accuracy_radius_km);
}

}  // namespace portolan::geo::test
