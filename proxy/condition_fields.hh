#pragma once
// The types of what a route asks of a request: headers, query parameters.
#include "core/conf/field.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// { NAME = "1", NAME = ["1", "2"], NAME = { prefix = "…" | regex = "…" | present = true | exact = … } }
conf::Type<std::vector<NamedMatch>> header_matches();
conf::Type<std::vector<NamedMatch>> query_matches();

// The name of a field (RFC 9110 §5.1), in lower case.
bool is_field_name(std::string_view name);

}  // namespace portolan::proxy
