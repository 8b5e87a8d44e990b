#pragma once
// reference.toml out of field rows.
#include <string>
#include <vector>

#include "core/conf/field.hh"

namespace portolan::conf {

// Every key with its help, type, bounds and default, all commented out. Lines that begin with "#"
// and no space are TOML once the "#" is taken away; "NAME" stands for a name of the operator's.
std::string print_reference(const std::vector<Described>& rows);

}  // namespace portolan::conf
