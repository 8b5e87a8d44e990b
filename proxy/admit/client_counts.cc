#include "proxy/admit/client_counts.hh"

#include <algorithm>

namespace portolan::proxy {

ClientCounts::ClientCounts(size_t most_in_all)
    : key_(crypto::HashKey::fresh()), slots_(std::min<size_t>(most_in_all * 4, uncounted / 2), ways) {}

ClientCounts::Entry ClientCounts::acquire(std::string_view scope, const IpAddress& client, uint64_t most) {
  IpAddress whole = client.is_v6() ? client.masked(64) : client;
  uint64_t hash = crypto::keyed_hash(key_, {reinterpret_cast<const char*>(whole.bytes.data()), whole.size()});
  hash ^= crypto::keyed_hash(key_, scope) * 2;
  const uint64_t tag = std::max<uint64_t>(1, hash >> count_bits) << count_bits;
  uint64_t* set = slots_.set_of(hash);
  for (;;) {
    // Two workers that meet a client first at the same time make two entries: the sum counts.
    uint64_t sum = 0, mine = 0;
    uint64_t *own = nullptr, *free = nullptr;
    for (size_t i = 0; i < ways; ++i) {
      uint64_t word = read_slot(set[i]);
      if (word == 0) {
        if (!free) free = &set[i];
      } else if ((word ^ tag) <= highest) {
        sum += count(word);
        if (!own) own = &set[i], mine = word;
      }
    }
    if (sum >= most) return refused;
    if (!own && !free) return uncounted;
    uint64_t* slot = own ? own : free;
    if (!change_slot(*slot, mine, own ? mine + 1 : tag + 1)) continue;
    auto entry = static_cast<Entry>(slot - slots_.begin());
    sum = 0;
    for (size_t i = 0; i < ways; ++i)
      if (uint64_t word = read_slot(set[i]); word != 0 && (word ^ tag) <= highest) sum += count(word);
    if (sum <= most) return entry;
    release(entry);
    return refused;
  }
}

void ClientCounts::release(Entry entry) {
  if (entry >= uncounted) return;
  uint64_t& slot = slots_.begin()[entry];
  for (;;) {
    uint64_t word = read_slot(slot);
    if (change_slot(slot, word, count(word) == 1 ? 0 : word - 1)) return;
  }
}

}  // namespace portolan::proxy
