#include "edge/collapse/fill.hh"

#include "core/http/semantics.hh"
#include "edge/encodings.hh"
#include "edge/parts.hh"

namespace portolan::edge {
namespace {

using Settlement = Content::Settlement;
using Kind = Content::Settlement::Kind;

constexpr int64_t error_note_ms = 1'000;  // nor asks anybody again for what is served stale meanwhile

bool is_server_error(int status) {  // RFC 5861 §4
  return status == 500 || status == 502 || status == 503 || status == 504;
}

// Refusals are mostly of the request that earned them.
bool speaks_of_what_is_there(int status) {
  return status < 400 || status == 404 || status == 410;
}

std::optional<uint64_t> length_of(const http::ResponseHead& response) {
  if (response.framing == http::Framing::length) return response.content_length;
  if (response.framing == http::Framing::none) return 0;
  return std::nullopt;
}

// Whether more of it could be asked for later, by a range of the same version.
bool may_come_in_parts(const http::ResponseHead& response) {
  auto units = response.fields.find(http::FieldId::accept_ranges);
  return response.status == 200 && response.framing == http::Framing::length && units &&
         http::list_has(*units, "bytes") && strong_validator(response.fields);
}

// A 304 with validators of its own speaks of what has one of the same (RFC 9111 §4.3.4). Tags are compared weakly: servers
// whose coding weakens a tag send the strong one with the 304.
bool names_another(const Object& stored, const http::ResponseHead& response) {
  auto text = response.fields.find(http::FieldId::etag);
  auto theirs = text ? http::parse_etag(*text) : std::nullopt;
  auto ours = http::parse_etag(stored.etag());
  if (theirs && ours) return !http::weak_match(*theirs, *ours);
  auto date = response.fields.find(http::FieldId::last_modified);
  if (!theirs && (!date || stored.last_modified().empty())) return false;
  if (!date || *date == stored.last_modified()) return !date;
  auto their_s = http::parse_date(*date);
  return !their_s || their_s != http::parse_date(stored.last_modified());
}

}  // namespace

Fill::Fill(std::shared_ptr<Store> store, const Rules& rules, const RequestFacts& facts, const RequestView& request)
    : store_(std::move(store)),
      rules_(rules),
      facts_(facts),
      request_(request.head),
      told_(request.told),
      found_ms_(request.now_ms),
      sequence_(store_->next_sequence()),
      origin_(origin_hash(request.scheme, request.authority)),
      content_(std::make_shared<Content>(store_->ledger())) {
  facts_.asset = asset_of(request.head.path);
  facts_.told = told_;
  if (!rules.ttl.empty()) path_ = request.head.path;
  store_->counters().filling.fetch_add(1, std::memory_order_relaxed);
}

Fill::~Fill() {
  store_->counters().filling.fetch_sub(1, std::memory_order_relaxed);
}

uint64_t Fill::cost() const {
  return sizeof(Fill) + path_.size() + told_.size() + index_bytes + key_bytes_ * 2 + request_.text.size() +
         request_.fields.size() * sizeof(http::Field);
}

std::unique_ptr<Reader> Fill::leader() {
  return std::unique_ptr<Reader>(new Reader(content_, nullptr, nullptr));
}

std::unique_ptr<Reader> Fill::follower(const RequestView& request) {
  auto copy = object_ ? nullptr : std::make_unique<RequestCopy>(request.head);
  return std::unique_ptr<Reader>(new Reader(content_, std::move(copy), object_, request.let_down));
}

bool Fill::fits(const Reader& reader, const std::string& names, const std::string& values) const {
  if (!reader.request_) return true;
  std::string theirs;
  vary_values(names, reader.request_->fields, theirs);
  return theirs == values;
}

Writer::Verdict Fill::head(const http::ResponseHead& response, int64_t request_ms, int64_t response_ms) {
  if (stale_ && response.status == 304) return refresh(response, request_ms, response_ms);
  if (is_server_error(response.status) && may_stand_in(Object::StandIn::error, response_ms)) {
    serve_stale(response_ms);
    return Writer::Verdict::stale_on_error;
  }
  if (!range_.empty() && (response.status == 206 || response.status == 416))
    return take_part(response, request_ms, response_ms);
  Ruled ruled(rules_.ttl.match(path_, response), response);
  Freshness fresh = freshness(rules_, ruled.counts(), request_ms, response_ms);
  ruled.settle(fresh);
  // What isn't stored is as the server says it, but for what a rule keeps from all.
  http::ResponseHead bare;
  if (ruled.cookieless()) {
    bare = response;
    bare.fields.remove(http::FieldId::set_cookie);
  }
  const http::ResponseHead& passing = ruled.cookieless() ? bare : response;
  // Whoever makes the origin fail, with a request that asks past the store, doesn't take from others what is still good.
  if (stale_ && response.status >= 500 && stale_->fresh(response_ms) && !stale_->freshness().no_cache)
    return let_pass(passing, fresh, response_ms, true);
  if (!storable(rules_, facts_, ruled.counts(), fresh).store) return let_pass(passing, fresh, response_ms, false);
  auto length = length_of(response);
  if (length && *length > rules_.config.max_object_bytes) {
    if (rules_.config.fragments && range_.empty() && may_come_in_parts(response))
      if (auto verdict = keep_parts(ruled.sent(), fresh, {0, *length}, response_ms, Encodings::of(rules_, response)))
        return *verdict;
    store_->counters().too_large.fetch_add(1, std::memory_order_relaxed);
    return let_pass(response, fresh, response_ms, false);
  }
  return keep(ruled.sent(), fresh, response_ms, Encodings::of(rules_, response));
}

Writer::Verdict Fill::keep(const http::ResponseHead& response, const Freshness& fresh, int64_t response_ms,
                           std::shared_ptr<Encodings> encodings) {
  std::string names = vary_names(response.fields).value_or(std::string{});
  std::string values;
  vary_values(names, request_.fields, values);
  ObjectRef object =
      ObjectBuilder::make(response, fresh, content_, sequence_, origin_, std::move(encodings), rules_.config.keep_tags);
  if (!reserve_head(*object, names.size() + values.size())) return let_pass(response, fresh, response_ms, false);
  content_->declare(length_of(response));
  if (!store_->announce(*this, object, names, values)) return let_pass(response, fresh, response_ms, true);
  // Waiting for an answer that is stale when it comes is no better than asking oneself.
  settle(object, object->fresh(response_ms) && !fresh.no_cache, names, values);
  return Writer::Verdict::stored;
}

bool Fill::reserve_head(const Object& object, size_t vary_bytes) {
  uint64_t fixed = index_bytes + key_bytes_ + object.head_bytes() + vary_bytes * 2;
  content_->set_fixed_cost(fixed);
  uint64_t held = content_->charge().held();
  return fixed <= held || store_->reserve(content_->charge(), fixed - held);
}

void Fill::settle(const ObjectRef& object, bool shareable, const std::string& names, const std::string& values) {
  content_->settle([&](const Reader& reader) {
    Settlement s;
    bool mine = !reader.request_ || (shareable && fits(reader, names, values));
    s.kind = mine ? Kind::object : Kind::retry;
    if (mine) s.object = object;
    return s;
  });
}

Writer::Verdict Fill::let_pass(const http::ResponseHead& response, const Freshness& fresh, int64_t response_ms,
                               bool retry) {
  const bool refused = !speaks_of_what_is_there(response.status);
  int64_t note = response_ms + (refused ? error_note_ms : note_ms);
  if (retry || facts_.authorization) note = 0;  // says nothing of other requests
  if (refused) store_->pause_validation(*this, response_ms + error_note_ms);
  store_->retire(*this, note, !refused && ends_stale(response_ms));
  give_to_leader(response, fresh, [retry](const Reader&) { return retry ? Kind::retry : Kind::released; });
  return Writer::Verdict::uncacheable;
}

void Fill::give_to_leader(const http::ResponseHead& response, const Freshness& fresh,
                          const std::function<Kind(const Reader&)>& others) {
  ObjectRef object = ObjectBuilder::make(response, fresh, content_, 0, origin_, nullptr, rules_.config.keep_tags);
  content_->declare(length_of(response));
  content_->window();
  content_->settle([&](const Reader& reader) {
    Settlement s;
    s.kind = reader.request_ ? others(reader) : Kind::object;
    if (!reader.request_) s.object = object;
    return s;
  });
}

bool Fill::ends_stale(int64_t now_ms) const {
  if (!stale_ || facts_.authorization) return false;
  return !stale_->fresh(now_ms) || stale_->freshness().no_cache;
}

// RFC 9111 §3.5: what a 304 says to one who is authorised is an answer to that one, and changes nothing for others where it
// may not be shared.
Writer::Verdict Fill::refresh(const http::ResponseHead& response, int64_t request_ms, int64_t response_ms) {
  const bool gone = store_->stale_is_gone(*this);
  if (gone || names_another(*stale_, response)) {
    const bool stays = facts_.authorization && !gone;
    store_->retire(*this, 0, !stays);
    content_->settle([stays](const Reader&) {
      Settlement s;
      s.kind = stays ? Kind::released : Kind::retry;
      return s;
    });
    return Writer::Verdict::not_modified;
  }
  auto [fresh, good, names] =
      ObjectBuilder::refreshed(*stale_, response, rules_, facts_, path_, request_ms, response_ms, sequence_, origin_);
  if (good) {
    store_->replace(*this, fresh, names);
  } else {
    store_->retire(*this, 0, !facts_.authorization);
  }
  store_->counters().validated.fetch_add(1, std::memory_order_relaxed);
  const ObjectRef& object = fresh;  // clang 14 captures no structured binding
  const bool kept = good;
  bool shareable = kept && object->fresh(response_ms) && !object->freshness().no_cache;
  const std::string& vary = names;
  std::string values;
  vary_values(vary, request_.fields, values);
  content_->settle([&](const Reader& reader) {
    Settlement s;
    bool mine = !reader.request_ || (shareable && fits(reader, vary, values));
    s.kind = mine ? Kind::object : Kind::retry;
    if (mine) s.object = object;
    s.validated = true;
    s.dropped = !kept;
    return s;
  });
  return Writer::Verdict::not_modified;
}

bool Fill::may_stand_in(Object::StandIn in_place_of, int64_t now_ms) const {
  if (!stale_ || !stale_->may_stand_in(in_place_of, now_ms)) return false;
  std::lock_guard lock(shard_->mutex);
  return entry_ != nullptr && store_->fate(entry_->key, *stale_).how != Purged::hard;
}

void Fill::serve_stale(int64_t now_ms) {
  store_->pause_validation(*this, now_ms + error_note_ms);
  store_->retire(*this, 0, false);
  content_->settle([&](const Reader& reader) {
    Settlement s;
    bool mine = fits(reader, stale_names_, stale_values_);
    s.kind = mine ? Kind::object : Kind::retry;
    if (mine) s.object = stale_;
    s.stale_on_error = true;
    return s;
  });
}

void Fill::stop_storing() {
  store_->retire(*this, found_ms_ + note_ms, ends_stale(found_ms_));
  content_->window();
}

bool Fill::append(Slice bytes) {
  uint64_t size = content_->size() + bytes.size;
  auto declared = content_->declared();
  if (declared && size > *declared) {
    abort(0, 502);
    return false;
  }
  if (!content_->windowed()) {
    bool large = size > rules_.config.max_object_bytes;
    if (large) store_->counters().too_large.fetch_add(1, std::memory_order_relaxed);
    if (large || !store_->reserve(content_->charge(), content_->cost_of(bytes))) stop_storing();
  }
  content_->append(std::move(bytes));
  return !content_->windowed();
}

bool Fill::finish(const http::Fields& trailers) {
  auto declared = content_->declared();
  if ((declared && *declared != content_->size()) || content_->phase() != Content::Phase::growing) {
    abort(0, 502);
    return false;
  }
  content_->complete(trailers);
  store_->commit(*this);
  return true;
}

void Fill::abort(int64_t now_ms, int status, Writer::Failure failure) {
  if (now_ms == 0) now_ms = found_ms_;
  if (status != 0 && stale_) {
    if (may_stand_in(Object::StandIn::unreachable, now_ms)) serve_stale(now_ms);
    store_->pause_validation(*this, now_ms + error_note_ms);
  }
  store_->retire(*this, 0, false);
  content_->settle([&](const Reader& reader) {
    Settlement s;
    s.status = status;
    s.kind = status == 0 ? Kind::released : Kind::failed;
    // Whoever follows may fare better, but not as often as it takes.
    if (status != 0 && failure == Writer::Failure::unanswered && reader.request_ && !reader.again_) {
      s.kind = Kind::retry;
      s.let_down = true;
    }
    return s;
  });
  content_->fail();
}

}  // namespace portolan::edge
