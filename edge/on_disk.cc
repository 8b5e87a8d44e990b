// The store's disk: what is stored is written there, too, and what memory doesn't have is looked for there before anybody
// asks a server. What is found becomes a resident like any other, over bytes in memory (small) or in the disk's file.
#include <unistd.h>
#include <xxhash.h>

#include "edge/encodings.hh"
#include "edge/memory.hh"
#include "edge/reader.hh"
#include "edge/saved.hh"

namespace portolan::edge {
namespace {

using Settlement = Content::Settlement;
using Kind = Content::Settlement::Kind;

constexpr int64_t kept_for_validation_ms = 24ll * 3600 * 1000;  // what has a validator, past its freshness
constexpr int64_t shortest_ms = 2'000;                          // what is of use for less isn't worth writing
constexpr uint64_t rewritten_bytes = 256 << 10;                 // bodies that are written again for every new head

int64_t useless_from(const Object& object) {
  const Freshness& f = object.freshness();
  bool validates = !object.etag().empty() || !object.last_modified().empty();
  int64_t past = std::max({f.stale_if_error_ms, f.stale_if_unreachable_ms, f.stale_while_revalidate_ms,
                           validates ? kept_for_validation_ms : int64_t{0}});
  return f.response_ms - f.initial_age_ms + f.lifetime_ms + past;
}

bool worth_saving(std::string_view key, const Object& object) {
  const Content& content = *object.content();
  if (!object.complete() || content.windowed() || content.trailers().size() > 0) return false;
  if (key.size() > Purge::longest_value) return false;  // what is purged by its URL has to be in the log
  return useless_from(object) - object.freshness().response_ms >= shortest_ms;
}

uint64_t digest_of(std::string_view names) {
  return XXH3_64bits(names.data(), names.size());
}

// nullopt: it isn't to be written, or can't be.
std::optional<disk::Record> record_of(std::string_view key, const Object& object, std::string_view names,
                                      std::string_view values) {
  if (!worth_saving(key, object)) return std::nullopt;
  Saved saved;
  saved.key = key;
  saved.names = names;
  saved.values = values;
  saved.origin = object.origin();
  saved.freshness = object.freshness();
  saved.status = object.status();
  saved.reason = object.reason();
  saved.lines = object.lines_as_received();
  saved.coded = object.encodings() != nullptr;
  saved.shows_tags = object.shows_tags();
  saved.tags = object.tags();
  disk::Record record;
  record.key = disk_key(key, names, values);
  record.sequence = object.sequence();
  record.useless_ms = useless_from(object);
  if (const auto& parts = object.parts()) {
    saved.kind = Saved::Kind::parts;
    saved.parts_id = parts->key(0).object;
    saved.parts_size = parts->size();
    saved.validator = parts->validator();
  } else if (!object.content()->copy_all(record.body)) {
    return std::nullopt;
  }
  record.meta = edge::save(saved);
  return record;
}

// Of use for as long as any variant is, so nobody knows how long.
disk::Record vary_record(std::string_view key, std::string_view names, uint64_t since, uint64_t sequence) {
  Saved vary;
  vary.kind = Saved::Kind::vary;
  vary.key = key;
  vary.names = names;
  vary.parts_id = since;
  disk::Record record;
  record.key = disk_key(key);
  record.sequence = sequence;
  record.useless_ms = INT64_MAX;
  record.meta = edge::save(vary);
  return record;
}

// A record under `key` that is what its key says; views of `text`, which stays in `found`.
std::optional<Saved> read_record(disk::Disk& disk, disk::Key at, std::string_view key, disk::Found& found) {
  if (disk.waits(at)) return std::nullopt;  // what is there is outdated
  std::optional<disk::Found> read = disk.read(at);
  if (!read) return std::nullopt;
  found = std::move(*read);
  std::optional<Saved> saved = read_saved(found.meta);
  if (!saved || saved->key != key) return std::nullopt;
  return saved;
}

}  // namespace

void Store::use_disk(std::shared_ptr<disk::Disk> disk, Executor* executor) {
  std::lock_guard lock(reconfigure_mutex_);
  const DiskTier* now = tier();
  if (now ? now->disk == disk : !disk) return;
  if (!disk) return tier_.store(nullptr, std::memory_order_release);
  disk->when_stalled([store = weak_from_this()] {
    if (auto alive = store.lock()) alive->give_up_loads();
  });
  bool same_store = now && now->disk->path() == disk->path();
  // Of what a request brought or ended until now, this one knows nothing.
  bool was_asked = counters_.misses.load() + counters_.stale.load() > 0;
  if (was_asked && !same_store) disk_floor_ = next_sequence();
  uint32_t number = same_store ? now->store : static_cast<uint32_t>(tiers_.size() + 1);
  tiers_.push_back(std::make_unique<DiskTier>(DiskTier{std::move(disk), executor, number}));
  tier_.store(tiers_.back().get(), std::memory_order_release);
}

// ── to the disk ──

// Whether the head of a large body, on the disk, may stand there for the one that a validation made of it: it says nothing
// that the new one doesn't, and is purged by the same.
bool Store::stands_for(const Object& before, const Object& now) {
  const Freshness &b = before.freshness(), &n = now.freshness();
  auto fresh_until = [](const Freshness& f) { return f.response_ms - f.initial_age_ms + f.lifetime_ms; };
  int64_t gained = fresh_until(n) - fresh_until(b);
  auto no_shorter = [&](int64_t old_ms, int64_t new_ms) { return gained + new_ms >= old_ms; };
  bool as_long = gained >= 0 && no_shorter(b.stale_while_revalidate_ms, n.stale_while_revalidate_ms) &&
                 no_shorter(b.stale_if_error_ms, n.stale_if_error_ms) &&
                 no_shorter(b.stale_if_unreachable_ms, n.stale_if_unreachable_ms);
  bool as_strict = b.no_cache == n.no_cache && b.must_revalidate == n.must_revalidate && b.immutable == n.immutable;
  return now.content()->size() > rewritten_bytes && as_long && as_strict && before.groups() == now.groups() &&
         before.tags().digests == now.tags().digests && before.shows_tags() == now.shows_tags();
}

void Store::save(const Keepsake& kept) {
  if (!kept.object || !tier()) return;
  std::optional<disk::Record> record = record_of(kept.key, *kept.object, kept.names, kept.values);
  std::lock_guard lock(kept.shard->mutex);
  const DiskTier* tier = this->tier();
  auto entry = kept.shard->entries.find(KeyHash{kept.key, kept.hash});
  if (!tier || entry == kept.shard->entries.end()) return;
  // Whoever took its place, or took it away, was later.
  for (const auto& v : entry->second->variants)
    if (v->object == kept.object) return write(*tier, *kept.shard, *v, std::move(record));
}

void Store::write(const DiskTier& tier, Shard& shard, Variant& variant, std::optional<disk::Record> record) {
  begin_sequence(tier.disk->last_sequence());  // should the clock have been set back over a restart
  Entry& entry = *variant.entry;
  uint64_t sequence = variant.object->sequence();
  if (entry.vary.since > sequence && entry.vary.names != digest_of(variant.names)) {
    // Later answers vary by something else: it is of no use there.
    variant.on_disk = 0;
    if (!variant.names.empty()) outdate(tier, entry.key, variant.names, variant.values, sequence);
    return;
  }
  VaryKnown before = std::exchange(entry.vary, {});
  for (Shard::Heard& heard : shard.heard)
    if (heard.hash == entry.hash) heard = {};
  bool known = before.since != 0 && before.names == digest_of(variant.names);
  bool varies = !variant.names.empty();
  variant.on_disk = 0;
  outdate_load(shard, entry.hash);
  if (record && varies) {
    entry.vary = known ? before : VaryKnown{digest_of(variant.names), sequence};
    if (!tier.disk->write(vary_record(entry.key, variant.names, entry.vary.since, sequence))) record.reset();
  }
  if (record && tier.disk->write(std::move(*record))) variant.on_disk = tier.store;
  if (variant.on_disk) return;
  outdate(tier, entry.key, variant.names, variant.values, sequence);
  if (varies && known) entry.vary = before;
  if (varies && !known) outdate(tier, entry.key, {}, {}, sequence);  // what doesn't vary may be there
}

void Store::outdate(const DiskTier& tier, std::string_view key, std::string_view names, std::string_view values,
                    uint64_t sequence) {
  disk::Key at = disk_key(key, names, values);
  disk::Removed removed = tier.disk->remove(at);
  if (removed == disk::Removed::nothing) return;
  Saved gone;
  gone.kind = Saved::Kind::gone;
  gone.key = key;
  gone.names = names;
  gone.values = values;
  disk::Record record;
  record.key = at;
  record.sequence = sequence;
  record.meta = edge::save(gone);
  tier.disk->write(std::move(record));
}

// What has been of use goes on being so on the disk. A version that the disk refused, or that came before there was one, is
// written now; or what it took the place of is gone.
void Store::demote(Shard& shard, Variant& variant) {
  const DiskTier* tier = this->tier();
  if (!tier || !variant.object) return;
  const std::string& key = variant.entry->key;
  bool used = variant.hits.load(std::memory_order_relaxed) > 0;
  if (variant.on_disk != tier->store)
    return write(*tier, shard, variant,
                 used ? record_of(key, *variant.object, variant.names, variant.values) : std::nullopt);
  if (used) touch_on_disk(variant);
}

void Store::outdate_load(Shard& shard, uint64_t hash) {
  if (auto load = shard.loads.find(hash); load != shard.loads.end()) load->second.outdated = true;
}

void Store::recall_vary(Shard& shard, Entry& entry) {
  for (const Shard::Heard& heard : shard.heard)
    if (heard.hash == entry.hash && heard.vary.since != 0) entry.vary = heard.vary;
}

void Store::hear_vary(Shard& shard, KeyHash key, VaryKnown vary) {
  if (vary.since == 0) return;
  if (auto entry = shard.entries.find(key); entry != shard.entries.end()) {
    if (entry->second->vary.since == 0) entry->second->vary = vary;
    return;
  }
  for (Shard::Heard& heard : shard.heard)
    if (heard.hash == key.hash) heard = {};
  shard.heard[shard.next_heard++ % shard.heard.size()] = {key.hash, vary};
}

void Store::save_fragment(FragmentKey key, const Content& content) {
  const DiskTier* tier = this->tier();
  if (!tier) return;
  Saved saved;
  saved.kind = Saved::Kind::fragment;
  disk::Record record;
  record.key = disk_key(key);
  record.sequence = key.object;
  record.useless_ms = INT64_MAX;
  if (!content.copy_all(record.body)) return;
  record.meta = edge::save(saved);
  tier->disk->write(std::move(record));
}

// A purge like any other: it is in the log, and nobody waits for that. Where nothing is on the disk nor waits to be, there
// is nothing to remember; with more than the URL in the keys nobody knows under which of them it may be.
void Store::invalidate_on_disk(std::string_view key, std::string url, int64_t now_ms) {
  const DiskTier* tier = this->tier();
  if (!tier || url.size() > Purge::longest_value) return;
  const bool nothing = tier->disk->remove(disk_key(key)) == disk::Removed::nothing;
  if (nothing && !extra_keys_.load(std::memory_order_relaxed)) return;
  purges_.add({PurgeKind::url, std::move(url), false}, now_ms, {});
}

void Store::invalidate_on_disk(const std::vector<uint64_t>& groups, int64_t now_ms) {
  if (!tier()) return;
  for (uint64_t group : groups) purges_.add({PurgeKind::tag, group_tag(group), false}, now_ms, {});
}

// ── from the disk ──

bool Store::is_on_disk(std::string_view key, const Entry* entry, const http::Fields& request) const {
  const DiskTier* tier = this->tier();
  if (!tier) return false;
  if (!entry || entry->variants.empty() || entry->names.empty()) return tier->disk->may_have(disk_key(key));
  // What its answers vary by is known: only the one that fits is of use.
  std::string values;
  vary_values(entry->names, request, values);
  return tier->disk->may_have(disk_key(key, entry->names, values));
}

std::unique_ptr<Reader> Store::load(Place& at, const Entry* entry, const RequestView& request) {
  const DiskTier* tier = this->tier();
  if (!tier || request.asked_disk || !is_on_disk(at.key.key, entry, request.head.fields)) return nullptr;
  auto under_way = at.shard.loads.find(at.key.hash);
  if (under_way != at.shard.loads.end())
    return std::unique_ptr<Reader>(
        new Reader(under_way->second.waiting, std::make_unique<RequestCopy>(request.head), nullptr));
  auto content = std::make_shared<Content>(ledger_);
  auto reader = std::unique_ptr<Reader>(new Reader(content, nullptr, nullptr));
  auto asked = std::make_shared<RequestCopy>(request.head);
  auto work = [store = shared_from_this(), tier, content, asked, &shard = at.shard, hash = at.key.hash,
               key = std::string(at.key.key)] {
    store->fetch_from_disk(*tier, shard, {key, hash}, *asked, content);
  };
  if (!tier->executor->submit(std::move(work))) return nullptr;
  at.shard.loads[at.key.hash].waiting = std::move(content);
  return reader;
}

void Store::read_from_disk(const DiskTier& tier, std::string_view key, const http::Fields& asked,
                           DiskRecord& out) const {
  out.saved = read_record(*tier.disk, disk_key(key), key, out.found);
  out.outdated = out.saved && outdated(out.found, 0);
  if (out.outdated) out.saved.reset();
  if (!out.saved || out.saved->kind != Saved::Kind::vary) return;
  out.names = out.saved->names;
  out.vary = {digest_of(out.names), out.saved->parts_id};
  vary_values(out.names, asked, out.values);
  out.saved = read_record(*tier.disk, disk_key(key, out.names, out.values), key, out.found);
  out.other_values = !out.saved || out.saved->names != out.names || out.saved->values != out.values;
  out.outdated = !out.other_values && outdated(out.found, out.vary.since);
  if (out.other_values || out.outdated) out.saved.reset();
}

void Store::fetch_from_disk(const DiskTier& tier, Shard& shard, KeyHash key, const RequestCopy& asked,
                            const std::shared_ptr<Content>& waiting) {
  DiskRecord record;
  read_from_disk(tier, key.key, asked.fields, record);
  if (record.saved) take_in(tier, shard, key, *record.saved, record.found, record.vary, *waiting);
  {
    std::lock_guard lock(shard.mutex);
    auto load = shard.loads.find(key.hash);
    if (load != shard.loads.end() && load->second.waiting == waiting) {
      if (!load->second.outdated) hear_vary(shard, key, record.vary);
      shard.loads.erase(load);
    }
  }
  waiting->settle([&](const Reader& reader) {
    Settlement s;
    s.kind = Kind::retry;
    // Of another variant's, the disk is to be asked again.
    std::string theirs;
    if (reader.request_) vary_values(record.names, reader.request_->fields, theirs);
    s.asked_disk = !reader.request_ || theirs == record.values;
    return s;
  });
  waiting->fail();
}

void Store::take_in(const DiskTier& tier, Shard& shard, KeyHash key, const Saved& saved, disk::Found& found,
                    VaryKnown vary, const Content& waiting) {
  if (saved.kind != Saved::Kind::whole && saved.kind != Saved::Kind::parts) return;
  http::ResponseHead head;
  head.status = saved.status;
  head.reason = saved.reason;
  if (!read_lines(saved.lines, head.fields)) return;
  auto content = std::make_shared<Content>(ledger_);
  auto variant = std::make_unique<Variant>();
  variant->names = saved.names;
  variant->values = saved.values;
  variant->object = ObjectBuilder::restored(saved, head, content, found.sequence,
                                            saved.coded ? Encodings::of(rules(), head) : nullptr);
  uint64_t fixed =
      index_bytes + key.key.size() * 2 + variant->object->head_bytes() + (saved.names.size() + saved.values.size()) * 2;
  content->set_fixed_cost(fixed);
  if (!reserve(content->charge(), fixed)) return;
  if (saved.kind == Saved::Kind::parts) {
    auto parts = std::make_shared<Parts>(shared_from_this(), saved.parts_id, saved.parts_size, saved.validator);
    parts->shard_ = &shard;
    parts->entry_key_ = key.key;
    parts->entry_hash_ = key.hash;
    content->set_parts(std::move(parts));
    content->complete({});
  } else if (!fill_from(tier, found, *content)) {
    return;
  }
  disk::Key stands = disk_key(key.key, saved.names, saved.values);
  if (!fits_profile(rules(), *variant->object)) {
    tier.disk->remove(stands);
    return;
  }
  tier.disk->touch(stands);
  if (!saved.names.empty()) tier.disk->touch(disk_key(key.key));
  std::lock_guard lock(shard.mutex);
  auto load = shard.loads.find(key.hash);
  bool awaited = load != shard.loads.end() && load->second.waiting.get() == &waiting;
  if (!awaited || load->second.outdated) return;
  // Whoever stored another one meanwhile, or found it to be of no use any more, was later.
  if (!tier.disk->may_have(stands) || fate(key.key, *variant->object).how == Purged::hard) return;
  Entry& entry = entry_for(shard, key);
  for (const auto& v : entry.variants)
    if (v->names == variant->names && v->values == variant->values) return;
  if (entry.variants.empty()) entry.names = variant->names;
  if (entry.vary.since == 0) entry.vary = vary;
  variant->on_disk = tier.store;
  insert(shard, entry, std::move(variant));
  counters_.promoted.fetch_add(1, std::memory_order_relaxed);
}

// Small bodies are read now; larger ones stay where they are, and leave by sendfile(2).
bool Store::fill_from(const DiskTier& tier, disk::Found& found, Content& content) {
  if (!found.bytes && found.length >= Content::least_paged) {
    content.complete_on(tier.disk.get(), found, tier.executor);
    return true;
  }
  if (!found.bytes && found.length > 0) {
    found.bytes = BlockRef::make(found.length);
    ssize_t n = ::pread(found.file->fd(), found.bytes->data(), found.length, found.offset);
    if (n != static_cast<ssize_t>(found.length)) return false;
  }
  return take_bytes(found, content);
}

bool Store::take_bytes(disk::Found& found, Content& content) {
  if (found.length > 0) {
    Slice bytes;
    bytes.data = found.bytes->data();
    bytes.block = std::move(found.bytes);
    bytes.size = found.length;
    content.declare(found.length);
    if (!reserve(content.charge(), content.cost_of(bytes))) return false;
    content.append(std::move(bytes));
  }
  content.complete({});
  return true;
}

bool Store::on_disk(FragmentKey key) const {
  const DiskTier* tier = this->tier();
  return tier && tier->disk->may_have(disk_key(key));
}

// Stands in the index like one that is being fetched, so that others wait for it.
std::shared_ptr<Content> Store::load_fragment(FragmentKey key) {
  const DiskTier* tier = this->tier();
  if (!tier || !on_disk(key)) return nullptr;
  auto content = std::make_shared<Content>(ledger_);
  content->set_fixed_cost(fragment_fixed_bytes);
  if (!reserve(content->charge(), fragment_fixed_bytes) || !begin_fragment(key, content, nullptr)) return nullptr;
  auto work = [store = shared_from_this(), tier, key, content] {
    std::optional<disk::Found> found = tier->disk->read(disk_key(key));
    std::optional<Saved> saved = found ? read_saved(found->meta) : std::nullopt;
    if (saved && saved->kind == Saved::Kind::fragment) {
      tier->disk->touch(disk_key(key));
      if (!found->bytes)
        content->complete_on(tier->disk.get(), *found, tier->executor);
      else if (!store->take_bytes(*found, *content))
        return store->drop_fragment(key, *content), content->fail();
      store->keep_fragment(key, *content);
    } else {
      tier->disk->remove(disk_key(key));
      store->drop_fragment(key, *content);
      content->fail();
    }
  };
  if (tier->executor->submit(std::move(work))) return content;
  drop_fragment(key, *content);
  content->fail();
  return nullptr;
}

}  // namespace portolan::edge
