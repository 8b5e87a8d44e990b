#include <cstdlib>
#include <memory>
#include <string>

#include "core/loop/proxy_protocol.hh"

namespace {

using portolan::loop::ProxyHeader;

ProxyHeader parse(const uint8_t* data, size_t size) {
  auto copy = std::make_unique<char[]>(size);  // of the exact size: a read past its end is seen
  for (size_t i = 0; i < size; ++i) copy[i] = static_cast<char>(data[i]);
  return portolan::loop::parse_proxy_header({copy.get(), size});
}

}  // namespace

// Bytes from a proxy in front, and what follows them: every beginning of them waits for more or says what the whole says.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t longest = 536;
  ProxyHeader whole = parse(data, size);
  if (whole.outcome == ProxyHeader::Outcome::need_more && size >= longest) std::abort();
  if (whole.outcome == ProxyHeader::Outcome::ok && (whole.consumed == 0 || whole.consumed > size)) std::abort();
  if (whole.has_source && (whole.outcome != ProxyHeader::Outcome::ok || whole.source.to_string().empty())) std::abort();
  for (size_t n = 0; n < size && n < 2 * longest; ++n) {
    ProxyHeader part = parse(data, n);
    if (part.outcome == ProxyHeader::Outcome::need_more) continue;
    if (part.outcome != whole.outcome || part.consumed != whole.consumed || part.source != whole.source) std::abort();
  }
  return 0;
}
