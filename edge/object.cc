#include "edge/object.hh"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/http/semantics.hh"
#include "edge/content.hh"
#include "edge/encodings.hh"
#include "edge/parts.hh"
#include "edge/purge/digest.hh"
#include "edge/rules.hh"
#include "edge/saved.hh"

namespace portolan::edge {
namespace {

http::Fields end_to_end(const http::Fields& fields) {
  std::string connection = fields.joined(http::FieldId::connection).value_or(std::string{});
  http::Fields out;
  for (const http::Field& f : fields) {
    if (!stored_field(f.id)) continue;
    if (http::is_hop_by_hop(f, connection)) continue;
    out.add(f);
  }
  return out;
}

bool varies_by_encoding(const http::Fields& fields) {
  auto value = fields.joined(http::FieldId::vary);
  return value && http::list_has(*value, "accept-encoding");
}

bool says_anything(const http::Fields& fields) {
  return fields.has(http::FieldId::cache_control) || fields.has(http::FieldId::expires) ||
         fields.has(http::FieldId::cdn_cache_control);
}

// Content-Length describes the 304 and what encoding the body has doesn't change under us.
bool updated_by_304(http::FieldId id) {
  return id != http::FieldId::content_encoding && id != http::FieldId::content_range;
}

// A server whose coding weakens a tag says the strong one with the 304, and one that leaves it out with a coding says it
// there: it is that of the plain bytes, and these may be others (RFC 9110 §8.8.1).
bool keeps_its_tag(const Object& old, const http::Fields& fresh) {
  auto text = fresh.find(http::FieldId::etag);
  auto theirs = text ? http::parse_etag(*text) : std::nullopt;
  auto ours = http::parse_etag(old.etag());
  return !theirs || !ours || ours->weak;
}

}  // namespace

const std::shared_ptr<Parts>& Object::parts() const {
  return content_->parts();
}

std::optional<uint64_t> Object::content_length() const {
  if (parts()) return parts()->size();
  if (content_->phase() == Content::Phase::complete) return content_->size();
  return content_->declared();
}

bool Object::complete() const {
  return content_->phase() == Content::Phase::complete;
}
bool Object::stored() const {
  return !content_->windowed();
}

int64_t Object::age_ms(int64_t now_ms) const {
  return freshness_.initial_age_ms + std::max<int64_t>(0, now_ms - freshness_.response_ms);
}

int64_t Object::age_s(int64_t now_ms) const {
  return age_ms(now_ms) / 1000;
}

int64_t Object::left_ms(int64_t now_ms) const {
  return freshness_.lifetime_ms - age_ms(now_ms);
}

int64_t Object::ttl_s(int64_t now_ms) const {
  int64_t left = left_ms(now_ms);
  return left >= 0 ? left / 1000 : -((-left + 999) / 1000);
}

bool Object::fresh(int64_t now_ms) const {
  return left_ms(now_ms) > 0;
}

bool Object::may_stand_in(StandIn in_place_of, int64_t now_ms) const {
  const Freshness& f = freshness_;
  if (f.no_cache) return false;
  int64_t window_ms = in_place_of == StandIn::error         ? f.stale_if_error_ms
                      : in_place_of == StandIn::unreachable ? f.stale_if_unreachable_ms
                                                            : f.stale_while_revalidate_ms;
  return -left_ms(now_ms) < window_ms;
}

ObjectRef ObjectBuilder::make(const http::ResponseHead& response, const Freshness& freshness,
                              std::shared_ptr<Content> content, uint64_t sequence, uint64_t origin,
                              std::shared_ptr<Encodings> encodings, bool show_tags) {
  std::shared_ptr<Object> object(new Object);
  http::Fields kept = end_to_end(response.fields);
  object->tags_ = purge_tags(kept);
  object->shows_tags_ = show_tags;
  if (!show_tags) std::erase_if(kept.list(), is_tag_field);
  char date[http::date_size];
  if (!kept.has(http::FieldId::date)) {  // RFC 9110 §6.6.1: when it was received
    http::write_date(date, freshness.response_ms / 1000);
    kept.add("Date", {date, sizeof date});
  }
  if (encodings && !varies_by_encoding(kept)) {
    object->own_vary_ = true;
    kept.add("Vary", "Accept-Encoding");
  }
  size_t bytes = response.reason.size();
  for (const http::Field& f : kept) bytes += f.name.size() + f.value.size() + 4;
  object->storage_ = BlockRef::make(std::max<size_t>(bytes, 1));
  char* at = object->storage_->data();
  auto keep = [&at](std::string_view text) {
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    std::string_view copy(at, text.size());
    at += text.size();
    return copy;
  };
  object->reason_ = keep(response.reason);
  object->fields_.list().reserve(kept.size());
  const char* wire = at;
  for (const http::Field& f : kept) {
    if (object->own_vary_ && &f == &*std::prev(kept.end())) object->received_bytes_ = static_cast<size_t>(at - wire);
    std::string_view name = keep(f.name);
    keep(": ");
    object->fields_.add(http::Field{name, keep(f.value), f.id});
    keep("\r\n");
  }
  object->wire_ = {wire, static_cast<size_t>(at - wire)};
  if (!object->own_vary_) object->received_bytes_ = object->wire_.size();
  object->safe_ =
      !kept.has(http::FieldId::set_cookie) && (freshness.status_ruled || !needs_rule(response.status, true));
  object->origin_ = origin;
  object->status_ = response.status;
  object->sequence_ = sequence;
  object->freshness_ = freshness;
  object->etag_ = object->fields_.find(http::FieldId::etag).value_or(std::string_view{});
  object->last_modified_ = object->fields_.find(http::FieldId::last_modified).value_or(std::string_view{});
  object->content_ = std::move(content);
  object->groups_ = group_hashes(object->fields_, cache_groups, origin);
  object->head_bytes_ = sizeof(Object) + sizeof(Block) + bytes + kept.size() * sizeof(http::Field) +
                        (object->groups_.size() + object->tags_.digests.size()) * sizeof(uint64_t) + 4 * 16;
  object->encodings_ = std::move(encodings);
  if (object->encodings_) object->head_bytes_ += sizeof(Encodings) + 256;
  return object;
}

ObjectBuilder::Refreshed ObjectBuilder::refreshed(const Object& old, const http::ResponseHead& response,
                                                  const Rules& rules, const RequestFacts& facts, std::string_view path,
                                                  int64_t request_ms, int64_t response_ms, uint64_t sequence,
                                                  uint64_t origin) {
  http::ResponseHead merged;
  merged.status = old.status_;
  merged.reason = old.reason_;
  http::Fields fresh = end_to_end(response.fields);
  if (keeps_its_tag(old, fresh)) fresh.remove(http::FieldId::etag);
  for (const http::Field& f : old.fields_) {
    if (old.own_vary_ && &f == &*std::prev(old.fields_.end())) continue;
    bool replaced = updated_by_304(f.id) && fresh.find(f.name).has_value();
    if (f.id == http::FieldId::date) replaced = true;  // without one, it is as old as its receipt
    if (!replaced) merged.fields.add(f);
  }
  for (const http::Field& f : fresh) {
    if (updated_by_304(f.id)) merged.fields.add(f);
  }
  // Age is never stored, yet it counts for the new freshness.
  http::ResponseHead timed = merged;
  for (const http::Field& f : response.fields)
    if (f.id == http::FieldId::age) timed.fields.add(f);
  const TtlRule* rule = rules.ttl.match(path, timed);
  std::string before;
  bool silent = rule && !rule->cache_control.empty() && !says_anything(response.fields);
  if (silent) {
    // What is stored says what clients are told; what the server said of the old one still holds.
    before = "max-age=" + std::to_string(std::max<int64_t>(0, old.freshness_.lifetime_ms / 1000));
    timed.fields.remove(http::FieldId::cache_control);
    timed.fields.add("Cache-Control", before);
  }
  Ruled ruled(rule, timed);
  Freshness now = freshness(rules, ruled.counts(), request_ms, response_ms);
  ruled.settle(now);
  if (silent) {
    now.no_cache = old.freshness_.no_cache;
    now.must_revalidate = old.freshness_.must_revalidate;
    now.stale_if_error_ms = old.freshness_.stale_if_error_ms;
    now.stale_if_unreachable_ms = old.freshness_.stale_if_unreachable_ms;
    now.stale_while_revalidate_ms = old.freshness_.stale_while_revalidate_ms;
  }
  bool good = storable(rules, facts, ruled.counts(), now).store;
  auto encodings = old.encodings_ ? Encodings::of(rules, timed, old.encodings_.get()) : nullptr;
  auto object = std::make_shared<Object>(
      *make(ruled.sent(), now, old.content_, sequence, origin, std::move(encodings), rules.config.keep_tags));
  object->tags_ = updated_tags(old.tags_, fresh);
  object->head_bytes_ += object->tags_.digests.size() * sizeof(uint64_t);
  return {std::move(object), good, vary_names(merged.fields).value_or(std::string{})};
}

ObjectRef ObjectBuilder::restored(const Saved& saved, const http::ResponseHead& head, std::shared_ptr<Content> content,
                                  uint64_t sequence, std::shared_ptr<Encodings> encodings) {
  auto object = std::make_shared<Object>(
      *make(head, saved.freshness, std::move(content), sequence, saved.origin, std::move(encodings), saved.shows_tags));
  object->tags_ = saved.tags;
  std::vector<uint64_t>& tags = object->tags_.digests;
  for (uint64_t group : object->groups_) {
    uint64_t digest = tag_digest(group_tag(group));
    if (std::find(tags.begin(), tags.end(), digest) == tags.end()) tags.push_back(digest);
  }
  object->head_bytes_ += tags.size() * sizeof(uint64_t);
  return object;
}

ObjectRef ObjectBuilder::stale_since(const ObjectRef& object, int64_t until_ms) {
  int64_t lifetime_ms = object->age_ms(until_ms);
  if (lifetime_ms == 0) lifetime_ms = -1;  // 0 is what never was fresh
  if (object->freshness_.lifetime_ms <= lifetime_ms) return object;
  auto aged = std::make_shared<Object>(*object);
  aged->freshness_.lifetime_ms = lifetime_ms;
  return aged;
}

}  // namespace portolan::edge
