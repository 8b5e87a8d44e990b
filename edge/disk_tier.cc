// What memory and the disk tell each other beside the bytes (those: on_disk.cc): that something is of use, and that the
// disk doesn't answer.
#include "edge/memory.hh"
#include "edge/reader.hh"
#include "edge/saved.hh"

namespace portolan::edge {

// Beside the record of the answer itself that which says what its answers vary by.
void Store::touch_on_disk(const Variant& variant) {
  const DiskTier* tier = this->tier();
  if (!tier) return;
  const std::string& key = variant.entry->key;
  if (!variant.names.empty()) tier->disk->touch(disk_key(key));
  tier->disk->touch(disk_key(key, variant.names, variant.values));
}

void Store::touch_on_disk(const Fragment& fragment) {
  if (const DiskTier* tier = this->tier()) tier->disk->touch(disk_key(fragment.key));
}

// Who began to wait for the disk goes on without it. What it still finds nobody wants any more.
void Store::give_up_loads() {
  using Kind = Content::Settlement::Kind;
  std::vector<std::shared_ptr<Content>> waited_for;
  std::vector<std::unique_ptr<Fragment>> fragments;  // they die after the lock
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard->mutex);
    for (auto& [hash, load] : shard->loads) waited_for.push_back(std::move(load.waiting));
    shard->loads.clear();
    std::vector<Fragment*> loading;
    for (auto& [key, fragment] : shard->fragments)
      if (fragment->loading && !fragment->whole) loading.push_back(fragment.get());
    for (Fragment* fragment : loading) fragments.push_back(take(*shard, *fragment));
  }
  for (const auto& content : waited_for) {
    content->settle([](const Reader&) {
      Content::Settlement s;
      s.kind = Kind::retry;
      s.asked_disk = true;
      return s;
    });
    content->fail();
  }
  for (const auto& fragment : fragments) fragment->held->fail();
}

}  // namespace portolan::edge
