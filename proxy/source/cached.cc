#include "proxy/source/cached.hh"

#include <algorithm>

#include "core/http/semantics.hh"

namespace portolan::proxy {

using http::FieldId;

namespace {

bool only_if_cached(const http::RequestHead& request) {
  auto said = request.fields.joined(FieldId::cache_control);
  return said && http::parse_cache_control(*said).only_if_cached;
}

}  // namespace

Cached::Cached(loop::Worker& worker, loop::Runnable& waiter, Fetcher& fetcher, const http::RequestHead& request,
               edge::Lookup lookup, std::string_view node, std::shared_ptr<FetchNote> note)
    : worker_(worker),
      waiter_(waiter),
      fetcher_(fetcher),
      request_(request),
      outcome_(lookup.outcome),
      forward_(lookup.forward),
      detail_(lookup.detail),
      node_(node),
      note_(std::move(note)),
      followed_(std::move(lookup.reader)),
      stands_in_(lookup.stands_in) {
  if (!followed_) own_.emplace(std::move(lookup.object));
  if (note_) note_->asker = waker();
}

Cached::~Cached() {
  if (waker_) waker_->forget();
  if (note_) note_->asker.reset();
}

const std::shared_ptr<WorkerWaker>& Cached::waker() {
  if (!waker_) waker_ = std::make_shared<WorkerWaker>(worker_, waiter_);
  return waker_;
}

bool Cached::take_interim(std::string& out) {
  if (!note_ || note_->interims.empty()) return false;
  out = std::exchange(note_->interims, {});
  return true;
}

Source::Head Cached::head(Answer& answer) {
  edge::Reader::State state = reader().state();
  if (state == edge::Reader::State::pending) {
    reader().wait(waker());
    return Head::waiting;
  }
  if (state == edge::Reader::State::released) return Head::released;
  object_ = reader().object();
  if (!object_) return Head::failed;
  if (!prepared_) prepare(*object_);
  if (parts_ && !bodyless_ && request_.method != http::Method::head) {
    if (Head head = await_part(); head != Head::ready) return head;
    partial_ = partial_ || (outcome_ == edge::Outcome::hit && lacks_some());
  }
  answer.status = status_;
  answer.reason = http::reason_phrase(status_);
  if (status_ == object_->status()) answer.reason = object_->reason();
  answer.fields = several_ ? &several_->fields : &object_->fields();
  answer.validates = status_ == 304;
  if (!several_ && !answer.validates) answer.wire = object_->wire();
  answer.content_range = content_range_;
  answer.length = length_;
  int64_t age = object_->age_s(worker_.wall_ms());
  if (outcome_ == edge::Outcome::hit || reader().validated() || reader().stale_on_error() || stands_in_ || age > 0)
    answer.age_s = age;
  return Head::ready;
}

// The head is only sent when the first bytes are there: until then another way is open.
Source::Head Cached::await_part() {
  for (;;) {
    switch (parts_->state()) {
      case edge::PartsReader::State::more:
      case edge::PartsReader::State::end:
        return Head::ready;
      case edge::PartsReader::State::wait:
        parts_->wait(waker());
        return Head::waiting;
      case edge::PartsReader::State::failed:
        return Head::released;
      case edge::PartsReader::State::absent:
        if (only_if_cached(request_)) return Head::failed;
        if (!fetch_part()) return Head::released;
        break;
    }
  }
}

bool Cached::lacks_some() const {
  if (several_) {
    const auto& ranges = several_->body.ranges();
    return !std::all_of(ranges.begin(), ranges.end(), [this](auto& r) { return parts_->has(r.first, r.length); });
  }
  return !parts_->has(first_, *length_);
}

bool Cached::fetch_part() {
  auto writer = parts_->fetch();
  if (!writer) return true;  // somebody else just did
  partial_ = true;
  if (!note_) note_ = std::make_shared<FetchNote>();
  return fetcher_.fetch_part(std::move(writer), note_);
}

void Cached::prepare(const edge::Object& object) {
  prepared_ = true;
  if (object.parts()) parts_ = std::make_unique<edge::PartsReader>(object_);
  status_ = object.status();
  length_ = object.content_length();
  if (edge::not_modified(request_, object)) {
    status_ = 304;
    bodyless_ = true;
    length_.reset();
    return;
  }
  if (status_ == 200 && length_) prepare_range(object);
}

void Cached::prepare_range(const edge::Object& object) {
  if (!request_.fields.may_have(FieldId::range) || edge::range_is_void(request_, object)) return;
  std::optional<std::string_view> etag;
  if (!object.etag().empty()) etag = object.etag();
  std::optional<int64_t> date;
  if (auto text = object.fields().find(FieldId::date)) date = http::parse_date(*text);
  uint64_t size = *length_;
  http::RangeSet set =
      http::asked_ranges(request_.fields, request_.method, size, etag, http::parse_date(object.last_modified()), date);
  if (set.kind == http::RangeKind::ignore) return;
  if (set.kind == http::RangeKind::unsatisfiable) {
    status_ = 416;
    bodyless_ = true;
    content_range_ = "bytes */" + std::to_string(size);
    length_ = 0;
  } else if (set.ranges.size() == 1) {
    status_ = 206;
    content_range_ = http::content_range(set.ranges[0], size);
    select(set.ranges[0]);
    first_ = set.ranges[0].first;
    length_ = set.ranges[0].length;
  } else if (object.complete()) {  // of one that still grows, nobody should wait here for the end to send the beginning
    status_ = 206;
    std::string_view type = object.fields().find(FieldId::content_type).value_or(std::string_view{});
    several_ = std::make_unique<Several>(http::ByteRanges(std::move(set.ranges), size, type, worker_.rng().next()));
    several_->fields = object.fields();
    several_->fields.remove(FieldId::content_type);
    several_->fields.add("Content-Type", several_->body.content_type());
    length_ = several_->body.length();
    select(several_->body.ranges()[0]);
  }
}

Source::Flow Cached::proceed(Body& out, uint64_t most) {
  if (bodyless_) return Flow::end;
  if (!several_) return proceed_range(out, most);
  const http::ByteRanges& body = several_->body;
  size_t& next = several_->next;
  if (next > 0)
    if (Flow flow = proceed_range(out, most); flow != Flow::end) return flow;
  if (next == body.ranges().size()) {
    out.append(Slice::copy_of(body.tail()));
    return Flow::end;
  }
  out.append(Slice::copy_of(body.head(next)));
  select(body.ranges()[next]);
  ++next;
  return Flow::more;
}

void Cached::select(const http::ByteRange& range) {
  if (parts_) {
    parts_->select(range.first, range.length);
  } else {
    reader().select(range.first, range.length);
  }
}

Source::Flow Cached::proceed_parts(Body& out, uint64_t most) {
  for (;;) {
    switch (parts_->state()) {
      case edge::PartsReader::State::more:
        if (parts_->read(out, most) > 0)
          return parts_->state() == edge::PartsReader::State::end ? Flow::end : Flow::more;
        break;
      case edge::PartsReader::State::end:
        return Flow::end;
      case edge::PartsReader::State::wait:
        parts_->wait(waker());
        return Flow::wait;
      case edge::PartsReader::State::absent:
        if (!fetch_part()) return Flow::failed;
        break;
      case edge::PartsReader::State::failed:
        return Flow::failed;
    }
  }
}

Source::Flow Cached::proceed_range(Body& out, uint64_t most) {
  if (parts_) return proceed_parts(out, most);
  for (;;) {
    switch (reader().state()) {
      case edge::Reader::State::more:
        if (reader().read(out, most) > 0) return reader().state() == edge::Reader::State::end ? Flow::end : Flow::more;
        continue;
      case edge::Reader::State::end:
        return Flow::end;
      case edge::Reader::State::wait:
      case edge::Reader::State::pending:
        reader().wait(waker());
        return Flow::wait;
      default:
        return Flow::failed;
    }
  }
}

Text Cached::cache_status() const {
  edge::StatusNote note;
  note.outcome = outcome_;
  note.forward = forward_;
  note.detail = detail_;
  note.collapsed = outcome_ == edge::Outcome::follow;
  if (note_) note.forward_status = note_->status;
  if (partial_ && outcome_ == edge::Outcome::hit) {
    note.outcome = edge::Outcome::miss;
    note.forward = edge::Forward::partial;
  }
  if (object_) {
    bool stands_in = stands_in_ || reader().stale_on_error();
    note.stored = note.outcome != edge::Outcome::hit && object_->stored() && !stands_in && !reader().dropped();
    if (stands_in) note.detail = "stale-on-error";
    if (outcome_ == edge::Outcome::hit || note.stored || stands_in) note.ttl_s = object_->ttl_s(worker_.wall_ms());
  }
  return edge::cache_status(node_, note);
}

}  // namespace portolan::proxy
