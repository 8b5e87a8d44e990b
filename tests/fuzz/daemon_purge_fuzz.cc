// What those say who purge or want URLs signed, and the file of their tokens: an order that is taken says the same when it
// is written and read again, and its purges are in their one spelling; who is found in the file has a name.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "daemon/purge_access.hh"
#include "daemon/purge_order.hh"
#include "daemon/signed_routes.hh"

using namespace portolan;
using namespace portolan::daemon;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1 << 16) return 0;
  std::string text(reinterpret_cast<const char*>(data), size);
  if (auto order = parse_purge_order(text)) {
    require(!order->purges.empty() && order->purges.size() <= PurgeOrder::most);
    for (const edge::Purge& purge : order->purges) {
      auto again = edge::normalised(purge);
      require(again && *again == purge);
    }
    auto again = parse_purge_order(to_json(*order));
    require(again && again->cache == order->cache && again->purges.size() <= order->purges.size());
    require(to_json(*again) == to_json(*order));
  }
  if (auto order = parse_sign_order(text)) {
    auto again = parse_sign_order(to_json(*order));
    require(again && again->urls.size() == order->urls.size() && to_json(*again) == to_json(*order));
    require(parse_urls(text) && parse_urls(text)->size() == order->urls.size());
  }
  std::vector<std::string> errors;
  auto tokens = PurgeTokens::parse(text, "f", errors);
  require(tokens != nullptr);
  require(tokens->find(text).empty() || is_token_name(tokens->find(text)));
  return 0;
}
