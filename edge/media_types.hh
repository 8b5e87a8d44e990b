#pragma once
// Media types as rules name them: "text/html", or "image/*" for all of its kind.
#include <string>
#include <vector>

#include "core/conf/field.hh"
#include "core/http/message.hh"

namespace portolan::edge {

// Whether the Content-Type among `fields` is one of them; its parameters and case mean nothing.
bool media_type_listed(const std::vector<std::string>& types, const http::Fields& fields);

conf::Type<std::string> media_type();  // of a key; in lower case

}  // namespace portolan::edge
