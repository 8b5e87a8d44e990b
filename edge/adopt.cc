// An answer the cache didn't ask for: what a server says to a POST may be what a GET would get.
#include <algorithm>

#include "core/http/semantics.hh"
#include "edge/collapse/fill.hh"
#include "edge/memory.hh"

namespace portolan::edge {
namespace {

bool names_its_target(const RequestView& request, const http::ResponseHead& response) {
  auto where = response.fields.find(http::FieldId::content_location);
  if (!where || response.fields.count(http::FieldId::content_location) != 1) return false;
  std::optional<Url> url = resolve(request, *where);
  const http::RequestHead& head = request.head;
  return url && url->scheme == request.scheme && url->authority == request.authority && url->path == head.path &&
         url->query.has_value() == head.has_query && url->query.value_or("") == head.query;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// An element of Accept-Encoding as clients write it: a coding that is registered, and its weight.
bool is_common_coding(std::string_view element) {
  constexpr std::string_view codings[] = {"*", "br", "compress", "deflate", "gzip", "identity", "x-gzip", "zstd"};
  size_t semicolon = element.find(';');
  auto coding = std::find(std::begin(codings), std::end(codings), trimmed(element.substr(0, semicolon)));
  if (coding == std::end(codings)) return false;
  if (semicolon == std::string_view::npos) return true;
  std::string_view weight = trimmed(element.substr(semicolon + 1));
  return weight.starts_with("q=") && weight.size() > 2 && weight.size() <= 7 &&
         weight.find_first_not_of("0123456789.", 2) == std::string_view::npos;
}

// The server read the client's own Accept-Encoding, where a fetch has accepted_encodings(): it came to the same.
bool coded_as_a_fetch(const http::RequestHead& head, const http::ResponseHead& response) {
  auto accepted = accepted_encodings(head.fields);
  if (!accepted) return true;
  if (head.fields.count(http::FieldId::accept_encoding) != 1) return false;
  std::string_view rest = *head.fields.find(http::FieldId::accept_encoding);
  for (bool more = true; more;) {
    std::string_view element = rest.substr(0, rest.find(','));
    more = element.size() < rest.size();
    rest.remove_prefix(element.size() + (more ? 1 : 0));
    if (!is_common_coding(element)) return false;
  }
  auto coding = response.fields.joined(http::FieldId::content_encoding);
  return !coding || http::list_has(*accepted, *coding);
}

// Nothing of it reached the server that a fetch for the same key would not have said.
bool asked_as_a_fetch(const Rules& rules, const http::RequestHead& head) {
  std::optional<std::string_view> query;
  if (head.has_query) query = head.query;
  if (kept_query(rules, query) != query || head.fields.count(http::FieldId::cookie) > 1) return false;
  return std::none_of(head.fields.begin(), head.fields.end(), [&rules](const http::Field& f) {
    if (f.id == http::FieldId::accept_encoding) return false;
    if (f.id == http::FieldId::cookie) return without_ignored(rules, f.value) != f.value;
    return f.id == http::FieldId::authorization || drop_for_fetch(f.id) || withheld(rules, f);
  });
}

}  // namespace

// RFC 9110 §9.3.3: with explicit freshness, and a Content-Location that is the target.
std::unique_ptr<Writer> Store::adopt(const RequestView& request, const http::ResponseHead& response, int64_t request_ms,
                                     int64_t response_ms) {
  if (request.head.method != http::Method::post || response.status != 200) return nullptr;
  if (!explicit_lifetime(response.fields) || !names_its_target(request, response)) return nullptr;
  // Its fetch began before it got a number: what was purged since then may be what it says.
  if (purges_.clock().latest_ms() >= request_ms) return nullptr;
  const Rules& rules = this->rules();
  http::RequestHead get = request.head;
  get.method = http::Method::get;
  get.framing = http::Framing::none;
  RequestView asked{get,           request.scheme, request.authority,  response_ms, request.country,
                    request.route, request.pool,   request.identified, request.told};
  RequestFacts facts = examine(rules, asked);
  if (!facts.lookup || facts.authorization) return nullptr;
  if (!asked_as_a_fetch(rules, get) || !coded_as_a_fetch(get, response)) return nullptr;
  facts.asset = asset_of(get.path);
  Freshness fresh = freshness(rules, response, request_ms, response_ms);
  if (!storable(rules, facts, response, fresh).store) return nullptr;
  std::string key;
  size_t primary = compose_key(rules, asked, key);
  if (key.size() > primary) extra_keys_ = true;
  Place at = place(key, primary);
  Lookup lookup;
  std::shared_ptr<Fill> led;
  {
    std::lock_guard lock(at.shard.mutex);
    lead(at, rules, facts, asked, nullptr, false, lookup, led);
  }
  bool room = reserve(led->content().charge(), led->cost());
  if (!room || lookup.writer->head(response, request_ms, response_ms) != Writer::Verdict::stored) return nullptr;
  return std::move(lookup.writer);
}

}  // namespace portolan::edge
