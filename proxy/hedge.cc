#include "proxy/hedge.hh"

#include "proxy/proxy.hh"
#include "proxy/retry_budget.hh"

namespace portolan::proxy {
namespace {

using metrics::Family;
using metrics::Type;

const Family hedges_total{"portolan_hedges_total",
                          "Second requests sent to another server because the first was slow to answer.",
                          Type::counter,
                          {"pool"}};
const Family hedges_won_total{
    "portolan_hedges_won_total", "Second requests whose answer came first.", Type::counter, {"pool"}};

}  // namespace

Hedge::Hedge(Proxy& proxy, OriginRequest& first, OriginRequest::Consumer& consumer)
    : proxy_(proxy),
      first_(first),
      consumer_(consumer),
      pool_(first.cluster_->pool().state),
      began_us_(proxy.worker().now_us()),
      timer_(proxy.worker(), this, &loop::Calls<&Hedge::on_time>::call) {
  const HedgeConfig& config = *first.ask_.hedge;
  int64_t after_ms = config.after_ms;
  if (config.percentile > 0) {
    int64_t us = pool_->first_byte.percentile_us(config.percentile, proxy.worker().now_ms());
    if (us < 0) return;  // not known yet
    after_ms = (us + 999) / 1000;
  }
  timer_.set(after_ms);
}

Hedge::~Hedge() = default;

void Hedge::on_time() {
  using State = OriginRequest::State;
  if (first_.state_ != State::connecting && first_.state_ != State::waiting) return;
  Cluster& cluster = *first_.cluster_;
  if (pool_->queue.must_wait()) return;  // those that wait come first
  Tried tried = first_.tried_;
  tried.push_back(first_.index_);
  size_t index = cluster.pick({tried, proxy_.worker().rng(), proxy_.worker().now_us(), first_.ask_.to});
  if (index == Balancer::none) return;
  if (!take_retry(*pool_, proxy_.worker().now_ms(), cluster.config().retry.budget)) {
    health::count_out(*pool_, *cluster.member(index).state);
    return;
  }
  proxy_.worker().metrics().counter(hedges_total, {cluster.pool().name}).add();
  first_.tried_.push_back(index);
  OriginRequest::Ask ask = first_.ask_;
  ask.hedge = nullptr;
  second_ = std::make_unique<OriginRequest>(proxy_, first_.cluster_, std::move(ask), *this);
  second_->begin_as_hedge(std::move(tried), index);
}

void Hedge::observe() {
  pool_->first_byte.observe_us(proxy_.worker().now_us() - began_us_);
}

void Hedge::first_answered() {
  timer_.cancel();
  observe();
  second_.reset();
}

bool Hedge::covers(const OriginFailure& failure) {
  timer_.cancel();
  if (won_ || !second_ || second_failed_) return false;
  first_failed_ = true;
  failure_ = failure;
  return true;
}

void Hedge::on_head(http::ResponseHead& head) {
  // One that the pool would try elsewhere is no win while the first may still bring a better.
  if (OriginRequest::Trouble trouble; !first_failed_ && second_->wants_another(head, trouble)) {
    second_failed_ = true;
    return second_->cancel();
  }
  won_ = true;
  observe();
  first_.cancel();
  proxy_.worker().metrics().counter(hedges_won_total, {first_.cluster_->pool().name}).add();
  consumer_.on_head(head);
}

void Hedge::on_failure(const OriginFailure& failure, bool amid_body) {
  if (won_) return consumer_.on_failure(failure, amid_body);
  second_failed_ = true;
  if (first_failed_) consumer_.on_failure(failure_, false);
}

}  // namespace portolan::proxy
