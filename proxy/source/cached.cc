#include "proxy/source/cached.hh"

#include "core/http/semantics.hh"

namespace portolan::proxy {

using http::FieldId;

Cached::Cached(loop::Worker& worker, loop::Runnable& waiter, const http::RequestHead& request, edge::Lookup lookup,
               std::string_view node, std::shared_ptr<FetchNote> note)
    : worker_(worker),
      waiter_(waiter),
      request_(request),
      outcome_(lookup.outcome),
      forward_(lookup.forward),
      detail_(lookup.detail),
      node_(node),
      note_(std::move(note)),
      followed_(std::move(lookup.reader)) {
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
  answer.status = status_;
  answer.reason = http::reason_phrase(status_);
  if (status_ == object_->status()) answer.reason = object_->reason();
  answer.fields = &object_->fields();
  answer.wire = object_->wire();
  answer.content_range = content_range_;
  answer.length = length_;
  int64_t age = object_->age_s(worker_.wall_ms());
  if (outcome_ == edge::Outcome::hit || reader().validated() || reader().stale_on_error() || age > 0)
    answer.age_s = age;
  return Head::ready;
}

void Cached::prepare(const edge::Object& object) {
  prepared_ = true;
  status_ = object.status();
  length_ = object.content_length();
  if (edge::not_modified(request_, object)) {
    status_ = 304;
    bodyless_ = true;
    length_.reset();
    return;
  }
  if (status_ == 200 && length_ && object.complete()) prepare_range(object);
}

void Cached::prepare_range(const edge::Object& object) {
  auto range = request_.fields.find(FieldId::range);
  if (!range || request_.method != http::Method::get) return;
  if (auto condition = request_.fields.find(FieldId::if_range)) {
    std::optional<std::string_view> etag;
    if (!object.etag().empty()) etag = object.etag();
    std::optional<int64_t> date;
    if (auto text = object.fields().find(FieldId::date)) date = http::parse_date(*text);
    if (!http::if_range_matches(*condition, etag, http::parse_date(object.last_modified()), date)) return;
  }
  uint64_t size = *length_;
  http::RangeSet set = http::parse_range(*range, size);
  if (set.kind == http::RangeKind::unsatisfiable) {
    status_ = 416;
    bodyless_ = true;
    content_range_ = "bytes */" + std::to_string(size);
    length_ = 0;
  } else if (set.kind == http::RangeKind::ranges && set.ranges.size() == 1) {
    status_ = 206;
    content_range_ = http::content_range(set.ranges[0], size);
    reader().select(set.ranges[0].first, set.ranges[0].length);
    length_ = set.ranges[0].length;
  }
}

Source::Flow Cached::proceed(Body& out, uint64_t most) {
  if (bodyless_) return Flow::end;
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
  if (object_) {
    bool stands_in = reader().stale_on_error();
    note.stored = outcome_ != edge::Outcome::hit && object_->stored() && !stands_in;
    if (stands_in) note.detail = "stale-on-error";
    if (outcome_ == edge::Outcome::hit || note.stored || stands_in) note.ttl_s = object_->ttl_s(worker_.wall_ms());
  }
  return edge::cache_status(node_, note);
}

}  // namespace portolan::proxy
