#include <algorithm>
#include <set>
#include <utility>

#include "geodns/rdata.hh"
#include "geodns/zone.hh"
#include "geodns/zone_loops.hh"

namespace portolan::geodns {

constexpr uint32_t max_ttl_s = 0x7fffffff;  // RFC 2181 §8
constexpr size_t max_set_size = 60000;      // a set must fit into one message

// Builds one ZoneSet; all that is wrong with all of it is told at once.
class ZoneBuilder {
 public:
  ZoneBuilder(const Directory& directory, uint32_t serial, std::vector<Mistake>& mistakes)
      : directory_(directory), serial_(serial), mistakes_(mistakes) {}

  std::shared_ptr<const ZoneSet> build(const std::vector<ZoneConfig>& zones) {
    auto set = std::make_shared<ZoneSet>();
    set_ = set.get();
    for (const ZoneConfig& config : zones) name_zone(config);
    for (const auto& [config, name] : named_) {
      const int above = name.labels() == 0 ? ZoneSet::none : set_->find(dns::parent(name.wire()), name.labels() - 1);
      if (above != ZoneSet::none) below_[above].push_back(name);
    }
    for (const auto& [config, name] : named_) {
      auto zone = build_zone(*config, name);
      set->zones_.push_back(std::move(zone));
    }
    check_aliased();
    check_ways();
    for (Zone* zone : built_)
      for (auto& [key, node] : zone->nodes_.entries()) node.place = nullptr;
    return set;
  }

 private:
  void complain(const std::string& where, std::string text) { mistakes_.push_back({where, std::move(text)}); }

  void name_zone(const ZoneConfig& config) {
    if (auto good = check_name_text(config.name); !good) return complain(config.where, good.error().text);
    auto name = dns::Name::parse(config.name);
    if (!name) return complain(config.where, name.error().text);
    const dns::Name lowered = name->lowered();
    auto [index, fresh] = set_->index_.emplace(lowered.wire());
    if (!fresh) return complain(config.where, "zone \"" + config.name + "\" is there twice");
    index = static_cast<int>(named_.size());
    set_->depth_ = std::max(set_->depth_, lowered.labels());
    named_.emplace_back(&config, lowered);
  }

  std::unique_ptr<const Zone> build_zone(const ZoneConfig& config, const dns::Name& name) {
    auto zone = std::make_unique<Zone>();
    zone_ = zone.get();
    foreign_.clear();
    zone->name_ = name;
    zone->nodes_.reserve(config.records.size() + config.records.size() / 8);
    own_ = *set_->index_.find(name.wire());
    zone->text_ = name.to_string();
    if (zone->text_.size() > 1) zone->text_.pop_back();
    zone->apex_ = &make_node(name.wire());
    add_soa(config);
    for (const std::string& server : config.nameservers) add_nameserver(config, server);
    for (const RecordConfig& record : config.records) add_record(config, record);
    // Zones of this file below this one exist, delegated or not, and so do the names in between (RFC 8020).
    for (const dns::Name& below : below_[own_]) make_node(below.wire());
    link_wildcards();
    find_delegations();
    link_delegations();
    check_ds();
    check_foreign();
    check_sizes(config);
    check_nameservers(config);
    pack_sets();
    built_.push_back(zone.get());
    return zone;
  }

  // Makes the node and every empty non-terminal above it.
  Node& make_node(std::string_view key) {
    auto [node, fresh] = zone_->nodes_.emplace(key);
    if (!fresh) return node;
    zone_->depth_ = std::max(zone_->depth_, dns::label_count(key));
    if (key != zone_->name_.wire()) make_node(dns::parent(key));
    return node;
  }

  void add_soa(const ZoneConfig& config) {
    if (config.nameservers.empty()) return complain(config.where, "zone \"" + config.name + "\" has no nameservers");
    auto primary = value_name(config.nameservers.front(), zone_->name_);
    const std::string below = zone_->name_.labels() == 0 ? "" : zone_->name_.to_string();
    auto contact = contact_name(config.contact.empty() ? "hostmaster." + below : config.contact);
    if (!contact) return complain(config.where, "contact: " + contact.error().text);
    if (!primary) return;  // told by add_nameserver
    std::string data = std::string(primary->wire()) + std::string(contact->wire());
    uint8_t numbers[20];
    const uint32_t fields[] = {serial_, config.refresh_s, config.retry_s, config.expire_s, config.negative_ttl_s};
    for (size_t i = 0; i < 5; i++) dns::store32(numbers + 4 * i, fields[i]);
    data.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
    Node& apex = make_node(zone_->name_.wire());
    apex.sets.push_back({dns::type_soa, config.ttl_s, {std::move(data)}, {}});
    zone_->negative_ttl_s_ = std::min(config.ttl_s, config.negative_ttl_s);
    zone_->negative_ =
        dns::PackedSet(zone_->name_.wire(), dns::type_soa, zone_->negative_ttl_s_, apex.sets.back().data);
  }

