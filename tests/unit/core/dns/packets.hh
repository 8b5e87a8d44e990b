#pragma once
// DNS messages for tests: made by hand, and read back by an independent, plain decoder.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.hh"
#include "core/base/clock.hh"
#include "core/dns/name.hh"

namespace portolan::dns::test {

using Packet = std::vector<uint8_t>;

inline void put16(Packet& p, unsigned v) {
  p.push_back(static_cast<uint8_t>(v >> 8));
  p.push_back(static_cast<uint8_t>(v));
}
inline void put32(Packet& p, uint32_t v) {
  put16(p, v >> 16);
  put16(p, v & 0xffff);
}
inline void put(Packet& p, std::string_view bytes) {
  p.insert(p.end(), bytes.begin(), bytes.end());
}
inline void put_name(Packet& p, std::string_view text) {
  auto name = Name::parse(text);
  if (!name) std::abort();
  put(p, name->wire());
}

inline std::string unhex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

struct Ask {
  std::string name = "www.example.com";
  uint16_t type = type_a;
  uint16_t id = 0x1234;
  uint16_t flags = flag_rd;
  uint16_t qclass = class_in;
  bool edns = false;
  uint16_t udp_size = 1232;
  uint8_t version = 0;
  uint16_t edns_flags = 0;
  std::string options{};  // wire form
};

inline std::string option(unsigned code, std::string_view data) {
  Packet p;
  put16(p, code);
  put16(p, static_cast<unsigned>(data.size()));
  put(p, data);
  return {p.begin(), p.end()};
}

// Client Subnet from "10.2.3.0/24".
inline std::string subnet_option(std::string_view text) {
  auto network = IpNetwork::parse(text);
  if (!network) std::abort();
  std::string data{'\0', network->address.is_v4() ? '\1' : '\2', static_cast<char>(network->length), '\0'};
  data.append(reinterpret_cast<const char*>(network->address.bytes.data()), (network->length + 7) / 8);
  return option(option_client_subnet, data);
}

inline void put_opt(Packet& p, const Ask& ask) {
  p.push_back(0);
  put16(p, type_opt);
  put16(p, ask.udp_size);
  p.push_back(0);
  p.push_back(ask.version);
  put16(p, ask.edns_flags);
  put16(p, static_cast<unsigned>(ask.options.size()));
  put(p, ask.options);
}

inline Packet make(const Ask& ask) {
  Packet p;
  put16(p, ask.id);
  put16(p, ask.flags);
  for (unsigned count : {1u, 0u, 0u, ask.edns ? 1u : 0u}) put16(p, count);
  put_name(p, ask.name);
  put16(p, ask.type);
  put16(p, ask.qclass);
  if (ask.edns) put_opt(p, ask);
  return p;
}

struct Record {
  std::string owner;
  uint16_t type = 0;
  uint32_t ttl_s = 0;
  std::string data;  // readable: an address, a name, "10 mail…", else the raw bytes
};

struct Message {
  bool good = false;  // read to its last byte
  uint16_t id = 0, flags = 0;
  unsigned rcode = 0;    // with EDNS's upper bits
  std::string question;  // wire form, as it came
  std::vector<Record> sections[3];
  bool edns = false;
  uint16_t udp_size = 0;
  uint8_t version = 0;
  uint16_t edns_flags = 0;
  std::string options;
  bool has(unsigned bit) const { return (flags & bit) != 0; }
  const std::vector<Record>& answers() const { return sections[0]; }
  const std::vector<Record>& authority() const { return sections[1]; }
  const std::vector<Record>& additional() const { return sections[2]; }
  // Client Subnet's scope, -1 where there is none.
  int scope() const {
    if (options.size() < 8 || options[1] != option_client_subnet) return -1;
    return static_cast<uint8_t>(options[7]);
  }
};

inline std::string name_at(const Packet& p, size_t offset) {
  Name name;
  return name.read(p, offset) ? name.to_string() : "?";
}

inline std::string readable(const Packet& p, unsigned type, size_t at, size_t size) {
  IpAddress ip;
  if ((type == type_a && size == 4) || (type == type_aaaa && size == 16)) {
    ip.family = size == 4 ? IpAddress::Family::v4 : IpAddress::Family::v6;
    std::copy_n(p.begin() + static_cast<long>(at), size, ip.bytes.begin());
    return ip.to_string();
  }
  if (type == type_ns || type == type_cname) return name_at(p, at);
  if (type == type_mx) return std::to_string(load16(&p[at])) + " " + name_at(p, at + 2);
  return {p.begin() + static_cast<long>(at), p.begin() + static_cast<long>(at + size)};
}

inline bool decode_record(const Packet& p, size_t& at, unsigned section, Message& m) {
  Name owner;
  if (!owner.read(p, at) || at + 10 > p.size()) return false;
  const unsigned type = load16(&p[at]), size = load16(&p[at + 8]);
  const size_t data = at + 10;
  if (data + size > p.size()) return false;
  if (type == type_opt) {
    m.edns = true;
    m.udp_size = load16(&p[at + 2]);
    m.rcode |= static_cast<unsigned>(p[at + 4]) << 4;
    m.version = p[at + 5];
    m.edns_flags = load16(&p[at + 6]);
    m.options.assign(p.begin() + static_cast<long>(data), p.begin() + static_cast<long>(data + size));
  } else {
    m.sections[section].push_back(
        {owner.to_string(), static_cast<uint16_t>(type), load32(&p[at + 4]), readable(p, type, data, size)});
  }
  at = data + size;
  return true;
}

inline Message decode(const Packet& p) {
  Message m;
  if (p.size() < header_size) return m;
  m.id = load16(&p[0]);
  m.flags = load16(&p[2]);
  m.rcode = m.flags & mask_rcode;
  size_t at = header_size;
  for (unsigned i = load16(&p[4]); i > 0; i--) {
    Name name;
    if (!name.read(p, at, false) || at + 4 > p.size()) return m;
    at += 4;
    m.question.assign(p.begin() + header_size, p.begin() + static_cast<long>(at));
  }
  for (unsigned section = 0; section < 3; section++)
    for (unsigned i = load16(&p[6 + 2 * section]); i > 0; i--)
      if (!decode_record(p, at, section, m)) return m;
  m.good = at == p.size();
  return m;
}

// One structure-aware change: bytes, length fields, counts, cuts, copies, pointers.
inline void mutate_once(Packet& p, Rng& rng) {
  const auto at = [&](size_t bound) { return static_cast<size_t>(rng.below(bound ? bound : 1)); };
  if (p.empty()) p.push_back(0);
  const size_t i = at(p.size());
  switch (rng.below(9)) {
    case 0:
      p[i] = static_cast<uint8_t>(rng.next());
      break;
    case 1:
      p[i] ^= static_cast<uint8_t>(1u << rng.below(8));
      break;
    case 2:
      p.resize(i);
      break;
    case 3:
      p.insert(p.begin() + static_cast<long>(i), 1 + at(6), static_cast<uint8_t>(rng.next()));
      break;
    case 4:
      p.erase(p.begin() + static_cast<long>(i), p.begin() + static_cast<long>(i + 1 + at(p.size() - i)));
      break;
    case 5:  // a compression pointer
      p[i] = static_cast<uint8_t>(0xc0 | rng.below(2));
      if (i + 1 < p.size()) p[i + 1] = static_cast<uint8_t>(rng.below(p.size()));
      break;
    case 6:  // a count in the header
      if (p.size() >= header_size) p[5 + 2 * at(4)] = static_cast<uint8_t>(rng.below(4));
      break;
    case 7: {  // a run copied elsewhere
      Packet run(p.begin() + static_cast<long>(i), p.begin() + static_cast<long>(i + at(p.size() - i)));
      p.insert(p.begin() + static_cast<long>(at(p.size())), run.begin(), run.end());
      break;
    }
    default: {  // an extreme
      static constexpr uint8_t extremes[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
      p[i] = extremes[at(sizeof extremes)];
    }
  }
}

inline Packet mutate(Packet p, Rng& rng) {
  for (uint64_t n = 1 + rng.below(4); n > 0; n--) mutate_once(p, rng);
  return p;
}

// How many a mutation test makes: PORTOLAN_MUTATIONS, else 20,000.
inline int mutations() {
  const char* text = std::getenv("PORTOLAN_MUTATIONS");
  return text ? std::atoi(text) : 20000;
}

}  // namespace portolan::dns::test
