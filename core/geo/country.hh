#pragma once
// Countries as the configuration names them.
#include <string>

#include "core/conf/field.hh"

namespace portolan::geo {

// A key's type: "DE", in the form in which locations have it. An error names the country that was meant.
conf::Type<std::string> country();

}  // namespace portolan::geo
