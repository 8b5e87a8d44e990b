#include "core/dns/wire.hh"

namespace portolan::dns {

namespace {

struct Named {
  uint16_t type;
  const char* name;
};
constexpr Named names[] = {
    {type_a, "A"},         {type_ns, "NS"},       {type_cname, "CNAME"}, {type_soa, "SOA"},     {type_ptr, "PTR"},
    {type_hinfo, "HINFO"}, {type_mx, "MX"},       {type_txt, "TXT"},     {type_aaaa, "AAAA"},   {type_srv, "SRV"},
    {type_naptr, "NAPTR"}, {type_dname, "DNAME"}, {type_ds, "DS"},       {type_sshfp, "SSHFP"}, {type_tlsa, "TLSA"},
    {type_svcb, "SVCB"},   {type_https, "HTTPS"}, {type_ixfr, "IXFR"},   {type_axfr, "AXFR"},   {type_any, "ANY"},
    {type_caa, "CAA"},     {type_opt, "OPT"},     {type_rrsig, "RRSIG"}, {type_nsec, "NSEC"},   {type_nsec3, "NSEC3"},
};

bool same_letters(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++)
    if ((a[i] >= 'a' && a[i] <= 'z' ? a[i] - 32 : a[i]) != b[i]) return false;
  return true;
}

}  // namespace

const char* type_name(uint16_t type) {
  for (const Named& named : names)
    if (named.type == type) return named.name;
  return nullptr;
}

uint16_t type_number(std::string_view text) {
  for (const Named& named : names)
    if (same_letters(text, named.name)) return named.type;
  if (text.size() < 5 || text.size() > 9 || !same_letters(text.substr(0, 4), "TYPE")) return 0;
  unsigned value = 0;
  for (char c : text.substr(4)) {
    if (c < '0' || c > '9') return 0;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65535 ? static_cast<uint16_t>(value) : uint16_t{0};
}

const char* rcode_name(uint16_t rcode) {
  switch (rcode) {
    case noerror:
      return "NOERROR";
    case formerr:
      return "FORMERR";
    case servfail:
      return "SERVFAIL";
    case nxdomain:
      return "NXDOMAIN";
    case notimp:
      return "NOTIMP";
    case refused:
      return "REFUSED";
    case badvers:
      return "BADVERS";
    case badcookie:
      return "BADCOOKIE";
    default:
      return "OTHER";
  }
}

}  // namespace portolan::dns
