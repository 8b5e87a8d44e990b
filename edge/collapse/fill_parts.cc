// Answers that are kept in fragments.
#include "edge/collapse/fill.hh"
#include "edge/collapse/run.hh"
#include "edge/encodings.hh"

namespace portolan::edge {
namespace {

using Settlement = Content::Settlement;
using Kind = Content::Settlement::Kind;

// The head of the whole that a 206 is a part of (RFC 9111 §3.4).
http::ResponseHead as_whole(const http::ResponseHead& part, uint64_t size) {
  http::ResponseHead whole;
  whole.status = 200;
  whole.reason = "OK";
  whole.fields = part.fields;
  whole.fields.remove(http::FieldId::content_range);
  whole.framing = http::Framing::length;
  whole.content_length = size;
  return whole;
}

// The range that was asked for begins no later than the client's: where it is beyond the end, so is that. Unless it is one
// of several, or If-Range makes it the whole.
bool is_beyond_as_well(const http::Fields& request) {
  auto range = request.find(http::FieldId::range);
  return range && range->find(',') == std::string_view::npos && !request.has(http::FieldId::if_range);
}

}  // namespace

Writer::Verdict Fill::take_part(const http::ResponseHead& response, int64_t request_ms, int64_t response_ms) {
  // That a range lies outside says nothing of other requests.
  if (response.status == 416) {
    if (!is_beyond_as_well(request_.fields)) return refuse(0, true);
    store_->retire(*this, 0, false);
    give_to_leader(response, freshness(rules_, response, request_ms, response_ms), [](const Reader& reader) {
      return reader.request_->fields.has(http::FieldId::range) ? Kind::released : Kind::retry;
    });
    return Writer::Verdict::uncacheable;
  }
  int64_t note_until_ms = response_ms + note_ms;
  const bool outdated = ends_stale(response_ms);
  auto said = consistent_range(response);
  if (!said) return refuse(note_until_ms, true, outdated);
  // A server may answer less than was asked for, but from where that began (RFC 9110 §15.3.7).
  auto asked = http::first_range(range_);
  if (asked && asked->first && said->range.first != *asked->first) return refuse(note_until_ms, true, outdated);
  uint64_t size = *said->size;
  http::ResponseHead whole = as_whole(response, size);
  Ruled ruled(rules_.ttl.match(path_, whole), whole);
  Freshness fresh = freshness(rules_, ruled.counts(), request_ms, response_ms);
  ruled.settle(fresh);
  if (!storable(rules_, facts_, ruled.counts(), fresh).store) return refuse(note_until_ms, false, outdated);
  auto encodings = Encodings::of(rules_, whole);
  if (said->range.length == size && size <= rules_.config.max_object_bytes)
    return keep(ruled.sent(), fresh, response_ms, std::move(encodings));
  if (!strong_validator(whole.fields)) return refuse(note_until_ms, true, outdated);
  if (auto verdict = keep_parts(ruled.sent(), fresh, said->range, response_ms, std::move(encodings))) return *verdict;
  return refuse(0, true);
}

// The answer is for nobody. Who wants a part asks the server for its own; `only_ranges`: the whole may be another matter.
Writer::Verdict Fill::refuse(int64_t note_until_ms, bool only_ranges, bool ends_stale) {
  if (facts_.authorization) note_until_ms = 0;
  store_->retire(*this, note_until_ms, ends_stale, only_ranges);
  content_->settle([&](const Reader& reader) {
    Settlement s;
    bool whole = reader.request_ && !reader.request_->fields.has(http::FieldId::range);
    s.kind = only_ranges && whole ? Kind::retry : Kind::released;
    return s;
  });
  content_->fail();
  return Writer::Verdict::dropped;
}

// The head is stored at once: with it others find the parts. nullopt: no room, and nothing was done.
std::optional<Writer::Verdict> Fill::keep_parts(const http::ResponseHead& whole, const Freshness& fresh,
                                                const http::ByteRange& brought, int64_t response_ms,
                                                std::shared_ptr<Encodings> encodings) {
  auto validator = strong_validator(whole.fields);
  if (!validator) return std::nullopt;
  std::string names = vary_names(whole.fields).value_or(std::string{});
  std::string values;
  vary_values(names, request_.fields, values);
  auto parts = std::make_shared<Parts>(store_, sequence_, whole.content_length, *validator);
  auto run = std::make_shared<Run>(store_, parts);
  if (!run->expect(brought.first, brought.first + brought.length)) return std::nullopt;
  ObjectRef object =
      ObjectBuilder::make(whole, fresh, content_, sequence_, origin_, std::move(encodings), rules_.config.keep_tags);
  if (!reserve_head(*object, names.size() + values.size())) return std::nullopt;
  content_->set_parts(std::move(parts));
  bool announced = store_->announce(*this, object, names, values);
  content_->complete({});
  if (announced) store_->commit(*this);
  run_ = std::move(run);
  settle(object, announced && object->fresh(response_ms) && !fresh.no_cache, names, values);
  return Writer::Verdict::stored;
}

}  // namespace portolan::edge
