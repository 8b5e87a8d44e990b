#pragma once
// The index: sharded, each shard with its lock and its entries. An entry is one primary key; its
// variants are stored objects, its fills the fetches in progress for it. Memory is accounted
// globally in a Ledger; what goes when it is full is one order for all shards (Residents).
//
// Locks: a shard's, then a content's or the residents'; never two shards'. Objects are destroyed
// outside of locks.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/cache.hh"
#include "edge/content.hh"
#include "edge/disk/disk.hh"
#include "edge/evict/residents.hh"
#include "edge/inspect.hh"
#include "edge/parts.hh"
#include "edge/purge/purges.hh"
#include "edge/rules.hh"
#include "edge/saved.hh"

namespace portolan::edge {

class Fill;
class Run;
struct Entry;

// What is stored may be older than the profile: false where this one would not have let it be stored.
inline bool fits_profile(const Rules& rules, const Object& object) {
  return object.safe() || !rules.cdn_safe;
}

// A stored object, or (without one) the note that answers for this key are not shared for a while:
// requests that find it fetch side by side instead of one after the other.
struct Variant : Resident {
  Entry* entry = nullptr;
  ObjectRef object;
  std::string names;   // of vary_names()
  std::string values;  // of vary_values()
  int64_t note_until_ms = 0;
  bool only_ranges = false;       // a note that parts can't be kept; the whole may be
  std::shared_ptr<Content> held;  // of a note: carries its charge
  Fill* validator = nullptr;      // what validates it while it is served
  int64_t validate_again_ms = 0;  // not before: the last time failed
  uint64_t purges_seen = 0;       // the PurgeClock's generation when it was found unpurged
  uint32_t on_disk = 0;           // the store (DiskTier::store) that took this version, or gave it; 0: none
};

// By what a key's answers vary, and since which of them: of others by the same fields, but older, there have been answers
// by other ones in between, and they count no more. `since` 0: nobody knows, or they don't vary.
struct VaryKnown {
  uint64_t names = 0;  // a digest
  uint64_t since = 0;  // a sequence
};

struct Entry {
  std::string key;
  uint64_t hash = 0;
  uint64_t requests = 0;                           // lookups
  std::string names;                               // Vary of the newest answer: guesses who may wait for whom
  VaryKnown vary;                                  // what the disk says of its Vary
  std::vector<std::unique_ptr<Variant>> variants;  // the newest last
  std::unique_ptr<Variant> note;
  Fill* shared_fills = nullptr;  // others may follow
  Fill* private_fills = nullptr;
  bool idle() const { return variants.empty() && !note && !shared_fills && !private_fills; }
};

// A piece of an object that is kept in fragments: its bytes are `held`, and it has no entry. Being filled until its run
// is done with it; only then the policy knows it.
struct Fragment : Variant {
  FragmentKey key;
  std::weak_ptr<Run> run;
  bool whole = false;    // and among the residents
  bool loading = false;  // it is read from the disk, and is not a run's
};
struct FragmentHash {
  size_t operator()(const FragmentKey& k) const {
    return (k.object * 0x9e3779b97f4a7c15 + k.number) * 0xff51afd7ed558ccd;
  }
};

struct KeyHash {
  std::string_view key;
  uint64_t hash = 0;
  bool operator==(const KeyHash& o) const { return hash == o.hash && key == o.key; }
};
struct TakeHash {
  size_t operator()(const KeyHash& k) const { return k.hash; }
};

// Who waits for what is being read from the disk.
struct Load {
  std::shared_ptr<Content> waiting;
  bool outdated = false;  // a newer answer came meanwhile
};

struct Shard {
  std::mutex mutex;
  uint16_t number = 0;
  std::unordered_map<KeyHash, std::unique_ptr<Entry>, TakeHash> entries;
  std::unordered_multimap<uint64_t, Entry*> by_url;  // entries with more than the URL in their keys; by the URL's hash
  std::unordered_map<FragmentKey, std::unique_ptr<Fragment>, FragmentHash> fragments;
  std::unordered_map<uint64_t, Load> loads;  // by the key's hash
  // What the disk was found to say of keys that have no entry, yet: the last few.
  struct Heard {
    uint64_t hash = 0;
    VaryKnown vary;
  };
  std::array<Heard, 16> heard;
  unsigned next_heard = 0;
};

// What a stored object costs beside its head and body: index entry, variant, table node, allocator.
inline constexpr size_t index_bytes = sizeof(Entry) + sizeof(Variant) + sizeof(Content) + 160;
inline constexpr uint64_t fragment_fixed_bytes = sizeof(Content) + sizeof(Fragment) + 128;

// A disk and who waits for it.
struct DiskTier {
  std::shared_ptr<disk::Disk> disk;
  Executor* executor = nullptr;
  uint32_t store = 0;  // another one for each directory that there has been
};
// What is to be written of a stored object.
struct Keepsake {
  Shard* shard = nullptr;
  uint64_t hash = 0;
  std::string key;
  ObjectRef object;
  std::string names, values;
};

struct Counters {
  std::atomic<uint64_t> objects{0}, fragments{0}, hits{0}, misses{0}, stale{0}, bypasses{0}, collapsed{0};
  std::atomic<uint64_t> promoted{0};
  std::atomic<uint64_t> fills{0}, filling{0}, validated{0}, evictions{0}, purged{0}, too_large{0};
};

class Store : public std::enable_shared_from_this<Store> {
 public:
  Store(const CacheConfig& config, uint64_t seed);
  ~Store();

