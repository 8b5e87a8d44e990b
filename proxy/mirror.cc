#include "proxy/mirror.hh"

#include "proxy/proxy.hh"

namespace portolan::proxy {

const metrics::Family mirrored_total{
    "portolan_mirrored_requests_total",
    "Copies of requests for another pool, by how they ended: answered, failed, dropped, cut.",
    metrics::Type::counter,
    {"pool", "result"}};

Mirror::Mirror(Proxy& proxy, std::shared_ptr<Cluster> cluster, OriginRequest::Ask ask, const MirrorConfig& limits)
    : proxy_(proxy),
      most_buffered_(limits.buffer),
      most_answered_(limits.max_answer),
      answer_ms_(limits.timeout_ms),
      timer_(proxy.worker(), this, &loop::Calls<&Mirror::on_timeout>::call),
      origin_(proxy, std::move(cluster), std::move(ask), *this) {}

Mirror::~Mirror() {
  if (feed_) feed_->mirror_ = nullptr;
}

std::unique_ptr<MirrorFeed> Mirror::feed() {
  auto made = std::make_unique<MirrorFeed>(*this);
  feed_ = made.get();
  return made;
}

void Mirror::start() {
  origin_.start();
}

void Mirror::flush() {
  while (!over_ && !waiting_.empty() && origin_.wants_body()) {
    Slice bytes = waiting_.begin()->bytes;
    waiting_.consume(bytes.size);
    origin_.send_body(std::move(bytes));
  }
  if (over_ || !body_whole_ || !waiting_.empty() || timer_.armed()) return;
  timer_.set(answer_ms_);
  origin_.end_body({});
}

void Mirror::on_upload_room() {
  proxy_.worker().run_soon(*this);
}

void Mirror::on_body(Slice bytes) {
  answered_ += bytes.size;
  if (answered_ > most_answered_) end("cut");
}

void Mirror::on_end(const http::Fields&) {
  end("answered");
}

void Mirror::on_failure(const OriginFailure&, bool) {
  end("failed");
}

void Mirror::end(std::string_view result) {
  if (std::exchange(over_, true)) return;
  timer_.cancel();
  waiting_.clear();
  proxy_.count_mirrored(origin_.pool(), result);
  proxy_.end_mirror(*this);
}

MirrorFeed::~MirrorFeed() {
  if (!mirror_) return;
  mirror_->feed_ = nullptr;
  if (!mirror_->body_whole_) mirror_->end("dropped");
}

void MirrorFeed::send_body(Slice bytes) {
  if (!mirror_ || mirror_->over_) return;
  if (mirror_->waiting_.size() + bytes.size > mirror_->most_buffered_) return mirror_->end("dropped");
  mirror_->waiting_.append(std::move(bytes));
  mirror_->flush();
}

void MirrorFeed::end_body() {
  if (!mirror_ || std::exchange(mirror_->body_whole_, true)) return;
  mirror_->flush();
}

}  // namespace portolan::proxy
