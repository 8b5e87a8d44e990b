#pragma once
// Writes small databases in the MaxMind DB format 2.0, for the demo and for tests. The same inserts
// in any order give the same bytes on every machine: no clock, no hashing.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"

namespace portolan::geo {

// What a record says; empty text and absent numbers are left out of it.
struct Place {
  std::optional<double> latitude, longitude;
  std::optional<uint16_t> accuracy_radius_km;
  std::string country;             // "FR"
  std::string registered_country;  // nested style only
  std::string continent;           // "EU"
  std::string city;                // English name
};

class DatabaseWriter {
 public:
  enum class Style { nested, flat };              // MaxMind's keys, or those of other publishers
  enum class Numbers { float64, float32, text };  // how coordinates are written
  struct Options {
    unsigned record_size = 24;  // bits: 24, 28 or 32
    unsigned ip_version = 6;    // 4 or 6; IPv4 networks of a 6 are under ::/96
    std::string type = "Portolan-City";
    Style style = Style::nested;
    Numbers numbers = Numbers::float64;
    bool aliases = true;                   // ::ffff:0:0/96 and 2002::/16 lead to the IPv4 part, where free
    uint64_t build_epoch = 1'767'225'600;  // seconds since 1970: 2026-01-01
  };

  explicit DatabaseWriter(Options options) : options_(std::move(options)) {}

  // Within nested networks the most specific one counts, whatever the order; the same network again
  // replaces its place. Fails for an IPv6 network in a database of version 4.
  Status insert(const IpNetwork& network, const Place& place);

  // The whole file. Fails where the tree and data need more than the record size can address.
  Result<std::string> finish() const;

 private:
  std::string encode(const Place& place) const;

  Options options_;
  std::map<std::pair<unsigned, IpAddress>, Place> places_;  // by length: short networks first
};

}  // namespace portolan::geo
