#pragma once
// [listener], [pool], [[route]], [timeouts] as configured: plain values, checked by daemon/config.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/base/server_address.hh"
#include "core/health/config.hh"
#include "core/http/encoding.hh"
#include "core/http/h1.hh"
#include "core/loop/tls_config.hh"
#include "proxy/admit/config.hh"
#include "proxy/error_pages.hh"
#include "proxy/header_edits.hh"
#include "proxy/replacement.hh"
#include "proxy/template.hh"

namespace portolan::proxy {

// Milliseconds. [timeouts] may be set again in a listener, a route or a pool: what is set there wins.
struct Timeouts {
  int64_t header = 10'000;     // a request's whole head, from its first byte
  int64_t connect = 2'000;     // to a server
  int64_t response = 60'000;   // from the request sent to the first byte of the answer
  int64_t idle = 30'000;       // no progress on a body, either way
  int64_t keepalive = 60'000;  // an idle client connection, or an idle server connection
  int64_t tunnel = 3'600'000;  // nothing passed through a tunnel (WebSocket), either way
  uint64_t min_rate = 500;     // bytes a second of a body that a client sends or takes; 0: any
  int64_t min_rate_after = 10'000;
  bool operator==(const Timeouts&) const = default;
};

struct TimeoutOverrides {
  std::optional<int64_t> header, connect, response, idle, keepalive, tunnel;
  std::optional<uint64_t> min_rate;
  std::optional<int64_t> min_rate_after;
  Timeouts over(const Timeouts& base) const;
  bool operator==(const TimeoutOverrides&) const = default;
};

// Strict-Transport-Security (RFC 6797): browsers come by TLS alone from then on.
struct HstsConfig {
  int64_t max_age_s = 365 * 86'400;
  bool include_subdomains = false;
  bool preload = false;
  std::string field() const;  // its value
  bool operator==(const HstsConfig&) const = default;
};

struct ListenerConfig {
  std::string name;   // of [listener.NAME]
  std::string where;  // file:line:col, for errors
  std::vector<SocketAddress> listen;
  bool proxy_protocol = false;
  bool freebind = false;  // also at an address that no interface has (yet)
  bool http2 = true;
  std::optional<loop::TlsListenerConfig> tls;
  std::optional<HstsConfig> hsts;  // with tls only
  http::Limits limits;             // of a request's head
  TimeoutOverrides timeouts;
  AdmitConfig admit;                   // networks, countries and limits
  int max_connections_per_client = 0;  // 0: no limit
  ErrorPages error_pages;
  bool operator==(const ListenerConfig&) const = default;
};

struct ServerConfig {
  ServerAddress address;
  int weight = 1;           // 1..1000
  int max_connections = 0;  // in flight at once; 0: no limit
  bool backup = false;
  std::string datacenter;  // where it stands; empty: where this node does
  bool operator==(const ServerConfig&) const = default;
};

struct RetryConfig {
  int attempts = 2;               // further tries after the first
  std::vector<int> statuses;      // answers that are tried elsewhere, of requests that may be sent again
  std::vector<std::string> grpc;  // statuses that count as failures, by name: proxy/grpc
  double budget = 0.20;           // retries / requests over ten seconds; at least ten a second are allowed
  bool operator==(const RetryConfig&) const = default;
};

// What requests are told apart by: "client-address", "path", "header:NAME", "cookie:NAME" or "query:NAME".
struct KeyConfig {
  enum class By : uint8_t { client_address, path, header, cookie, query };
  By by = By::client_address;
  std::string name;
  bool operator==(const KeyConfig&) const = default;
};

// For `balance = "hash"`: equal keys go to one server.
struct HashConfig {
  KeyConfig key;
  std::string seed;  // the same on all nodes that shall choose alike
  bool operator==(const HashConfig&) const = default;
};

struct SlotRange {  // both of them in it
  uint32_t first = 0;
  uint32_t last = 0;
  bool operator==(const SlotRange&) const = default;
};

struct ShardConfig {
  std::vector<SlotRange> slots;
  std::vector<std::string> servers;  // as the pool's list writes them
  bool operator==(const ShardConfig&) const = default;
};

// Servers that each own some of the keys: a key hashes to a slot, and each slot belongs to one shard.
struct ShardsConfig {
  static constexpr uint32_t slots = 16384;
  KeyConfig key;
  std::vector<ShardConfig> map;
  bool operator==(const ShardsConfig&) const = default;
};

// A client comes back to the server that answered it first.
struct StickyConfig {
  std::string cookie = "portolan";
  int64_t ttl_s = 0;  // how long a browser keeps it; 0: until it is closed
  std::string path = "/";
  std::string secure = "auto";  // auto (where the client came by TLS) | always | never
  bool http_only = true;
  int64_t drain_ms = 3'600'000;   // how long a drained server keeps the clients it has
  std::string same_site = "lax";  // lax | strict | none
  std::string key_file;           // of the key it is signed with; empty: this node's own
  std::array<unsigned char, 32> key{};
  bool operator==(const StickyConfig&) const = default;
};

// Requests that wait while all servers that could take them are at their max_connections.
struct QueueConfig {
  int size = 100;  // in all workers together; 0: none waits
  int64_t timeout_ms = 1'000;
  bool operator==(const QueueConfig&) const = default;
};

struct PoolConfig {
  std::string name;
  std::string where;
  std::string balance = "round-robin";  // the name of a registered Balancer
  std::vector<ServerConfig> servers;
  std::optional<ShardsConfig> shards;
  HashConfig hash;  // of balance = "hash"
  std::optional<StickyConfig> sticky;
  int64_t slow_start_ms = 0;  // of a server that comes back: until it has its whole share
  double panic = 0.5;         // fewer serve: all are used
  health::CheckConfig health;
  health::EjectConfig eject;
  RetryConfig retry;
  QueueConfig queue;
  TimeoutOverrides timeouts;
  std::optional<loop::TlsServerConfig> tls;
  bool http2 = false;
  bool required = false;  // while none of its servers serves, the node isn't ready
  bool operator==(const PoolConfig&) const = default;
};

// A second request elsewhere when the first has no answer after a time, or a percentile of the pool's times.
struct HedgeConfig {
  double percentile = 0.95;  // 0: after_ms counts
  int64_t after_ms = 0;
  bool operator==(const HedgeConfig&) const = default;
};

struct FilesConfig {
  std::string root;
  std::string strip_prefix;
  std::vector<std::string> index = {"index.html"};
  std::vector<http::Coding> precompressed;  // looked for beside a file, the preferred first
  bool operator==(const FilesConfig&) const = default;
};

struct RespondConfig {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  bool operator==(const RespondConfig&) const = default;
};

// What the value of a header or a query parameter must be.
struct ValueMatch {
  enum class Form : uint8_t { exact, prefix, regex, present, absent };
  Form form = Form::exact;
  std::vector<std::string> values;  // exact, prefix: one of them; regex: the expression
  bool operator==(const ValueMatch&) const = default;
};
struct NamedMatch {
  std::string name;  // of a header: lower case
  ValueMatch value;
  bool operator==(const NamedMatch&) const = default;
};

// A pool of a weighted split.
struct PoolShare {
  std::string pool;
  int weight = 0;
  bool operator==(const PoolShare&) const = default;
};

// Copies of requests go to another pool too.
struct MirrorConfig {
  std::string pool;
  double share = 1;               // of the requests
  uint64_t buffer = 65536;        // bytes of a body that may wait for the server
  int at_once = 100;              // under way, a worker; more are not mirrored
  uint64_t max_answer = 8 << 20;  // bytes of an answer's body; beyond it is cut
  int64_t timeout_ms = 60'000;    // from the end of the request to that of the answer; then it is cut
  bool operator==(const MirrorConfig&) const = default;
};

// Requests that say one of these aren't answered from the cache.
struct CacheBypassConfig {
  std::vector<std::string> cookies, headers, query;  // names; a final '*' for a prefix; headers in lower case
  bool store = false;                                // its answer may be kept all the same
  bool operator==(const CacheBypassConfig&) const = default;
};

// Either a prefix, or an expression and what paths become in which it is found.
struct RewriteConfig {
  std::string prefix = {};       // in place of the route's path
  std::string regex = {};        // empty: the route's path_regex
  std::string to = {};           // "/new/{1}"
  Replacement replacement = {};  // of both
  bool by_regex() const { return !to.empty(); }
  bool operator==(const RewriteConfig& o) const { return prefix == o.prefix && regex == o.regex && to == o.to; }
};

// Exactly one of pool, pools, files, respond, redirect is set.
struct RouteConfig {
  std::string name;  // "name" key, or made from host and path; unique; labels metrics
  std::string where;
  std::string mark;                // of route_mark(): what its answers are stored under, besides the URL
  std::string listener;            // empty: every HTTP listener
  std::vector<std::string> hosts;  // lower case; exact, or "*.example.com"; empty: any
  std::string path;                // prefix by whole segments; empty: any
  std::string path_exact;
  std::string path_regex;            // at most one of the three
  std::vector<std::string> methods;  // empty: any
  std::vector<NamedMatch> headers;
  std::vector<NamedMatch> query;
  std::vector<IpNetwork> clients;      // empty: any
  std::vector<std::string> countries;  // "DE"; empty: any
  std::string pool;
  std::vector<PoolShare> pools;  // one of them by its share
  std::optional<MirrorConfig> mirror;
  std::optional<RewriteConfig> rewrite;
  HeaderEdits request_headers;
  HeaderEdits response_headers;
  std::optional<FilesConfig> files;
  std::optional<RespondConfig> respond;
  std::string redirect;  // "https", or an absolute URL or path
  Template redirect_to;  // the same with its variables
  int redirect_status = 301;
  std::string cache;  // name of a [cache.NAME]; empty: none
  std::optional<CacheBypassConfig> cache_bypass;
  bool client_certificate = false;  // only clients that showed a good one pass
  AdmitConfig admit;
  std::optional<HedgeConfig> hedge;  // with servers to ask
  ErrorPages error_pages;            // before the listener's
  TimeoutOverrides timeouts;
  // More than host and path lead here.
  bool has_conditions() const {
    return !(listener.empty() && methods.empty() && headers.empty() && query.empty() && clients.empty() &&
             countries.empty());
  }
  bool to_servers() const { return !pool.empty() || !pools.empty(); }
  bool operator==(const RouteConfig&) const = default;
};

}  // namespace portolan::proxy
