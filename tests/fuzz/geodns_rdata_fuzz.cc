// Any text, or any bytes, as a record's value, of the type the first byte picks. What is taken is RDATA of its type,
// stays so when it is read as RFC 3597's hexadecimal, and of SVCB fits its hints in.
#include <cstdlib>

#include "geodns/rdata.hh"
#include "geodns/rdata_svcb.hh"

namespace {

using namespace portolan;  // NOLINT(google-build-using-namespace)

std::string generic(std::string_view data) {
  std::string text = "\\# " + std::to_string(data.size());
  for (unsigned char c : data) {
    text += " ";
    text += "0123456789abcdef"[c >> 4];
    text += "0123456789abcdef"[c & 15];
  }
  return text;
}

void must(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const uint16_t types[] = {dns::type_https, dns::type_svcb,  dns::type_srv,   dns::type_naptr,
                                   dns::type_caa,   dns::type_tlsa,  dns::type_mx,    dns::type_txt,
                                   dns::type_hinfo, dns::type_sshfp, dns::type_ds,    dns::type_a,
                                   dns::type_aaaa,  dns::type_ns,    dns::type_cname, 65280};
  const uint16_t type = types[data[0] & 15];
  const bool as_bytes = (data[0] & 0x80) != 0;
  const std::string_view value(reinterpret_cast<const char*>(data + 1), size - 1);
  static const dns::Name origin = *dns::Name::parse("example.com");
  if (type == dns::type_https && !as_bytes) {
    if (const auto hinted = geodns::parse_hinted(value, origin, origin)) {
      uint8_t out[geodns::max_hinted_size];
      static const auto addresses = [](size_t width) {
        std::vector<std::string> list;
        for (int i = 0; i < 100; i++) list.push_back(std::string(width - 1, 'x') + static_cast<char>(i));
        return list;
      };
      static const std::vector<std::string> v4 = addresses(4), v6 = addresses(16);
      geodns::Hints hints[2];
      hints[0].add(v4);
      hints[1].add(v6);
      std::string rdata(reinterpret_cast<char*>(out), geodns::put_hinted(*hinted, hints[0], hints[1], out));
      must(static_cast<bool>(geodns::check_rdata(type, rdata)));
    }
  }
  const auto parsed = geodns::parse_rdata(type, as_bytes ? generic(value) : std::string(value), origin);
  if (!parsed) return 0;
  std::string again = *parsed;
  if (again.size() > 65535) return 0;
  must(static_cast<bool>(geodns::check_rdata(type, again)) && again == *parsed);
  const auto reread = geodns::parse_rdata(type, generic(again), origin);
  must(reread && *reread == again);
  return 0;
}
