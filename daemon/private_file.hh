#pragma once
// Secrets that are kept over a restart, in files that nobody else can read.
#include <string>

#include "core/base/result.hh"
#include "core/crypto/mac.hh"

namespace portolan::daemon {

// Up to 4 KiB of it; empty where there is none. Whoever may read these keys may read or forge what they protect: a file
// that others can read is not believed, with a warning.
std::string read_private(const std::string& path);
// Replaces the file as a whole.
Status write_private(const std::string& path, const std::string& bytes);

// Makes the directory, mode 0700, and those above it, where they are missing, each given to `user` where that isn't empty.
Status make_private_directory(const std::string& path, const std::string& user);

// The key of this node in that directory, made where there is none yet. Empty: it is kept in memory alone.
crypto::MacKey keep_key(const std::string& directory, const std::string& name);

}  // namespace portolan::daemon