  Lookup find(const RequestView& request);
  PurgeReceipt purge(const Purge& purge, int64_t now_ms, std::function<void(Status)> durable);
  void keep_purges(PurgeLog::Opened opened);
  const Purges& purges() const { return purges_; }
  // The next number is higher.
  void begin_sequence(uint64_t at_least);
  void invalidate(const RequestView& request, const http::ResponseHead& response);
  std::unique_ptr<Writer> adopt(const RequestView& request, const http::ResponseHead& response, int64_t request_ms,
                                int64_t response_ms);
  bool dress(const RequestView& request, const http::ResponseHead& answer, http::Fields& dressed) const;
  bool dresses() const;
  bool splices(const http::RequestHead& request, const http::ResponseHead& answer) const;
  ObjectRef stand_in(const RequestView& request, Object::StandIn in_place_of);
  void reconfigure(const CacheConfig& config);
  Stats stats() const;
  Inspection inspect(const RequestView& request, bool read_disk);
  std::vector<HotKey> top(size_t most);
  std::vector<std::string> hot_urls(size_t most);
  // Lives as long as the store.
  const Rules& rules() const { return *rules_.load(std::memory_order_acquire); }

  // ── for fills ──
  // Takes `bytes` on `charge`, evicting what it must, but never more than it asks for. False: no
  // room.
  bool reserve(Charge& charge, uint64_t bytes);
  uint64_t next_sequence() { return sequence_.fetch_add(1, std::memory_order_acq_rel) + 1; }
  // True while the fill is still the index's; then notes what is known of its answer, so that
  // others may follow.
  bool announce(Fill& fill, ObjectRef object, std::string names, std::string values);
  // The fill's object becomes a variant, replacing what matched its request.
  void commit(Fill& fill);
  // The stale object of `fill` becomes `fresh`.
  void replace(Fill& fill, ObjectRef fresh, std::string names);
  // Takes the fill out of the index. `note_ms` > 0: and requests of its key don't wait for each
  // other until then. `drop_stale`: the object it was to validate is no longer good.
  // `only_ranges`: only those for ranges don't.
  void retire(Fill& fill, int64_t note_until_ms, bool drop_stale, bool only_ranges = false);
  // The fill came to nothing: who is served its stale object meanwhile doesn't ask for another before `until_ms`.
  void pause_validation(Fill& fill, int64_t until_ms);
  // How an invalidation or a purge later than `object`'s fetch began reaches it. A shard's lock held.
  PurgeClock::Verdict fate(std::string_view key, const Object& object) const;
  bool cut(std::string_view key, const Object& object) const { return fate(key, object).how != Purged::no; }
  bool stale_is_gone(const Fill& fill) const;  // what it validates was purged meanwhile
  // ── for runs and those who read parts ──
  struct FragmentFound {
    std::shared_ptr<Content> content;
    std::shared_ptr<Run> run;  // while it is being filled
  };
  FragmentFound find_fragment(FragmentKey key);
  bool has_fragment(FragmentKey key);
  void touch(Parts& parts);  // their head is of use: without it the index knows nothing of them
  // False: it is there, or on its way.
  bool begin_fragment(FragmentKey key, std::shared_ptr<Content> content, const std::shared_ptr<Run>& run);
  void keep_fragment(FragmentKey key, const Content& content);  // it is whole
  void drop_fragment(FragmentKey key, const Content& content);
  // These parts' object leaves the index; who reads them goes on with what is stored.
  void outdate(Parts& parts);
  Counters& counters() { return counters_; }
  void use_disk(std::shared_ptr<disk::Disk> disk, Executor* executor);
  // A stored fragment that has to be read; null: it isn't there, or somebody just began.
  std::shared_ptr<Content> load_fragment(FragmentKey key);
  bool on_disk(FragmentKey key) const;
  void save_fragment(FragmentKey key, const Content& content);
  void compress_on(Executor* executor) { executor_.store(executor, std::memory_order_release); }
  const std::shared_ptr<Ledger>& ledger() { return ledger_; }

