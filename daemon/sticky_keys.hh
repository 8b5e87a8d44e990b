#pragma once
// The keys that the cookies of sticky pools are signed with.
#include <string>
#include <vector>

#include "core/crypto/mac.hh"
#include "daemon/config.hh"

namespace portolan::daemon {

// Gives each sticky pool the key of its key_file, or `own` where it names none. Complete sentences about files that are
// no keys.
std::vector<std::string> give_sticky_keys(Config& config, const crypto::MacKey& own);

}  // namespace portolan::daemon
