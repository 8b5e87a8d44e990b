#include "proxy/fetch.hh"

#include <algorithm>

#include "proxy/filters.hh"
#include "proxy/proxy.hh"

namespace portolan::proxy {
namespace {

constexpr size_t most_interims = 16 * 1024;  // bytes that wait for a slow client; more are dropped
constexpr int64_t look_every_ms = 250;
constexpr int most_held_looks = 8;  // more of them than others, until who holds up is cut

}  // namespace

Fetch::Fetch(Proxy& proxy, std::shared_ptr<Cluster> cluster, OriginRequest::Ask ask,
             std::unique_ptr<edge::Writer> writer, std::shared_ptr<edge::Cache> cache, std::shared_ptr<FetchNote> note)
    : proxy_(proxy),
      cache_(std::move(cache)),
      writer_(std::move(writer)),
      note_(std::move(note)),
      waker_(std::make_shared<WorkerWaker>(proxy.worker(), *this)),
      look_(proxy.worker(), this, &loop::Calls<&Fetch::look_at_readers>::call),
      asked_ms_(proxy.worker().wall_ms()),
      origin_(proxy, std::move(cluster), std::move(ask), *this) {}

Fetch::~Fetch() {
  waker_->forget();
}

void Fetch::start() {
  origin_.start();
}

void Fetch::take_notes() {
  note_->server = origin_.server();
  note_->server_id = origin_.server_id();
  note_->tries = origin_.tries();
}

void Fetch::on_interim(const http::ResponseHead& head) {
  if (!note_->asker || note_->interims.size() > most_interims) return;
  write_interim(note_->interims, head);
  note_->asker->wake();
}

void Fetch::on_head(http::ResponseHead& head) {
  take_notes();
  note_->status = head.status;
  auto verdict = writer_->head(head, asked_ms_, proxy_.worker().wall_ms());
  discard_ = verdict == edge::Writer::Verdict::not_modified || verdict == edge::Writer::Verdict::stale_on_error;
  if (verdict == edge::Writer::Verdict::dropped) end();
}

void Fetch::on_body(Slice bytes) {
  if (discard_ || over_) return;
  writer_->append(std::move(bytes));
  if (!writer_->wanted()) end();
}

void Fetch::on_end(const http::Fields& trailers) {
  if (!discard_ && !over_) writer_->finish(trailers);
  end();
}

void Fetch::on_failure(const OriginFailure& failure, bool) {
  take_notes();
  using Failure = edge::Writer::Failure;
  if (!discard_ && !over_)
    writer_->abort(proxy_.worker().wall_ms(), failure.status,
                   failure.reached ? Failure::unanswered : Failure::unreachable);
  end();
}

bool Fetch::wants_more() {
  if (over_) return false;
  if (discard_ || writer_->writable()) return true;
  if (!look_.armed()) look_.set(look_every_ms);
  writer_->wait_writable(waker_);
  return writer_->writable();
}

// Readers of about the same speed wait for each other a little all the time. Who keeps others waiting most of it is cut.
void Fetch::look_at_readers() {
  if (over_) return;
  held_looks_ = std::max(0, held_looks_ + (writer_->held_up() ? 1 : -1));
  if (held_looks_ == most_held_looks) {
    held_looks_ = 0;
    writer_->cut_slow();
  }
  if (held_looks_ > 0 || !writer_->writable()) look_.set(look_every_ms);
}

void Fetch::run() {
  if (!over_) origin_.resume();
}

void Fetch::end() {
  if (over_) return;
  over_ = true;
  proxy_.end_fetch(*this);
}

}  // namespace portolan::proxy