 private:
  using Graveyard = std::vector<std::unique_ptr<Variant>>;
  struct Place {
    Shard& shard;
    KeyHash key;
  };
  Place place(std::string_view key, size_t primary_length);
  Shard& shard_of(uint64_t primary_hash);
  std::optional<uint64_t> hash_of_url(const Entry& entry) const;
  Shard& shard_of(FragmentKey key, uint64_t& hash);
  // These: the shard's lock held.
  Entry& entry_for(Shard& shard, KeyHash key);
  Variant* match(Entry& entry, const http::Fields& request);
  Variant* select(Entry& entry, const http::Fields& request);  // the same, or one as good
  Fill* followable(Entry& entry, const RequestFacts& facts, const RequestView& request);
  void remove(Variant& variant, Graveyard& graves);
  // False: it was purged or invalidated, and has to go. Purged softly, it is stale from here on.
  bool survives(Variant& variant, int64_t now_ms) {
    if (variant.purges_seen != purges_.clock().generation()) return survives_purges(variant, now_ms);
    return !groups_.cut(variant.object->groups(), variant.object->sequence());
  }
  // False: its body was on the disk, and is there no more.
  static bool stands(const Variant& variant) {
    const Content& content = *variant.object->content();
    return !content.on_disk() || content.hold();
  }
  bool survives_purges(Variant& variant, int64_t now_ms);
  static Variant* head_of(const Parts& parts);
  std::unique_ptr<Fragment> take(Shard& shard, Fragment& fragment);
  void insert(Shard& shard, Entry& entry, std::unique_ptr<Variant> variant);
  void drop_if_idle(Shard& shard, Entry& entry);
  void commit(Fill& fill, Keepsake& kept);
  void replace(Fill& fill, ObjectRef fresh, std::string names, Keepsake& kept);
  void unlink(Entry& entry, Fill& fill);
  // Whatever else the request of `fill` would get: its answer is newer. And what it was to validate; but `keep`.
  void drop_older(Entry& entry, const Fill& fill, const Variant* keep, Graveyard& graves);
  std::unique_ptr<Variant> make_note(Fill& fill, int64_t until_ms, bool only_ranges);  // without the lock
  size_t clear(Shard& shard, Entry& entry, Graveyard& graves, std::vector<std::shared_ptr<Content>>& cut);

  // Lock held. What is stored for the request, or null.
  ObjectRef look_into(Entry& entry, const RequestFacts& facts, const RequestView& request, Inspection& out);
  // The same of what memory doesn't have, from the disk; the lock is free.
  ObjectRef look_on_disk(Place& at, const RequestFacts& facts, const RequestView& request, Inspection& out);
  // `useful`: only those that a request could be answered from.
  std::vector<HotKey> hottest(Shard& shard, size_t most, bool useful);
  std::vector<HotKey> hottest(size_t most, bool useful);
  bool is_useful(const Entry& entry) const;  // lock held
  bool walk_on(Shard& shard, size_t& bucket, size_t& buckets, size_t most, bool useful, std::vector<HotKey>& found);

  // Whether a request that isn't answered begins a fetch that fills the cache; `stale`: what that would validate, or null.
  static bool may_lead(const Rules& rules, const RequestFacts& facts, bool noted, const Object* stale);
  // Of an object in parts: the whole is wanted, and they can't be had.
  static bool goes_whole(const Object& object, const RequestFacts& facts, const RequestView& request);
  Lookup look(Place& place, const Rules& rules, const RequestFacts& facts, const RequestView& request,
              std::shared_ptr<Fill>& led);
  void lead(Place& place, const Rules& rules, const RequestFacts& facts, const RequestView& request, Variant* stale,
            bool shared, Lookup& lookup, std::shared_ptr<Fill>& led);
  // `groups`: of what was removed, appended.
  void validate_beside(Place& place, const Rules& rules, const RequestFacts& facts, const RequestView& request,
                       Variant& variant, Lookup& lookup, std::shared_ptr<Fill>& led);
  size_t purge_key(std::string_view primary, std::vector<uint64_t>* groups = nullptr);
  void begin_purges();
  uint64_t oldest_stored();
  bool find_oldest(Shard& shard, uint64_t& oldest);
  void sweep(Shard& shard, size_t from, size_t to, uint64_t& oldest, Graveyard& graves);
  ObjectRef coded(const Rules& rules, const RequestFacts& facts, const RequestView& request, ObjectRef plain);
  bool evict_one(uint64_t& freed);

