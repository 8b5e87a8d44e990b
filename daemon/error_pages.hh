#pragma once
// Reads the files that error_pages of listeners and routes name, off the loops.
#include <string>
#include <vector>

#include "daemon/config.hh"

namespace portolan::daemon {

// Fills in their bodies. A page that can't be read is an error.
std::vector<std::string> read_error_pages(Config& config);
std::vector<std::string> error_page_files_of(const Config& config);

}  // namespace portolan::daemon
