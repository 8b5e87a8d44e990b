#pragma once
// The rows of a service in one datacentre.
#include "core/conf/field.hh"
#include "geodns/config.hh"

namespace portolan::geodns {

const conf::Table<ServiceSite>& site_fields();

}  // namespace portolan::geodns
