#pragma once
// A key whose value is an expression: compiled when it is read, so that what is wrong with it is told with its place.
#include <string>

#include "core/conf/field.hh"

namespace portolan::http {

conf::Type<std::string> regex_type();

}  // namespace portolan::http
