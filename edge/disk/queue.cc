#include "edge/disk/queue.hh"

#include <utility>

namespace portolan::edge::disk {

bool Queue::add(Record record, bool stood) {
  constexpr uint64_t of_item = 256;  // what it takes besides
  uint64_t bytes = record.body.size() + record.meta.size() + of_item;
  std::lock_guard lock(mutex_);
  if (auto it = latest_.find(record.key); it != latest_.end() && it->second.sequence > record.sequence) return true;
  if (bytes_ + bytes > most_bytes) return false;
  bytes_ += bytes;
  uint64_t ticket = next_ticket_++;
  latest_[record.key] = {ticket, record.sequence};
  waiting_.push_back({std::move(record), stood, ticket, bytes});
  return true;
}

std::vector<Queue::Item> Queue::take(uint64_t bytes) {
  std::vector<Item> out;
  std::lock_guard lock(mutex_);
  for (uint64_t taken = 0; !waiting_.empty() && taken < bytes; waiting_.pop_front()) {
    taken += waiting_.front().bytes;
    out.push_back(std::move(waiting_.front()));
  }
  return out;
}

bool Queue::wanted(const Item& item) const {
  std::lock_guard lock(mutex_);
  auto it = latest_.find(item.record.key);
  return it != latest_.end() && it->second.ticket == item.ticket;
}

size_t Queue::drop_all(const std::function<void(Key)>& dropped) {
  std::deque<Item> gone;  // freed outside the lock
  std::lock_guard lock(mutex_);
  gone.swap(waiting_);
  for (const Item& item : gone) {
    bytes_ -= item.bytes;
    auto it = latest_.find(item.record.key);
    if (it == latest_.end() || it->second.ticket != item.ticket) continue;
    latest_.erase(it);
    dropped(item.record.key);
  }
  return gone.size();
}

bool Queue::has(Key key) const {
  std::lock_guard lock(mutex_);
  return latest_.contains(key);
}

bool Queue::empty() const {
  std::lock_guard lock(mutex_);
  return waiting_.empty();
}

}  // namespace portolan::edge::disk
