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
#include "geodns/policy/policy.hh"

namespace portolan::geodns {

struct RecordSet {
  uint16_t type = 0;
  uint32_t ttl_s = 0;
  std::vector<std::string> data;  // RDATA, names uncompressed
  dns::PackedSet packed;
};

// A and AAAA chosen by policy among a service's datacentres.
struct ServiceRecord {
  struct Preference {
    uint32_t weight = 1;
    uint32_t rank = 0;
  };
  uint32_t service = 0;  // Directory's index
  const PolicyPart* policy = nullptr;
  uint32_t ttl_s = 30;
  std::vector<Preference> preferences;   // a site of the service each
  std::vector<Candidate> candidates[2];  // the sites with IPv4 and with IPv6 addresses
};

struct Node {
  std::vector<RecordSet> sets;
  std::unique_ptr<ServiceRecord> service;
  const Node* wildcard = nullptr;                          // "*" directly below
  bool empty() const { return sets.empty() && !service; }  // an empty non-terminal
  const RecordSet* find(uint16_t type) const;
};

class Zone {
 public:
  const dns::Name& name() const { return name_; }
  const std::string& text() const { return text_; }  // "example.com", for people and metrics
  const RecordSet& soa() const { return *apex_->find(dns::type_soa); }
  const dns::PackedSet& negative() const { return negative_; }  // the SOA with the TTL of RFC 2308 §3

  // The node that answers for `key` (within the zone, `labels` long), or its closest encloser's
  // wildcard; null: the name doesn't exist.
  const Node* find(std::string_view key, unsigned labels) const;
  const Node* find(std::string_view key) const { return find(key, dns::label_count(key)); }
  const Node* find_exact(std::string_view key) const { return nodes_.find(key); }

 private:
  friend class ZoneBuilder;
  dns::Name name_;
  std::string text_;
  dns::PackedSet negative_;
  unsigned depth_ = 0;  // labels of the deepest name
  const Node* apex_ = nullptr;
  NameTable<Node> nodes_;
};

class ZoneSet {
 public:
  static constexpr int none = -1;
  // The zone with the longest name that `key` is within; none: nobody's.
  int find(std::string_view key, unsigned labels) const;
  int find(std::string_view key) const { return find(key, dns::label_count(key)); }
  const Zone& at(int index) const { return *zones_[static_cast<size_t>(index)]; }
  size_t size() const { return zones_.size(); }

 private:
  friend class ZoneBuilder;
  unsigned depth_ = 0;
  std::vector<std::unique_ptr<const Zone>> zones_;  // in the configuration's order
  NameTable<int> index_;
};

// `serial` goes into every SOA. Whatever is wrong is appended to `mistakes`; the result is fit to
// serve only when nothing was. It points into `directory`.
std::shared_ptr<const ZoneSet> build_zones(const std::vector<ZoneConfig>& zones, const Directory& directory,
                                           uint32_t serial, std::vector<Mistake>& mistakes);

}  // namespace portolan::geodns