  void add_nameserver(const ZoneConfig& config, const std::string& server) {
    auto name = value_name(server, zone_->name_);
    if (!name) return complain(config.where, "nameservers: " + name.error().text);
    put(make_node(zone_->name_.wire()), dns::type_ns, config.ttl_s, std::string(name->wire()), config.where);
  }

  void put(Node& node, uint16_t type, uint32_t ttl_s, std::string data, const std::string& where) {
    for (RecordSet& set : node.sets) {
      if (set.type != type) continue;
      if (set.ttl_s != ttl_s) complain(where, "records of one name and type must have one ttl (RFC 2181 section 5.2)");
      if (std::find(set.data.begin(), set.data.end(), data) != set.data.end())
        return complain(where, "the same record is there twice");
      set.data.push_back(std::move(data));
      return;
    }
    node.sets.push_back({type, ttl_s, {std::move(data)}, {}});
  }

  void add_record(const ZoneConfig& config, const RecordConfig& record) {
    auto name = owner_name(record.name, zone_->name_);
    if (!name) return complain(record.where, "name: " + name.error().text);
    const std::string_view key = name->wire();
    if (key.find("\1*", 1) != std::string::npos)
      return complain(record.where, "\"*\" may only be the first label of a name");
    if (set_->find(key) != own_) foreign_.emplace_back(&record, std::string(key));
    if (record.ttl_s.value_or(0) > max_ttl_s) return complain(record.where, "ttl is over 2147483647 s");
    Node& node = make_node(key);
    node.place = &record;
    if (!record.service.empty()) {
      add_service(record, *name, node);
    } else {
      add_static(config, record, key, node);
    }
    check_siblings(record, node);
  }

  void add_static(const ZoneConfig& config, const RecordConfig& record, std::string_view key, Node& node) {
    if (!record.policy.empty() || !record.weights.empty() || !record.order.empty() || !record.https.empty() ||
        !record.rules.empty())
      complain(record.where, "policy, weights, order, rules and https belong to service records");
    if (record.type == "ALIAS") return add_alias(config, record, key, node);
    const uint16_t type = record_type(record.type);
    if (type == 0)
      return complain(record.where, record.type.empty()
                                        ? "a record needs a type and a value, or a service"
                                        : "type \"" + record.type + "\" is not one of " + record_types());
    if (type == dns::type_ns && record.name.substr(0, 1) == "*")
      return complain(record.where, "a wildcard can't be handed to other servers (RFC 4592 section 4.2)");
    if (type == dns::type_ds && &node == zone_->apex_)
      return complain(record.where, "DS records stand in the zone above");
    auto data = parse_rdata(type, record.value, zone_->name_);
    if (!data) return complain(record.where, "value: " + data.error().text);
    put(node, type, record.ttl_s.value_or(config.ttl_s), std::move(*data), record.where);
  }

  void add_alias(const ZoneConfig& config, const RecordConfig& record, std::string_view key, Node& node) {
    if (node.alias) return complain(record.where, "this name has an ALIAS already");
    auto target = value_name(record.value, zone_->name_);
    if (!target) return complain(record.where, "value: " + target.error().text);
    const std::string text = target->to_string();
    auto [index, fresh] = alias_indices_.emplace(text, static_cast<uint32_t>(set_->aliases_.size()));
    if (fresh) set_->aliases_.push_back({text, {}, {}});
    AliasTarget& followed = set_->aliases_[index->second];
    const auto list = [](std::string& all, const std::string& item) {
      if (all != item && !all.ends_with(", " + item)) all += (all.empty() ? "" : ", ") + item;
    };
    list(followed.records, without_dot(key));
    list(followed.zones, zone_->text_);
    aliased_.emplace_back(&record, *target);
    ways_.aliases.emplace(&node, target->wire());
    node.alias = std::make_unique<AliasRecord>(AliasRecord{index->second, record.ttl_s.value_or(config.ttl_s)});
  }

  void add_service(const RecordConfig& record, const dns::Name& name, Node& node) {
    if (!record.type.empty() || !record.value.empty())
      return complain(record.where, "a record has a type and a value, or a service; not both");
    const int service = directory_.find_service(record.service);
    if (service < 0) return complain(record.where, "there is no [service." + record.service + "]");
    if (node.service) return complain(record.where, "this name has a service already");
    node.service = std::make_unique<ServiceRecord>(
        make_service_record(record, static_cast<uint32_t>(service), directory_, set_->plans_, mistakes_));
    if (!record.https.empty())
      add_https(record, name, *node.service, directory_.services[static_cast<size_t>(service)]);
  }

