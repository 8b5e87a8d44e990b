// What passes by the cache, and yet is of what the cache is about: answers that rules change, and stored ones that stand in.
#include "core/http/semantics.hh"
#include "edge/encodings.hh"
#include "edge/memory.hh"

namespace portolan::edge {

using http::FieldId;

namespace {

// The whole that it is a part of, or says is still good: what a rule or a type says of one, it says of the other.
http::ResponseHead as_stored(const http::ResponseHead& answer) {
  http::ResponseHead whole = answer;
  if (answer.status != 206 && answer.status != 304) return whole;
  whole.status = 200;
  whole.fields.remove(FieldId::content_range);
  return whole;
}

}  // namespace

bool Store::dresses() const {
  const Rules& rules = this->rules();
  return !rules.ttl.empty() || !rules.config.compress.codings.empty();
}

bool Store::dress(const RequestView& request, const http::ResponseHead& answer, http::Fields& dressed) const {
  const Rules& rules = this->rules();
  const http::RequestHead& asked = request.head;
  if (asked.method != http::Method::get && asked.method != http::Method::head) return false;
  const http::ResponseHead whole = as_stored(answer);
  const TtlRule* rule = rules.ttl.match(asked.path, whole);
  Ruled ruled(rule, whole), passing(rule, answer);
  RequestFacts facts = examine(rules, request);
  bool stored = facts.lookup;  // were it but asked for by a GET that lets it be stored
  if (stored) {
    facts.may_store = true;
    facts.head = false;
    facts.asset = asset_of(asked.path);
    Freshness fresh = freshness(rules, ruled.counts(), request.now_ms, request.now_ms);
    ruled.settle(fresh);
    stored = storable(rules, facts, ruled.counts(), fresh).store;
  }
  if (!stored && !passing.cookieless()) return false;
  dressed = stored ? passing.sent().fields : answer.fields;
  if (passing.cookieless()) dressed.remove(FieldId::set_cookie);
  if (!stored || !Encodings::of(rules, whole)) return true;
  auto vary = dressed.joined(FieldId::vary);
  if (!vary || !http::list_has(*vary, "accept-encoding")) dressed.add("Vary", "Accept-Encoding");
  return true;
}

bool Store::splices(const http::RequestHead& request, const http::ResponseHead& answer) const {
  if (answer.status != 206 || rules().config.compress.codings.empty()) return false;
  auto condition = request.fields.find(FieldId::if_range);
  if (!condition || http::parse_etag(*condition)) return false;
  auto encodings = Encodings::of(rules(), as_stored(answer));
  auto said = answer.fields.find(FieldId::content_range);
  auto range = said ? http::parse_content_range(*said) : std::nullopt;
  return encodings && range && range->size && encodings->may_code(request.fields, *range->size);
}

ObjectRef Store::stand_in(const RequestView& request, Object::StandIn in_place_of) {
  const Rules& rules = this->rules();
  RequestFacts facts = examine(rules, request);
  if (!facts.lookup) return nullptr;
  thread_local std::string key;
  size_t primary = compose_key(rules, request, key);
  Place at = place(key, primary);
  std::lock_guard lock(at.shard.mutex);
  auto entry = at.shard.entries.find(at.key);
  if (entry == at.shard.entries.end()) return nullptr;
  Variant* variant = select(*entry->second, request.head.fields);
  if (!variant || !variant->object->may_stand_in(in_place_of, request.now_ms)) return nullptr;
  if (!stands(*variant) || fate(entry->second->key, *variant->object).how == Purged::hard) return nullptr;
  if (variant->object->parts() && !facts.head) return nullptr;  // what it lacks can't be had now
  residents_.touch(*variant);
  counters_.stale.fetch_add(1, std::memory_order_relaxed);
  return variant->object;
}

}  // namespace portolan::edge
