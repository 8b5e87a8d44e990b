#pragma once
// The rows of a service in one datacentre.
#include "core/conf/field.hh"
#include "geodns/config.hh"

namespace portolan::geodns {

const conf::Table<ServiceSite>& site_fields();
conf::Type<std::string> peer_url();  // of another Portolan: "http://host:port"

}  // namespace portolan::geodns
