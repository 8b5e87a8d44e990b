#include "core/geo/network_list.hh"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

namespace portolan::geo {
namespace {

constexpr std::string_view blanks = " \t\r";
constexpr size_t most_networks = 1'000'000;

// Takes the next word off the front; empty: none is left.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

bool read_number(std::string_view text, double low, double high, double& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= low && out <= high;
}

bool read_code(std::string_view text, size_t shortest, std::span<char> out) {
  if (text.size() < shortest || text.size() > out.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    out[i] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if (!((out[i] >= 'A' && out[i] <= 'Z') || (out[i] >= '0' && out[i] <= '9'))) return false;
  }
  return true;
}

struct Line {
  IpNetwork network;
  Location location;
  bool has_latitude = false, has_longitude = false, has_radius = false;
};

bool read_field(std::string_view key, std::string_view value, Line& line) {
  double n = 0;
  Location& at = line.location;
  if (key == "latitude") return line.has_latitude = read_number(value, -90, 90, at.latitude);
  if (key == "longitude") return line.has_longitude = read_number(value, -180, 180, at.longitude);
  if (key == "country") return read_code(value, 2, at.country);
  if (key == "region") return read_code(value, 1, at.region);
  if (key == "continent") return read_code(value, 2, at.continent);
  if (key == "accuracy_radius") {
    line.has_radius = read_number(value, 0, 65535, n);
    if (line.has_radius) at.accuracy_radius_km = static_cast<uint16_t>(std::ceil(n));
    return line.has_radius;
  }
  if (key != "asn" || !read_number(value, 1, 4294967295, n) || n != std::floor(n)) return false;
  at.asn = static_cast<uint32_t>(n);
  return true;
}

// Null where nothing is wrong.
std::string read_line(std::string_view network, std::string_view rest, Line& line) {
  auto parsed = IpNetwork::parse(network);
  if (!parsed) return parsed.error().text;
  line.network = *parsed;
  for (std::string_view word; !(word = next_word(rest)).empty();) {
    const size_t equals = std::min(word.find('='), word.size());
    const std::string_view value = word.substr(std::min(equals + 1, word.size()));
    if (!read_field(word.substr(0, equals), value, line))
      return fmt::format(
          "\"{}\" is none of country=, region=, continent=, latitude=, longitude=, accuracy_radius=, asn= "
          "with a value of its kind",
          word);
  }
  if (line.has_latitude != line.has_longitude) return "latitude and longitude belong together";
  if (line.has_radius && !line.has_latitude) return "accuracy_radius needs latitude and longitude";
  line.location.has_coordinates = line.has_latitude;
  if (line.location.latitude == 0) line.location.latitude = 0;  // no negative zero
  if (line.location.longitude == 0) line.location.longitude = 0;
  return line.location.known() ? "" : "nothing is said of the network";
}

}  // namespace

Status add_network_list(std::string_view text, Table::Builder& builder) {
  std::vector<Line> lines;
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const std::string_view network = next_word(line);
    if (network.empty()) continue;
    if (lines.size() == most_networks) return Error{fmt::format("more than {} networks", most_networks)};
    if (std::string wrong = read_line(network, line, lines.emplace_back()); !wrong.empty())
      return Error{fmt::format("line {}: {}", number, wrong)};
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.network.length < b.network.length; });
  for (const Line& line : lines)
    if (Status inserted = builder.insert(line.network, line.location); !inserted) return inserted.error();
  return {};
}

}  // namespace portolan::geo
