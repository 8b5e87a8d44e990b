#include "proxy/server_series.hh"

#include <fmt/format.h>

#include <algorithm>

namespace portolan::proxy {
namespace {

// Behind the closing quote of a value that begins at `at`.
size_t end_of_value(std::string_view labels, size_t at) {
  for (; at < labels.size() && labels[at] != '"'; ++at)
    if (labels[at] == '\\') ++at;
  return std::min(at + 1, labels.size());
}

}  // namespace

void ServerSeries::add(std::string_view pool, std::string_view server) {
  kept_.insert(fmt::format("pool=\"{}\",server=\"{}\"", metrics::escape_label(pool), metrics::escape_label(server)));
}

// Quotes within a value are escaped, so that these words stand at the beginning of a label and nowhere else.
std::string ServerSeries::fold(std::string_view labels) const {
  constexpr std::string_view pool = "pool=\"", server = "server=\"";
  size_t begin = labels.find(pool), at = labels.find(server);
  if (begin == std::string_view::npos || at == std::string_view::npos) return {};
  size_t value = at + server.size(), end = end_of_value(labels, value);
  std::string_view name = labels.substr(value, end - value - 1);
  if (name.empty() || name == gone || kept_.contains(std::string(labels.substr(begin, end - begin)))) return {};
  return fmt::format("{}{}{}", labels.substr(0, value), gone, labels.substr(end - 1));
}

}  // namespace portolan::proxy
