#include "geodns/referral.hh"

#include "geodns/rdata.hh"

namespace portolan::geodns {
namespace {

using dns::Section;

bool add_all(std::string_view owner, const RecordSet& set, dns::Composer& composer) {
  for (const std::string& data : set.data)
    if (!composer.add(Section::additional, owner, set.type, set.ttl_s, data)) return false;
  return true;
}

}  // namespace

void refer(const Delegation& delegation, dns::Composer& composer) {
  const RecordSet& servers = *delegation.servers;
  for (const std::string& target : servers.data)
    composer.add(Section::authority, delegation.owner, dns::type_ns, servers.ttl_s, target);
  for (const Delegation::Glue& glue : delegation.needed)
    if (!add_all(glue.owner, *glue.set, composer)) return composer.truncate();
  for (const Delegation::Glue& glue : delegation.other) add_all(glue.owner, *glue.set, composer);
}

void add_with_addresses(const RecordSet& set, std::string_view owner, const Zone& zone, dns::Composer& composer) {
  for (const std::string& data : set.data) composer.add(Section::answer, owner, set.type, set.ttl_s, data);
  const size_t offset = target_offset(set.type);
  for (const std::string& data : set.data) {
    std::string_view target = std::string_view(data).substr(offset);
    target = target.substr(0, dns::name_size(target));
    if (target.size() <= 1 || !dns::is_within(target, zone.name().wire())) continue;
    const Node* node = zone.find_addresses(target);
    if (!node) continue;
    for (uint16_t type : {dns::type_a, dns::type_aaaa})
      if (const RecordSet* addresses = node->find(type)) add_all(target, *addresses, composer);
  }
}

}  // namespace portolan::geodns
