#include "proxy/source/upstream.hh"

#include "proxy/filters.hh"
#include "proxy/proxy.hh"

namespace portolan::proxy {
namespace {

constexpr uint64_t high_water = 256 * 1024;  // bytes waiting for a slow client: reading stops
constexpr uint64_t low_water = 128 * 1024;   // and goes on here
constexpr uint64_t least_water = 16 * 1024;  // high water, while memory is tight

}  // namespace

Upstream::Upstream(Proxy& proxy, std::shared_ptr<Cluster> cluster, OriginRequest::Ask ask, loop::Runnable& waiter)
    : proxy_(proxy),
      worker_(proxy.worker()),
      waiter_(waiter),
      origin_(proxy, std::move(cluster), std::move(ask), *this) {}

void Upstream::wake() {
  worker_.run_soon(waiter_);
}

Source::Head Upstream::head(Answer& answer) {
  if (!has_head_) return failed_ ? Head::failed : Head::waiting;
  answer.status = head_.status;
  answer.reason = head_.reason;
  answer.fields = &head_.fields;
  if (head_.framing == http::Framing::length) answer.length = head_.content_length;
  if (head_.framing == http::Framing::none) answer.length = 0;
  return Head::ready;
}

Source::Flow Upstream::proceed(Body& out, uint64_t most) {
  if (pending_.empty()) {
    if (failed_) return Flow::failed;
    return ended_ ? Flow::end : Flow::wait;
  }
  pending_.move_front(out, most);
  if (paused_ && pending_.size() <= low_water) {
    paused_ = false;
    origin_.resume();
  }
  return ended_ && pending_.empty() ? Flow::end : Flow::more;
}

bool Upstream::take_interim(std::string& out) {
  if (interim_.empty()) return false;
  out = std::move(interim_);
  interim_.clear();
  return true;
}

void Upstream::on_interim(const http::ResponseHead& head) {
  write_interim(interim_, head);
  wake();
}

void Upstream::on_head(http::ResponseHead& head) {
  std::swap(head_, head);  // the connection's parser begins its next head afresh
  has_head_ = true;
  wake();
}

void Upstream::on_body(Slice bytes) {
  pending_.append(std::move(bytes));
  wake();
}

void Upstream::on_end(const http::Fields& trailers) {
  if (trailers.size() > 0) copy_fields(trailers, trailer_bytes_, trailers_);
  ended_ = true;
  wake();
}

void Upstream::on_failure(const OriginFailure& failure, bool) {
  failure_ = failure;
  failed_ = true;
  wake();
}

bool Upstream::wants_more() {
  uint64_t waiting = pending_.size();
  if (waiting >= least_water && (waiting >= high_water || proxy_.memory_tight())) paused_ = true;
  return !paused_;
}

void Upstream::on_upload_room() {
  wake();
}

}  // namespace portolan::proxy
