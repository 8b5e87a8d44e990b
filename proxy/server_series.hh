#pragma once
// The servers whose series are kept, and the folding of others: what was counted of a server that is gone is added to the
// series of its pool whose `server` is "gone", so that sums never fall. Filled once, then read by any thread.
#include <string>
#include <string_view>
#include <unordered_set>

#include "core/base/metrics.hh"

namespace portolan::proxy {

class ServerSeries {
 public:
  static constexpr std::string_view gone = "gone";
  void add(std::string_view pool, std::string_view server);
  // The labels, as a Shard renders them, that a series with these is folded into; empty: it stays.
  std::string fold(std::string_view labels) const;

 private:
  std::unordered_set<std::string> kept_;  // as rendered: pool="…",server="…"
};

}  // namespace portolan::proxy