  void add_https(const RecordConfig& record, const dns::Name& name, ServiceRecord& service, const Service& sites) {
    if (sites.by_name) return complain(record.where, "https belongs to services with addresses");
    auto hinted = parse_hinted(record.https, zone_->name_, name);
    if (!hinted) return complain(record.where, "https: " + hinted.error().text);
    service.https = std::make_unique<HintedRdata>(std::move(*hinted));
  }

  // RFC 1034 §3.6.2: a CNAME stands alone. A service answers A and AAAA, so nothing else may.
  void check_siblings(const RecordConfig& record, const Node& node) {
    const RecordSet* cname = node.find(dns::type_cname);
    if (cname && &node == zone_->apex_)
      return complain(record.where, "the zone itself can't be a CNAME (it has SOA and NS records)");
    if (cname && (node.sets.size() > 1 || cname->data.size() > 1 || node.service))
      return complain(record.where, "\"" + record.name + "\" has a CNAME and other records; a CNAME stands alone");
    if (node.service && (node.find(dns::type_a) || node.find(dns::type_aaaa)))
      complain(record.where, "\"" + record.name + "\" has a service and addresses of its own");
    if (node.service && node.service->https && node.find(dns::type_https))
      complain(record.where, "\"" + record.name + "\" has a service with https and an HTTPS record of its own");
    if (node.alias && (cname || node.service || node.find(dns::type_a) || node.find(dns::type_aaaa)))
      complain(record.where, "\"" + record.name + "\" has an ALIAS, which is all of its addresses, and others");
    if (!node.service || !directory_.services[node.service->service].by_name) return;
    if (&node == zone_->apex_)
      complain(record.where, "the zone itself can't be a CNAME, which a service with targets answers; use ALIAS");
    else if (!node.sets.empty() || node.alias)
      complain(record.where, "\"" + record.name + "\" has a service with targets, a CNAME, which stands alone");
  }

  // Those nearest to the zone's own name: what is below them is theirs.
  void find_delegations() {
    for (auto& [key, node] : zone_->nodes_.entries()) {
      const RecordSet* servers = &node == zone_->apex_ ? nullptr : node.find(dns::type_ns);
      if (!servers) continue;
      auto delegation = std::make_unique<Delegation>();
      delegation->owner = key;
      delegation->node = &node;
      delegation->servers = servers;
      node.delegation = delegation.get();
      made_.push_back(delegation.get());
      zone_->delegations_.push_back(std::move(delegation));
    }
  }

  void link_delegations() {
    const auto made = std::exchange(made_, {});
    if (made.empty()) return;
    for (auto& [key, node] : zone_->nodes_.entries()) {
      const Delegation* highest = node.delegation;
      for (std::string_view name = key; name != zone_->name_.wire(); name = dns::parent(name))
        if (const Node* above = zone_->find_exact(name); above->delegation && above->delegation->owner == name)
          highest = above->delegation;
      above_[&node] = highest;
    }
    for (auto& [key, node] : zone_->nodes_.entries()) {
      node.delegation = above_[&node];
      if (node.delegation && node.place) check_glue(key, node);
    }
    above_.clear();
    for (Delegation* delegation : made)
      if (delegation->node->delegation == delegation) link_glue(*delegation);
  }

  void check_glue(const std::string& key, const Node& node) {
    const bool top = key == node.delegation->owner;
    for (const RecordSet& set : node.sets) {
      if (set.type == dns::type_a || set.type == dns::type_aaaa) continue;
      if (top && (set.type == dns::type_ns || set.type == dns::type_ds)) continue;
      return complain_at(node, "is within the delegation of \"" + readable(node.delegation->owner) +
                                   "\"; only addresses of its nameservers (glue) may stand there");
    }
    if (node.service || node.alias)
      complain_at(
          node, "is within the delegation of \"" + readable(node.delegation->owner) + "\", where other servers answer");
  }

  // RFC 4035 §2.4.
  void check_ds() {
    for (const auto& [key, node] : zone_->nodes_.entries())
      if (node.find(dns::type_ds) && !node.find(dns::type_ns) && !node.delegation)
        complain_at(node, "has DS records, which are about a zone that is handed over, but no NS");
  }

  void link_glue(Delegation& delegation) {
    for (const std::string& target : delegation.servers->data) {
      const bool below = dns::is_within(target, delegation.owner);
      const Node* node = dns::is_within(target, zone_->name_.wire()) ? zone_->find_addresses(target) : nullptr;
      const size_t before = delegation.needed.size();
      for (uint16_t type : {dns::type_a, dns::type_aaaa})
        if (const RecordSet* set = node ? node->find(type) : nullptr)
          (below ? delegation.needed : delegation.other).push_back({target, set});
      if (below && delegation.needed.size() == before)
        complain_at(*delegation.node, "is handed to \"" + readable(target) +
                                          "\", which nobody can find without its A or AAAA record here");
    }
  }

