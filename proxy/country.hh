#pragma once
// The country of a client, looked up when something asks for it.
#include <array>
#include <string_view>

#include "core/base/address.hh"
#include "core/geo/table.hh"

namespace portolan::proxy {

// One client's, kept once it was looked up. Two capital letters (ISO 3166-1 alpha-2), empty where it is unknown: no
// database, or none that knows the address. No allocation.
class ClientCountry {
 public:
  // The same `client` at each call; what the first one found is kept. A null table knows nobody.
  std::string_view of(const IpAddress& client, const geo::Table* table) {
    if (!asked_) ask(client, table);
    return code_[0] ? std::string_view(code_.data(), code_.size()) : std::string_view();
  }

 private:
  void ask(const IpAddress& client, const geo::Table* table);
  std::array<char, 2> code_{};
  bool asked_ = false;
};

}  // namespace portolan::proxy
