#include "core/dns/response.hh"

#include <algorithm>
#include <cstring>

namespace portolan::dns {
namespace {

using Bytes = std::span<const uint8_t>;
constexpr unsigned max_chain = 16;

struct Record {
  Name owner;
  uint16_t type = 0;
  uint16_t record_class = 0;
  uint32_t ttl_s = 0;
  size_t data = 0;  // where RDATA begins
  size_t size = 0;
};

Error bad_response(const char* why) {
  return Error{std::string("a malformed DNS answer: ") + why};
}

// RFC 2181 §8: a TTL with its top bit set counts as 0.
uint32_t sane_ttl(uint32_t ttl_s) {
  return ttl_s > 0x7fffffff ? 0 : ttl_s;
}

bool read_record(Bytes packet, size_t& offset, Record& record) {
  if (!record.owner.read(packet, offset) || packet.size() - offset < 10) return false;
  record.type = load16(&packet[offset]);
  record.record_class = load16(&packet[offset + 2]);
  record.ttl_s = sane_ttl(load32(&packet[offset + 4]));
  record.size = load16(&packet[offset + 8]);
  record.data = offset + 10;
  if (packet.size() - record.data < record.size) return false;
  offset = record.data + record.size;
  return true;
}

// A name in RDATA must end where RDATA ends.
bool read_target(Bytes packet, const Record& record, size_t skip, Name& target) {
  size_t offset = record.data + skip;
  return record.size > skip && target.read(packet, offset) && offset == record.data + record.size;
}

bool take(Bytes packet, const Record& record, Response& response) {
  const uint8_t* data = packet.data() + record.data;
  if (record.type == type_srv) {
    if (record.size < 7) return false;
    ServiceTarget service{load16(data), load16(data + 2), load16(data + 4), {}};
    if (!read_target(packet, record, 6, service.target)) return false;
    response.services.push_back(service);
    return true;
  }
  IpAddress address;
  address.family = record.type == type_a ? IpAddress::Family::v4 : IpAddress::Family::v6;
  if (record.size != address.size()) return false;
  std::memcpy(address.bytes.data(), data, record.size);
  response.addresses.push_back(address);
  return true;
}

// The SOA in authority says how long "no" holds: min(its TTL, its last field).
bool take_negative(Bytes packet, const Record& record, Response& response) {
  size_t offset = record.data;
  Name skipped;
  if (!skipped.read(packet, offset) || !skipped.read(packet, offset)) return false;
  if (offset + 20 != record.data + record.size) return false;
  response.ttl_s = std::min(record.ttl_s, sane_ttl(load32(&packet[offset + 16])));
  return true;
}

// Reads `count` answer records, following CNAMEs from `wanted` in the order they come.
Status read_answers(Bytes packet, size_t& offset, unsigned count, Name wanted, uint16_t type, Response& response) {
  uint32_t ttl_s = 0x7fffffff;
  unsigned links = 0;
  for (unsigned i = 0; i < count; i++) {
    Record record;
    if (!read_record(packet, offset, record)) return bad_response("a record runs past its end");
    if (record.record_class != class_in || !record.owner.equals(wanted)) continue;
    if (record.type != type && record.type != type_cname) continue;
    ttl_s = std::min(ttl_s, record.ttl_s);
    if (record.type == type) {
      if (!take(packet, record, response)) return bad_response("a record of the wrong size");
      continue;
    }
    if (++links > max_chain) return bad_response("more than 16 CNAMEs");
    if (!read_target(packet, record, 0, wanted)) return bad_response("a CNAME without a name");
  }
  if (!response.addresses.empty() || !response.services.empty()) response.ttl_s = ttl_s;
  return {};
}

Status read_question(Bytes packet, size_t& offset, const Name& name, uint16_t type) {
  Name asked;
  if (load16(&packet[4]) != 1 || !asked.read(packet, offset, false) || packet.size() - offset < 4)
    return bad_response("no question");
  if (!asked.equals(name) || load16(&packet[offset]) != type || load16(&packet[offset + 2]) != class_in)
    return bad_response("it answers another question");
  offset += 4;
  return {};
}

}  // namespace

Result<Response> parse_response(Bytes packet, uint16_t id, const Name& name, uint16_t type) {
  if (packet.size() < header_size) return bad_response("shorter than a header");
  const unsigned flags = load16(&packet[2]);
  if (!(flags & flag_qr) || (flags & mask_opcode)) return bad_response("not an answer to a query");
  if (load16(&packet[0]) != id) return bad_response("it answers another query");
  Response response;
  response.rcode = flags & mask_rcode;
  response.truncated = (flags & flag_tc) != 0;
  size_t offset = header_size;
  if (auto status = read_question(packet, offset, name, type); !status) return status.error();
  if (auto status = read_answers(packet, offset, load16(&packet[6]), name, type, response); !status)
    return status.error();
  const bool negative = response.addresses.empty() && response.services.empty();
  for (unsigned i = load16(&packet[8]); i > 0; i--) {
    Record record;
    if (!read_record(packet, offset, record)) return bad_response("a record runs past its end");
    if (negative && record.type == type_soa && record.record_class == class_in &&
        !take_negative(packet, record, response))
      return bad_response("a broken SOA");
  }
  return response;
}

}  // namespace portolan::dns
