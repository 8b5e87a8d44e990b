#include "core/dns/wire.hh"

namespace portolan::dns {

const char* type_name(uint16_t type) {
  switch (type) {
    case type_a:
      return "A";
    case type_ns:
      return "NS";
    case type_cname:
      return "CNAME";
    case type_soa:
      return "SOA";
    case type_ptr:
      return "PTR";
    case type_hinfo:
      return "HINFO";
    case type_mx:
      return "MX";
    case type_txt:
      return "TXT";
    case type_aaaa:
      return "AAAA";
    case type_srv:
      return "SRV";
    case type_ixfr:
      return "IXFR";
    case type_axfr:
      return "AXFR";
    case type_any:
      return "ANY";
    default:
      return nullptr;
  }
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
    default:
      return "OTHER";
  }
}

}  // namespace portolan::dns
