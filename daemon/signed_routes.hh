#pragma once
// Signed URLs in the hands of operators: caches know URLs without what signs them, routes answer none without it.
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "daemon/explain.hh"
#include "proxy/snapshot.hh"

namespace portolan::daemon {

// How caches have `url` (absolute): without its signature where a route that may take it asks for one, as it stands where
// one doesn't, both where there are both.
std::vector<std::string> cached_urls(const proxy::Snapshot& snapshot, const std::string& url);
// The URL to ask for, so that its route lets it pass: signed for a day with the route's newest key, or as it was where no
// signature is asked for, it has one already, or no route takes it.
std::string url_to_ask(const ExplainRequest& request, const ExplainWorld& world);

// {"urls":["https://host/path?query", …], "listener":"NAME"}: those to sign, as they arrive at a listener (empty: the one
// that the URL leads to). The answer is {"urls":[…]} in the same order.
struct SignOrder {
  static constexpr size_t most_bytes = 48 << 10;  // of URLs at once
  std::vector<std::string> urls;
  std::string listener;
};
Result<SignOrder> parse_sign_order(const std::string& json);
std::string to_json(const SignOrder& order);
std::string urls_to_json(const std::vector<std::string>& urls);
Result<std::vector<std::string>> parse_urls(const std::string& json);

}  // namespace portolan::daemon
