#pragma once
// A key whose value is content codings.
#include <vector>

#include "core/conf/field.hh"
#include "core/http/encoding.hh"

namespace portolan::http {

// ["br", "zstd", "gzip"], each once, the preferred first.
conf::Type<std::vector<Coding>> codings_type();

}  // namespace portolan::http
