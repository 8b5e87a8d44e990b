#pragma once
// An operator's own list of networks, as text: a network and what is known of it a line,
//   192.0.2.0/24 country=DE region=HE latitude=50.1 longitude=8.7 accuracy_radius=5 asn=64500
//   2001:db8::/32 continent=EU      # the rest of a line is for people
// Laid over the databases before it, field by field. Where networks contain each other the longest counts for what it
// says, whatever the order of the lines.
#include <string_view>

#include "core/base/result.hh"
#include "core/geo/table.hh"

namespace portolan::geo {

// Errors name the line. Nothing is added where there is one.
Status add_network_list(std::string_view text, Table::Builder& builder);

}  // namespace portolan::geo
