// An answer the cache didn't ask for: what a server says to a POST may be what a GET would get.
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
  RequestView asked{get, request.scheme, request.authority, response_ms};
  RequestFacts facts = examine(rules, asked);
  if (!facts.lookup || facts.range) return nullptr;
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
