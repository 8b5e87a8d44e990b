#include "core/dns/query.hh"

#include <algorithm>
#include <utility>

namespace portolan::dns {
namespace {

using Bytes = std::span<const uint8_t>;
constexpr size_t max_opt_size = 4096;

// Moves past a name whose labels nobody needs.
bool skip_name(Bytes packet, size_t& offset) {
  while (offset < packet.size()) {
    unsigned length = packet[offset];
    if (length >= 0xc0) {
      offset += 2;
      return offset <= packet.size();
    }
    if (length > max_label_size) return false;
    offset += 1 + length;
    if (length == 0) return true;
  }
  return false;
}

// RFC 7871 §6, §7.1.2: everything about the option is checked, a resolver that errs here must hear
// of it.
bool read_subnet(Bytes option, Query& query) {
  if (query.has_subnet || option.size() < 4) return false;
  ClientSubnet& subnet = query.subnet;
  const uint8_t* p = option.data();
  subnet.family = load16(p);
  subnet.source = p[2];
  const size_t size = option.size() - 4;
  if (p[3] != 0 || subnet.family > 2) return false;
  const unsigned bits = subnet.family == 1 ? 32 : subnet.family == 2 ? 128 : 0;
  if (subnet.source > bits || size != subnet.address_size()) return false;
  // Only the last byte may have bits past the prefix.
  const unsigned spare = static_cast<unsigned>(size) * 8 - subnet.source;
  if (spare != 0 && (option.back() & ((1u << spare) - 1)) != 0) return false;
  subnet.address.family = bits == 0    ? IpAddress::Family::none
                          : bits == 32 ? IpAddress::Family::v4
                                       : IpAddress::Family::v6;
  subnet.address.bytes.fill(0);
  if (bits == 32) {  // the option's last four bytes end with the address
    store32(subnet.address.bytes.data(), static_cast<uint32_t>(uint64_t{load32(p + size)} << (32 - 8 * size)));
  } else {
    for (size_t i = 0; i < size; i++) subnet.address.bytes[i] = p[4 + i];
  }
  query.has_subnet = true;
  return true;
}

// RFC 7873 §5.2.2: any other length is FORMERR. Of several only the first counts (§5.3).
bool read_cookie(Bytes option, Query& query) {
  if (query.passes_cookies) return true;
  query.says_more = true;
  const size_t size = option.size();
  if (size != Cookie::client_size && (size < 16 || size > Cookie::client_size + Cookie::most_server_size)) return false;
  if (std::exchange(query.has_cookie, true)) return true;
  query.cookie.server_size = static_cast<uint8_t>(size - Cookie::client_size);
  std::copy_n(option.begin(), Cookie::client_size, query.cookie.client);
  std::copy(option.begin() + Cookie::client_size, option.end(), query.cookie.server);
  return true;
}

bool read_option(unsigned code, Bytes option, Query& query) {
  switch (code) {
    case option_cookie:
      return read_cookie(option, query);
    case option_nsid:
      query.wants_nsid = query.says_more = true;
      return true;
    case option_keepalive:  // RFC 7828 §3.2.1: a client names no time
      query.wants_keepalive = option.empty();
      query.says_more = true;
      return true;
    case option_padding:
      query.wants_padding = query.says_more = true;
      return true;
    default:
      return true;
  }
}

bool read_options(Bytes data, Query& query) {
  while (!data.empty()) {
    if (data.size() < 4) return false;
    const uint8_t* p = data.data();
    const size_t size = load16(p + 2);
    if (data.size() < 4 + size) return false;
    const unsigned code = load16(p);
    const Bytes option(p + 4, size);
    if (!(code == option_client_subnet ? read_subnet(option, query) : read_option(code, option, query))) return false;
    data = {p + 4 + size, data.size() - 4 - size};
  }
  return true;
}

// The OPT record's fixed part is at `fixed`, past the owner name.
bool read_opt(const uint8_t* fixed, Bytes data, Query& query) {
  query.has_edns = true;
  query.udp_size = std::max<uint16_t>(load16(fixed + 2), plain_udp_size);
  query.version = fixed[5];
  query.dnssec_ok = (fixed[6] & 0x80) != 0;
  // What another version's options look like is for that version to say.
  return query.version != 0 || read_options(data, query);
}

// One record of any section; OPT only in the last, once, owned by the root (RFC 6891 §6.1.1).
bool read_record(Bytes packet, size_t& offset, bool additional, Query& query) {
  const bool root = offset < packet.size() && packet.data()[offset] == 0;
  if (root)
    offset++;
  else if (!skip_name(packet, offset))
    return false;
  if (packet.size() - offset < 10) return false;
  const uint8_t* fixed = packet.data() + offset;
  const size_t size = load16(fixed + 8);
  offset += 10;
  if (packet.size() - offset < size) return false;
  Bytes data = packet.subspan(offset, size);
  offset += size;
  if (load16(fixed) != type_opt) return true;
  return additional && root && !query.has_edns && read_opt(fixed, data, query);
}

bool read_question(Bytes packet, size_t& offset, Query& query) {
  if (!query.key.read_lowered(packet, offset, query.key_labels) || packet.size() - offset < 4) return false;
  query.type = load16(packet.data() + offset);
  query.qclass = load16(packet.data() + offset + 2);
  offset += 4;
  query.question_end = offset;
  query.has_question = true;
  return true;
}

// Past questions that nobody reads, to OPT: that is read as if it stood alone.
[[gnu::noinline]] Verdict look_for_opt(Bytes packet, Query& query, Verdict verdict) {
  const uint8_t* header = packet.data();
  size_t offset = header_size;
  Name passed;
  for (unsigned i = load16(header + 4); i > 0; i--) {
    if (!passed.read(packet, offset) || packet.size() - offset < 4) return verdict;
    offset += 4;
  }
  const unsigned before = load16(header + 6) + load16(header + 8), records = before + load16(header + 10);
  for (unsigned i = 0; i < records; i++) {
    const size_t begin = offset;
    if (!passed.read(packet, offset) || packet.size() - offset < 10) return verdict;
    const bool opt = load16(header + offset) == type_opt;
    const size_t end = offset + 10 + load16(header + offset + 8);
    if (end > packet.size()) return verdict;
    offset = end;
    if (i < before || !opt) continue;
    uint8_t alone[max_opt_size] = {header[0], header[1], 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (end - begin > sizeof alone - header_size) return verdict;
    std::copy(packet.begin() + static_cast<ptrdiff_t>(begin), packet.begin() + static_cast<ptrdiff_t>(end),
              alone + header_size);
    const uint16_t flags = query.flags;
    parse_query({alone, header_size + end - begin}, query);
    query.flags = flags;
    return verdict;
  }
  return verdict;
}

inline Verdict verdict_of(uint16_t type) {
  if (type == 0 || type == type_opt || type == type_nxname) return Verdict::formerr;
  if (type == type_axfr || type == type_ixfr) return Verdict::refused;
  if (type >= 128 && type < type_any) return Verdict::notimp;
  return Verdict::answer;
}

}  // namespace

Verdict judge_type(uint16_t type) {
  return verdict_of(type);
}

Verdict parse_query(Bytes packet, Query& query) {
  query.has_question = query.has_edns = query.has_subnet = query.dnssec_ok = false;
  query.has_cookie = query.wants_nsid = query.wants_keepalive = query.wants_padding = query.says_more = false;
  query.question_end = header_size;
  query.version = 0;
  query.udp_size = plain_udp_size;
  if (packet.size() < header_size) return Verdict::drop;
  const uint8_t* header = packet.data();
  query.id = load16(header);
  query.flags = load16(header + 2);
  if (query.flags & flag_qr) return Verdict::drop;
  if (query.flags & mask_opcode) return look_for_opt(packet, query, Verdict::notimp);
  const unsigned questions = load16(header + 4);
  if (questions > 1) return look_for_opt(packet, query, Verdict::formerr);

  size_t offset = header_size;
  if (questions == 1 && !read_question(packet, offset, query)) return look_for_opt(packet, query, Verdict::formerr);
  const unsigned before = load16(header + 6) + load16(header + 8), records = before + load16(header + 10);
  for (unsigned i = 0; i < records; i++)
    if (!read_record(packet, offset, i >= before, query)) return Verdict::formerr;
  if (offset != packet.size()) return Verdict::formerr;

  if (query.version != 0) return Verdict::badvers;
  if (questions == 0) return query.has_cookie ? Verdict::ping : Verdict::formerr;
  if (Verdict verdict = verdict_of(query.type); verdict != Verdict::answer) return verdict;
  if (query.qclass == class_ch) return Verdict::chaos;
  return query.qclass == class_in ? Verdict::answer : Verdict::refused;
}

Verdict parse_query_without_cookies(Bytes packet, Query& query) {
  query.passes_cookies = true;
  const Verdict verdict = parse_query(packet, query);
  query.passes_cookies = false;
  return verdict;
}

}  // namespace portolan::dns
