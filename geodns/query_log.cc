#include "geodns/query_log.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace portolan::geodns {
namespace {

// A buffer on the stack that cuts what is too long.
class LineBuffer {
 public:
  template <class... Args>
  void add(fmt::format_string<Args...> form, Args&&... args) {
    const auto result = fmt::format_to_n(text_ + size_, sizeof text_ - 1 - size_, form, std::forward<Args>(args)...);
    size_ = std::min(size_ + result.size, sizeof text_ - 1);
  }
  // A name as JSON text: what isn't plain as \DDD (RFC 1035 §5.1), whose backslash JSON wants twice.
  void add_name(std::string_view wire) {
    if (wire.size() <= 1) return add(".");
    for (; wire.size() > 1; wire = dns::parent(wire)) {
      for (char c : wire.substr(1, static_cast<uint8_t>(wire[0]))) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= ' ' || byte >= 0x7f || c == '"' || c == '\\' || c == '.') {
          add("\\\\{:03}", byte);
        } else if (size_ < sizeof text_ - 1) {
          text_[size_++] = c;
        }
      }
      add(".");
    }
  }
  void add_address(const IpAddress& ip) {
    if (ip.family == IpAddress::Family::none) return add("-");
    if (ip.is_v4()) return add("{}.{}.{}.{}", ip.bytes[0], ip.bytes[1], ip.bytes[2], ip.bytes[3]);
    for (size_t i = 0; i < 16; i += 2) add("{}{:x}", i ? ":" : "", dns::load16(ip.bytes.data() + i));
  }
  std::string_view end_line() {
    text_[size_] = '\n';
    return {text_, size_ + 1};
  }

 private:
  char text_[2048];
  size_t size_ = 0;
};

void add_type(LineBuffer& out, uint16_t type) {
  if (const char* name = dns::type_name(type)) return out.add("{}", name);
  out.add("TYPE{}", type);
}

}  // namespace

void QueryLog::set_share(double share) {
  threshold_ = static_cast<uint64_t>(std::clamp(share, 0.0, 1.0) * 4294967296.0);
}

void QueryLog::write(const Line& line) {
  LineBuffer out;
  const dns::Query& query = line.asked.query;
  out.add("{{\"time\":\"{:%FT%T}.{:03}Z\",\"client\":\"", fmt::gmtime(static_cast<time_t>(line.wall_ms / 1000)),
          line.wall_ms % 1000);
  out.add_address(line.view.shown(line.client.unmapped()));
  out.add("\",\"transport\":\"{}\"", line.transport);
  if (query.has_question) {
    out.add(",\"name\":\"");
    out.add_name(query.key.wire());
    out.add("\",\"type\":\"");
    add_type(out, query.type);
    out.add("\"");
  }
  if (query.has_subnet && query.subnet.source > 0) {
    out.add(",\"subnet\":\"");
    const IpAddress subnet = line.view.shown(query.subnet.address);
    out.add_address(subnet);
    subnet.family == IpAddress::Family::none ? out.add("\"") : out.add("/{}\"", query.subnet.source);
  }
  if (line.info.zone != ZoneSet::none) out.add(",\"zone\":\"{}\"", line.view.zones->at(line.info.zone).text());
  if (line.info.datacenter >= 0)
    out.add(",\"policy\":\"{}\",\"datacenter\":\"{}\"", line.info.policy,
            line.view.directory->datacenters[static_cast<size_t>(line.info.datacenter)].name);
  if (line.bytes != 0) out.add(",\"rcode\":\"{}\"", dns::rcode_name(line.info.rcode));
  out.add(",\"bytes\":{}}}", line.bytes);
  ring_.append(out.end_line());
  writer_.wake(ring_);
}

}  // namespace portolan::geodns
