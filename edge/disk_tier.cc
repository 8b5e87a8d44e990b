// What memory and the disk tell each other beside the bytes (those: on_disk.cc): that something is of use, and that the
// disk doesn't answer.
#include "edge/memory.hh"
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

}  // namespace portolan::edge
