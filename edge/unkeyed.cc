// Fields by which clients, proxies, frameworks and services are known to change what an origin answers, without saying so
// in Vary. In the key they are harmless; outside of it they would let one client choose the answer of all, so a request
// that may be cached goes on without them. X-Forwarded-For, -Host, -Proto and X-Real-IP are written anew by the proxy.
#include <algorithm>
#include <string>

#include "core/base/recycled.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

// Lower case and sorted.
constexpr std::string_view names[] = {
    "base-url",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-ipcountry",
    "cf-visitor",
    "client-ip",
    "cluster-client-ip",
    "fastly-client-ip",
    "fastly-ff",
    "fastly-ssl",
    "forwarded",
    "forwarded-for",
    "forwarded-host",
    "forwarded-proto",
    "front-end-https",
    "host-override",
    "http-host",
    "http-x-forwarded-for",
    "original-url",
    "proxy-host",
    "proxy-url",
    "remote-addr",
    "remote-user",
    "request-uri",
    "rewrite-url",
    "script-name",
    "surrogate-capability",
    "translate",
    "true-client-ip",
    "uri",
    "url",
    "x-accel-mapping",
    "x-amz-server-side-encryption",
    "x-amz-website-redirect-location",
    "x-appengine-country",
    "x-appengine-user-ip",
    "x-arr-ssl",
    "x-auth-user",
    "x-authenticated-user",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-backend-host",
    "x-base-url",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-country-code",
    "x-custom-ip-authorization",
    "x-device-class",
    "x-envoy-external-address",
    "x-envoy-original-path",
    "x-host",
    "x-host-override",
    "x-http-destinationurl",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-https",
    "x-matched-path",
    "x-method-override",
    "x-nextjs-data",
    "x-now-route-matches",
    "x-originating-ip",
    "x-override-url",
    "x-proxy-host",
    "x-proxy-url",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-remote-user",
    "x-replaced-path",
    "x-request-uri",
    "x-scheme",
    "x-script-name",
    "x-sendfile-type",
    "x-ssl",
    "x-ua-device",
    "x-url",
    "x-url-scheme",
    "x-wap-profile",
};

constexpr std::string_view prefixes[] = {
    "cloudfront-", "x-forward-",      "x-forwarded-", "x-invoke-", "x-middleware-",
    "x-original-", "x-react-router-", "x-rewrite-",   "x-vercel-",
};

constexpr bool in_order() {
  for (size_t i = 1; i < std::size(names); ++i)
    if (names[i] <= names[i - 1]) return false;
  return true;
}
static_assert(in_order());

bool known(std::string_view name) {
  auto begins = [name](std::string_view prefix) { return name.starts_with(prefix); };
  return name == "x-forwarded" || std::binary_search(std::begin(names), std::end(names), name) ||
         std::any_of(std::begin(prefixes), std::end(prefixes), begins);
}

}  // namespace

bool withheld(const Rules& rules, const http::Field& field) {
  Text name(field.name);
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  if (!known(name) && !name_listed(rules.config.drop_headers, name)) return false;
  const auto& keyed = rules.config.key_headers;
  auto same = [&name](const std::string& k) { return name == std::string_view(k); };
  return std::none_of(keyed.begin(), keyed.end(), same);
}

}  // namespace portolan::edge
