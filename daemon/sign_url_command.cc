#include "daemon/sign_url_command.hh"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <vector>

#include "core/base/clock.hh"
#include "core/conf/types.hh"
#include "core/http/h1.hh"
#include "daemon/files.hh"
#include "edge/rules.hh"
#include "proxy/admit/signed_url.hh"
#include "proxy/request_target.hh"

namespace portolan::daemon {
namespace {

constexpr size_t largest_keys_file = 1 << 20;

int fail(std::ostream& err, const std::string& what) {
  err << "portolan: " << what << "\n";
  return 2;
}

// What is wrong with how long, for what and for whom; empty: nothing.
std::string mistake_in(const SignUrlOptions& options, const edge::Url& url, std::optional<int64_t> lasts_ms) {
  if (!lasts_ms || *lasts_ms < 1000) return options.expires + " is no time to last: write \"1h\" or \"30m\"";
  if (!options.prefix.empty()) {
    if (!options.prefix.starts_with('/') || !options.prefix.ends_with('/'))
      return "a prefix begins and ends with \"/\": " + options.prefix + " doesn't";
    if (!url.path.starts_with(options.prefix)) return "the path " + url.path + " is not below " + options.prefix;
  }
  if (!options.client.empty())
    if (auto network = IpNetwork::parse(options.client); !network) return network.error().text;
  return {};
}

bool is_signed(std::string_view query) {
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    std::string_view name = pair.substr(0, pair.find('='));
    if (name == "sig" || name.starts_with("sig-")) return true;
  }
  return false;
}

// Why no client could ask for it, or why it wouldn't open anything; empty: it does.
std::string flaw_in(const proxy::UrlKeys& keys, const proxy::SignedUrl& what, const edge::Url& url,
                    const std::string& query) {
  const std::string text = fmt::format("GET {}?{} HTTP/1.1\r\nHost: {}\r\n\r\n", url.path, query, url.authority);
  http::RequestParser parser;
  if (parser.next(text).event != http::Event::head)
    return fmt::format("no client can ask for it ({}): write other characters than those of URLs as %XX",
                       parser.reason());
  if (proxy::climbs(parser.head().path)) return "a segment of its path is \"..\"";
  IpAddress client;
  if (auto network = IpNetwork::parse(what.client)) client = network->address;
  std::optional<Text> rest;
  auto verdict = proxy::check_signature(keys, what.host, parser.head().path, parser.head().query, client, 0, rest);
  return verdict == proxy::SignatureVerdict::good ? "" : "its signature would open nothing";
}

}  // namespace

int sign_url(const SignUrlOptions& options, std::ostream& out, std::ostream& err) {
  auto text = read_file(options.keys_file, largest_keys_file);
  if (!text) return fail(err, text.error().text);
  std::vector<std::string> errors;
  auto keys = proxy::UrlKeys::parse(*text, options.keys_file, errors);
  for (const std::string& error : errors) err << error << "\n";
  if (!errors.empty()) return 2;
  const proxy::UrlKeys::Key* key = options.key.empty() ? &keys->newest() : keys->find(options.key);
  if (!key) return fail(err, "there is no key " + options.key + " in " + options.keys_file);
  auto url = edge::parse_url(options.url);
  if (!url) return fail(err, options.url + " is no URL; write http://host/path or https://host/path");
  auto lasts_ms = conf::parse_duration_ms(options.expires);
  if (std::string wrong = mistake_in(options, *url, lasts_ms); !wrong.empty()) return fail(err, wrong);
  if (url->query && is_signed(*url->query))
    return fail(err, options.url + " is signed already: take sig, sig-key, sig-expires, sig-prefix and sig-client out");
  proxy::SignedUrl what;
  what.host = proxy::without_port(url->authority);
  what.path = url->path;
  if (url->query) what.query = *url->query;
  what.expires_s = SystemClock().wall_ms() / 1000 + *lasts_ms / 1000;
  what.prefix = options.prefix;
  what.client = options.client;
  const std::string query = proxy::sign(*key, what);
  if (std::string flaw = flaw_in(*keys, what, *url, query); !flaw.empty()) return fail(err, options.url + ": " + flaw);
  out << fmt::format("{}://{}{}?{}\n", url->scheme, url->authority, url->path, query);
  return 0;
}

}  // namespace portolan::daemon
