#pragma once
// Content codings: which ones a client takes, and which of those that could be sent it gets (RFC 9110 §8.4.1, §12.5.3).
// Pure functions. The one place that reads Accept-Encoding.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/http/message.hh"

namespace portolan::http {

enum class Coding : uint8_t { identity, gzip, br, zstd };
inline constexpr size_t coding_count = 4;

std::string_view coding_name(Coding coding);             // as Content-Encoding says it
std::optional<Coding> coding_of(std::string_view name);  // any case; "x-gzip" is gzip (§8.4.1.3)
std::string_view coding_suffix(Coding coding);           // of a file beside the plain one: ".gz", ".br", ".zst"

// The weight of each coding in thousandths; 0: not taken.
class AcceptedCodings {
 public:
  AcceptedCodings() = default;  // of a request without the field: the plain bytes, which everybody understands
  // All lines of the field joined. What has no readable weight is not taken.
  explicit AcceptedCodings(std::string_view value);
  explicit AcceptedCodings(const Fields& request);
  bool takes(Coding coding) const { return weights_[static_cast<size_t>(coding)] > 0; }
  // The one with the highest weight; of equal ones the first in `offered`. identity where none of them is taken, or where
  // the client named it with a higher weight.
  Coding choose(std::span<const Coding> offered) const;
  bool operator==(const AcceptedCodings&) const = default;

 private:
  std::array<uint16_t, coding_count> weights_{1, 0, 0, 0};  // identity unless it is named: after every other
};

}  // namespace portolan::http
