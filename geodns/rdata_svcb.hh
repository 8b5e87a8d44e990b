#pragma once
// SVCB and HTTPS (RFC 9460): priority, target and parameters, the parameters in the order of their numbers.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "core/dns/name.hh"

namespace portolan::geodns {

enum ServiceParameter : uint16_t {
  svcb_mandatory = 0,
  svcb_alpn = 1,
  svcb_no_default_alpn = 2,
  svcb_port = 3,
  svcb_ipv4hint = 4,
  svcb_ech = 5,
  svcb_ipv6hint = 6,
  svcb_dohpath = 7,
};

// "1 . alpn=h2,h3 port=8443": RFC 9460 §2.1 and appendix A.
Result<std::string> parse_svcb(std::string_view value, const dns::Name& origin);

// What follows priority and target of RDATA that came as bytes (§2.2, §7, §8): keys ascend, values have their form,
// mandatory names keys that are there.
Status check_svcb_parameters(std::string_view parameters);

// RDATA of a service's HTTPS record, whose address hints come from the datacentre that is answered: [0] up to the IPv4
// hint, [1] between the hints, [2] behind them. Its value may hold no hints of its own.
// Hints are addresses of its target (§7.3): of a target that is another name there are none.
struct HintedRdata {
  std::string parts[3];
  bool foreign = false;  // the target is neither "." nor the owner
};
Result<HintedRdata> parse_hinted(std::string_view value, const dns::Name& origin, const dns::Name& owner);
// The addresses of one family in a hint, each once. They stay where they are; what is over 256 bytes is left out.
class Hints {
 public:
  static constexpr size_t most = 64;  // of IPv4; 16 of IPv6
  void add(const std::vector<std::string>& addresses);
  std::span<const std::string* const> list() const { return {list_, count_}; }

 private:
  size_t count_ = 0;
  const std::string* list_[most];
};
// Writes it with these hints and returns its size.
inline constexpr size_t max_hinted_size = 2048;
size_t put_hinted(const HintedRdata& rdata, const Hints& v4, const Hints& v6, std::span<uint8_t, max_hinted_size> out);

}  // namespace portolan::geodns
