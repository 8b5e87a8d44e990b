#pragma once
// The rows of [geodns], [datacenter.NAME], [service.NAME] and [zone."NAME"].
#include "core/conf/field.hh"
#include "core/conf/types.hh"
#include "geodns/config.hh"

namespace portolan::geodns {

const conf::Table<GeodnsConfig>& geodns_fields();
const conf::Table<DatacenterConfig>& datacenter_fields();
const conf::Table<ZoneConfig>& zone_fields();
// [service.NAME]: a site each datacentre.
conf::Type<std::vector<ServiceConfig>> services();

}  // namespace portolan::geodns
