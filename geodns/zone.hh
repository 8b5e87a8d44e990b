#pragma once
// Zones as the answer path reads them (RFC 1034 §4.3, RFC 4592): immutable, built once from the
// configuration, looked up by hash without allocating. All names are wire form in lower case.
//
// Names in the file: a record's `name` is relative to the zone unless it ends in a dot; "@" is the
// zone itself; "*" may be the first label. Names in values ("10 mail.example.com", nameservers) are
// absolute where they have a dot inside or at the end; a single label is relative to the zone, "@"
// the zone itself.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/dns/name.hh"
#include "core/dns/packed_set.hh"
#include "geodns/directory.hh"
#include "geodns/name_table.hh"
#include "geodns/service_record.hh"

namespace portolan::geodns {

struct RecordSet {
  uint16_t type = 0;
  uint32_t ttl_s = 0;
  std::vector<std::string> data;  // RDATA, names uncompressed
  dns::PackedSet packed;
};

// A and AAAA that are those of another name, which control follows (alias.hh).
struct AliasRecord {
  uint32_t index = 0;  // of ZoneSet::aliases()
  uint32_t ttl_s = 0;  // the longest that is answered
};

struct Node;

// A name that other servers answer for, with all below it (RFC 1034 §4.2.1).
struct Delegation {
  struct Glue {
    std::string_view owner;
    const RecordSet* set = nullptr;
  };
  std::string_view owner;
  const Node* node = nullptr;  // where its NS are
  const RecordSet* servers = nullptr;
  std::vector<Glue> needed;  // of servers below it: without these nobody would find them (RFC 9471)
  std::vector<Glue> other;   // of those elsewhere in the zone
};

struct Node {
  std::vector<RecordSet> sets;
  std::unique_ptr<ServiceRecord> service;
  std::unique_ptr<AliasRecord> alias;
  const Node* wildcard = nullptr;                                    // "*" directly below
  const Delegation* delegation = nullptr;                            // at this name or above it
  const RecordConfig* place = nullptr;                               // its last record, while the zone is built
  bool empty() const { return sets.empty() && !service && !alias; }  // an empty non-terminal
  const RecordSet* find(uint16_t type) const;
};

class Zone {
 public:
  const dns::Name& name() const { return name_; }
  const std::string& text() const { return text_; }  // "example.com", for people and metrics
  const RecordSet& soa() const { return *apex_->find(dns::type_soa); }
  const dns::PackedSet& negative() const { return negative_; }  // the SOA with the TTL of RFC 2308 §3
  uint32_t negative_ttl_s() const { return negative_ttl_s_; }
  uint32_t serial() const;                          // of the SOA
  size_t record_count() const { return records_; }  // SOA and NS too; a service or an ALIAS counts as one

  // The node that answers for `key` (within the zone, `labels` long): that of the delegation it is in,
  // its own, or its closest encloser's wildcard; null: the name doesn't exist.
  const Node* find(std::string_view key, unsigned labels) const;
  const Node* find(std::string_view key) const { return find(key, dns::label_count(key)); }
  const Node* find_exact(std::string_view key) const { return nodes_.find(key); }
  // Where the addresses of `key` stand that may go beside an answer: glue counts.
  const Node* find_addresses(std::string_view key) const;

 private:
  friend class ZoneBuilder;
  dns::Name name_;
  std::string text_;
  dns::PackedSet negative_;
  uint32_t negative_ttl_s_ = 0;
  unsigned depth_ = 0;  // labels of the deepest name
  size_t records_ = 0;
  const Node* apex_ = nullptr;
  NameTable<Node> nodes_;
  std::vector<std::unique_ptr<const Delegation>> delegations_;
};

// What ALIAS records follow, and which they are: for people.
struct AliasTarget {
  std::string name;     // as c-ares takes it
  std::string records;  // "www.example.com", or several with commas
  std::string zones;    // the same
};

class ZoneSet {
 public:
  static constexpr int none = -1;
  // The zone with the longest name that `key` is within; none: nobody's.
  int find(std::string_view key, unsigned labels) const;
  int find(std::string_view key) const { return find(key, dns::label_count(key)); }
  // The same for who asks about the delegation of `key` (DS): the zone above, where we have it.
  int find_parent(std::string_view key, unsigned labels) const;
  // The names that ALIAS records follow, each once.
  const std::vector<AliasTarget>& aliases() const { return aliases_; }
  const Zone& at(int index) const { return *zones_[static_cast<size_t>(index)]; }
  size_t size() const { return zones_.size(); }
  const std::vector<PlanSpec>& plans() const { return plans_.list(); }  // of the service records
  const std::vector<Flow>& flows() const { return plans_.flows(); }

 private:
  friend class ZoneBuilder;
  unsigned depth_ = 0;
  std::vector<std::unique_ptr<const Zone>> zones_;  // in the configuration's order
  NameTable<int> index_;
  std::vector<AliasTarget> aliases_;
  PlanSpecs plans_;
};

// `serial` goes into every SOA. Whatever is wrong is appended to `mistakes`; the result is fit to
// serve only when nothing was. It points into `directory`.
std::shared_ptr<const ZoneSet> build_zones(const std::vector<ZoneConfig>& zones, const Directory& directory,
                                           uint32_t serial, std::vector<Mistake>& mistakes);

}  // namespace portolan::geodns
