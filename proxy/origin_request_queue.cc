// A request to a pool whose servers are all full: it waits its turn, and looks for room when somebody leaves.
#include <algorithm>

#include "proxy/origin_request.hh"
#include "proxy/proxy.hh"

namespace portolan::proxy {

void OriginRequest::wait_for_room() {
  bool may_wait = !alone_ && cluster_->config().queue.size > 0 && cluster_->may_be_full(tried_, ask_.to);
  if (may_wait) place_ = QueuePlace::take(proxy_, *cluster_, *this, choosy());
  size_t index = may_wait && !(place_ && place_->may_look()) ? Balancer::none : pick_server();
  if (index != Balancer::none) {
    if (place_) place_->served();
    place_.reset();
    return take(index);
  }
  if (!place_) return give_up({503, true, "no server of pool " + cluster_->pool().name + " is left"});
  timer_.set(cluster_->config().queue.timeout_ms);
}

// Woken: a place was freed, or the pool is another.
void OriginRequest::look_for_room() {
  if (tries_ == 0) change_cluster(proxy_.newest(cluster_));
  size_t index = pick_server();
  if (index == Balancer::none) {
    place_->again(choosy());
    index = pick_server();
  }
  if (index == Balancer::none) return;
  place_->served();
  place_.reset();
  timer_.cancel();
  take(index);
}

// Its servers may stand in other places, the one that the client's cookie names among them.
void OriginRequest::change_cluster(std::shared_ptr<Cluster> newest) {
  if (newest == cluster_ || newest->config().shards != cluster_->config().shards) return;
  if (ask_.to.named != Steer::none) {
    const auto& members = newest->pool().members;
    const auto& named = cluster_->member(ask_.to.named).state;
    auto found = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.state == named; });
    ask_.to.named = found == members.end() ? Steer::none : static_cast<size_t>(found - members.begin());
  }
  cluster_ = std::move(newest);
}

}  // namespace portolan::proxy