  // ── the disk (on_disk.cc) ──
  // Lives as long as the store; null: there is none.
  const DiskTier* tier() const { return tier_.load(std::memory_order_acquire); }
  void save(const Keepsake& kept);
  // These: lock held. What the disk has of a variant is this version of it from now on, or nothing.
  void write(const DiskTier& tier, Shard& shard, Variant& variant, std::optional<disk::Record> record);
  // Nothing older than `sequence` comes back of what the disk has there, not after a crash, either.
  void outdate(const DiskTier& tier, std::string_view key, std::string_view names, std::string_view values,
               uint64_t sequence);
  void demote(Shard& shard, Variant& variant);  // it leaves memory
  static bool stands_for(const Object& before, const Object& now);
  static void outdate_load(Shard& shard, uint64_t hash);
  static void recall_vary(Shard& shard, Entry& entry);  // into a new entry
  static void hear_vary(Shard& shard, KeyHash key, VaryKnown vary);
  // It served from memory: the disk is told now and then, or it would drop what is used most. Lock held.
  template <class R>
  void used(const R& resident) {
    if (resident.hits.load(std::memory_order_relaxed) % hits_a_touch == 0) touch_on_disk(resident);
  }
  void touch_on_disk(const Variant& variant);
  void touch_on_disk(const Fragment& fragment);
  void give_up_loads();
  // What a request's answer invalidated, for copies that outlive the process.
  void invalidate_on_disk(std::string_view key, std::string url, int64_t now_ms);
  void invalidate_on_disk(const std::vector<uint64_t>& groups, int64_t now_ms);
  // Most likely; lock held.
  bool is_on_disk(std::string_view key, const Entry* entry, const http::Fields& request) const;
  // Who waits until the disk was asked; null: there is nothing to ask for. Lock held.
  std::unique_ptr<Reader> load(Place& at, const Entry* entry, const RequestView& request);
  bool outdated(const disk::Found& found, uint64_t since) const {
    return found.sequence < std::max(since, disk_floor_.load(std::memory_order_relaxed));
  }
  // What the disk has for a request. `saved`: what fits it, views into `found`; or why there is none.
  struct DiskRecord {
    disk::Found found;
    std::optional<Saved> saved;
    std::string names, values;  // what its answers vary by, and what the request says of that
    VaryKnown vary;
    bool outdated = false;      // there is one that counts no more
    bool other_values = false;  // there is one for other values
  };
  void read_from_disk(const DiskTier& tier, std::string_view key, const http::Fields& asked, DiskRecord& out) const;
  void fetch_from_disk(const DiskTier& tier, Shard& shard, KeyHash key, const RequestCopy& asked,
                       const std::shared_ptr<Content>& waiting);
  void take_in(const DiskTier& tier, Shard& shard, KeyHash key, const Saved& saved, disk::Found& found, VaryKnown vary,
               const Content& waiting);
  bool fill_from(const DiskTier& tier, disk::Found& found, Content& content);
  bool take_bytes(disk::Found& found, Content& content);
  void shrink();
  void weigh(uint64_t bytes);  // what is about to be reserved: now and then looks at the heap

  std::atomic<const Rules*> rules_{nullptr};
  std::mutex reconfigure_mutex_;
  std::vector<std::unique_ptr<const Rules>> all_rules_;  // fetches keep using the ones they began with
  uint64_t seed_;
  std::shared_ptr<Ledger> ledger_;
  std::vector<std::unique_ptr<Shard>> shards_;
  Residents residents_;
  Charge residents_charge_;  // for what the policy takes to itself
  std::atomic<uint64_t> sequence_{0};
  GroupClock groups_;
  Purges purges_;
  std::atomic<bool> extra_keys_{false};  // some key has ever held more than its URL
  static constexpr uint64_t weigh_every_bytes = 4 << 20;
  // What the heap wastes is beside the budget up to a thirtieth of it; what goes beyond is of it, and at most seven eighths of it.
  static constexpr uint64_t slack_borne = 30;
  static constexpr uint64_t least_slack_borne = 16 << 20;
  std::atomic<uint64_t> unweighed_{0};
  static constexpr uint32_t hits_a_touch = 16;  // of the disk
  mutable Counters counters_;
  std::atomic<Executor*> executor_{nullptr};
  std::atomic<uint64_t> disk_floor_{0};  // a sequence: what is older counts no more on the disk
  std::atomic<const DiskTier*> tier_{nullptr};
  std::vector<std::unique_ptr<const DiskTier>> tiers_;  // readers keep using the one they began with
};

}  // namespace portolan::edge
