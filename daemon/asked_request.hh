#pragma once
// A request that an operator asks about, on its way as far as the cache: the steps that an exchange takes, without a
// connection, and without counting anything. `explain` tells each of them, `cache inspect` looks into the cache it reaches.
// One thread at a time; what it finds are parts of the world's snapshot, which the caller keeps.
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hh"
#include "core/http/h1.hh"
#include "daemon/explain.hh"
#include "edge/cache.hh"
#include "edge/rules.hh"
#include "proxy/conditions.hh"
#include "proxy/filters.hh"
#include "proxy/route_rank.hh"

namespace portolan::daemon {

class AskedRequest {
 public:
  // Where its way ends: at which step, and with what.
  struct End {
    std::string step, text;
  };
  static constexpr std::string_view passes = "passes";
  struct Admission {
    std::vector<std::string> lines;  // what is asked of it, or that it passes
    std::string refused;             // "403: …"; empty: nothing that is known here refuses it
  };

  AskedRequest(ExplainRequest asked, const ExplainWorld& world) : asked_(std::move(asked)), world_(world) {}
  AskedRequest(const AskedRequest&) = delete;  // parts refer to others
  AskedRequest& operator=(const AskedRequest&) = delete;

  // The steps, in this order; none after one that failed or ended its way.
  Status read();               // the error: what was asked makes no sense (400): no URL, no address
  std::optional<End> parse();  // what a connection refuses
  std::optional<End> find_listener();
  void identify();
  std::optional<End> find_route();
  Admission admit();  // as the gates are asked; takes what signs its URL out of it, whatever that is worth

  const ExplainRequest& asked() const { return asked_; }
  const edge::Url& url() const { return url_; }
  const IpAddress& peer() const { return peer_; }
  const http::RequestHead& head() { return parser_.head(); }
  const proxy::ListenerConfig& listener() const { return *listener_; }
  const proxy::Client& client() const { return client_; }
  std::string_view country() { return country_.of(client_.address, places()); }
  proxy::ClientCountry& country_known() { return country_; }
  const geo::Table* places() const { return world_.places ? world_.places : world_.snapshot.geo.get(); }
  const proxy::RouteConfig& route() const { return *route_; }
  size_t route_index() const { return static_cast<size_t>(route_ - world_.snapshot.routes.data()); }
  const std::string& pool() const { return *pool_; }
  const proxy::Gate* route_gate() const;
  proxy::RouteQuery query();
  // Of the route's cache; null: it has none.
  const edge::CacheConfig* cache_config() const;
  // A rule of the route has it pass the cache by, or with `store` makes the cache ask anew.
  bool bypasses();
  // As the route's cache is asked, which it has.
  edge::RequestView view(int64_t now_ms);

 private:
  size_t route_of(std::string_view path);
  std::string check_signature(const proxy::UrlKeys& keys, std::vector<std::string>& lines);

  const ExplainRequest asked_;
  const ExplainWorld world_;
  edge::Url url_;
  std::string text_;
  http::RequestParser parser_;
  IpAddress peer_;
  proxy::Client client_;
  proxy::ClientCountry country_;
  Text authority_storage_;
  std::string_view authority_;  // as keys have it
  const proxy::ListenerConfig* listener_ = nullptr;
  const proxy::RouteConfig* route_ = nullptr;
  const std::string* pool_ = nullptr;
  std::optional<Text> unsigned_query_;
};

}  // namespace portolan::daemon
