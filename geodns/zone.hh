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
#include <unordered_map>
#include <vector>

#include "core/dns/name.hh"
#include "geodns/directory.hh"
#include "geodns/policy/policy.hh"

namespace portolan::geodns {

struct RecordSet {
  uint16_t type = 0;
  uint32_t ttl_s = 0;
  std::vector<std::string> data;  // RDATA, names uncompressed
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
  std::vector<Preference> preferences;  // a site of the service each
};

struct Node {
  std::vector<RecordSet> sets;
  std::unique_ptr<ServiceRecord> service;
  const Node* wildcard = nullptr;                          // "*" directly below
  bool empty() const { return sets.empty() && !service; }  // an empty non-terminal
  const RecordSet* find(uint16_t type) const;
};

namespace detail {
struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};
template <class T>
using NameMap = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;
}  // namespace detail

class Zone {
 public:
  const dns::Name& name() const { return name_; }
  const std::string& text() const { return text_; }  // "example.com", for people and metrics
  const RecordSet& soa() const { return *apex_->find(dns::type_soa); }
  uint32_t negative_ttl_s() const { return negative_ttl_s_; }  // RFC 2308 §3

  // The node that answers for `key` (within the zone), or its closest encloser's wildcard; null:
  // the name doesn't exist.
  const Node* find(std::string_view key) const;
  const Node* find_exact(std::string_view key) const;

 private:
  friend class ZoneBuilder;
  dns::Name name_;
  std::string text_;
  uint32_t negative_ttl_s_ = 0;
  unsigned depth_ = 0;  // labels of the deepest name
  const Node* apex_ = nullptr;
  detail::NameMap<Node> nodes_;
};

class ZoneSet {
 public:
  static constexpr int none = -1;
  // The zone with the longest name that `key` is within; none: nobody's.
  int find(std::string_view key) const;
  const Zone& at(int index) const { return *zones_[static_cast<size_t>(index)]; }
  size_t size() const { return zones_.size(); }

 private:
  friend class ZoneBuilder;
  unsigned depth_ = 0;
  std::vector<std::unique_ptr<const Zone>> zones_;  // in the configuration's order
  detail::NameMap<int> index_;
};

// `serial` goes into every SOA. Whatever is wrong is appended to `mistakes`; the result is fit to
// serve only when nothing was.
std::shared_ptr<const ZoneSet> build_zones(const std::vector<ZoneConfig>& zones, const Directory& directory,
                                           uint32_t serial, std::vector<Mistake>& mistakes);

}  // namespace portolan::geodns