  // Of names that belong to another zone of this file only its delegation may be told.
  void check_foreign() {
    for (const auto& [record, key] : foreign_)
      if (!zone_->find_exact(key)->delegation)
        complain(record->where, "\"" + record->name + "\" belongs to another zone of this file");
  }

  static std::string readable(std::string_view wire) {
    dns::Name name;
    size_t offset = 0;
    name.read({reinterpret_cast<const uint8_t*>(wire.data()), wire.size()}, offset, false);
    return name.to_string();
  }

  static std::string without_dot(std::string_view wire) {
    std::string text = readable(wire);
    if (text.size() > 1) text.pop_back();
    return text;
  }

  // This node would ask for all of its askers, and give all of them the datacentre that it is given itself.
  void check_aliased() {
    for (const auto& [record, target] : aliased_) {
      const dns::Name name = target.lowered();
      const int zone = set_->find(name.wire());
      const Node* node = zone == ZoneSet::none ? nullptr : set_->at(zone).find(name.wire());
      if (!node || !node->service || directory_.services[node->service->service].by_name) continue;
      const std::string& service = directory_.services[node->service->service].name;
      complain(record->where, "value: \"" + record->value + "\" is answered by [service." + service +
                                  "], of which an ALIAS gives everybody the same datacentre; write service = \"" +
                                  service + "\" instead of type and value");
    }
  }

  void complain_at(const Node& node, const std::string& what) {
    complain(node.place->where, "\"" + node.place->name + "\" " + what);
  }

  void link_wildcards() {
    for (auto& [key, node] : zone_->nodes_.entries())
      if (key.size() > 2 && key[0] == 1 && key[1] == '*')
        zone_->nodes_.emplace(dns::parent(key)).first.wildcard = &node;
  }

  void check_sizes(const ZoneConfig& config) {
    for (auto& [key, node] : zone_->nodes_.entries())
      for (const RecordSet& set : node.sets) {
        size_t size = 0;
        for (const std::string& data : set.data) size += data.size() + 12;
        if (size <= max_set_size) continue;
        complain(node.place ? node.place->where : config.where,
                 "more records of one name and type than fit into a message");
      }
  }

  // A server named inside the zone that has no address there could never be reached.
  void check_nameservers(const ZoneConfig& config) {
    const RecordSet* servers = zone_->apex_->find(dns::type_ns);
    if (!servers) return;
    for (const std::string& target : servers->data) {
      if (set_->find(target) != own_) continue;
      const Node* node = zone_->find_addresses(target);
      if (node && (node->service || node->find(dns::type_a) || node->find(dns::type_aaaa))) continue;
      complain(config.where, "nameserver \"" + readable(target) + "\" is inside the zone but has no A or AAAA record");
    }
  }

  void check_ways() {
    std::vector<const Node*> nodes;
    for (Zone* zone : built_)
      for (const auto& [key, node] : zone->nodes_.entries())
        if (node.find(dns::type_cname) || node.alias ||
            (node.service && directory_.services[node.service->service].by_name))
          nodes.push_back(&node);
    ways_.check(nodes, *set_, directory_, mistakes_);
  }

  void pack_sets() {
    for (auto& [key, node] : zone_->nodes_.entries())
      for (RecordSet& set : node.sets) {
        set.packed = {zone_->name_.wire(), set.type, set.ttl_s, set.data};
        zone_->records_ += set.data.size();
      }
    for (auto& [key, node] : zone_->nodes_.entries()) zone_->records_ += (node.service ? 1 : 0) + (node.alias ? 1 : 0);
  }

  const Directory& directory_;
  uint32_t serial_;
  std::vector<Mistake>& mistakes_;
  std::vector<std::pair<const ZoneConfig*, dns::Name>> named_;
  ZoneSet* set_ = nullptr;
  std::vector<Zone*> built_;
  Ways ways_;
  Zone* zone_ = nullptr;
  int own_ = 0;                                                       // its index
  std::vector<std::pair<const RecordConfig*, std::string>> foreign_;  // and the keys of their names
  std::map<int, std::vector<dns::Name>> below_;                       // by zone: those right below it
  std::map<std::string, uint32_t> alias_indices_;
  std::vector<std::pair<const RecordConfig*, dns::Name>> aliased_;
  std::vector<Delegation*> made_;
  std::map<const Node*, const Delegation*> above_;
};

std::shared_ptr<const ZoneSet> build_zones(const std::vector<ZoneConfig>& zones, const Directory& directory,
                                           uint32_t serial, std::vector<Mistake>& mistakes) {
  return ZoneBuilder(directory, serial, mistakes).build(zones);
}

}  // namespace portolan::geodns
