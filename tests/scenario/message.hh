#pragma once
// HTTP messages as the ends of a scenario read them: a plain parser of the tests' own, so that a fault of the product's
// parser can't hide itself.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portolan::scenario {

enum class Kind : uint8_t { request, response, answer_to_head };

struct Message {
  std::string start;                                        // request line or status line
  std::vector<std::pair<std::string, std::string>> fields;  // as received
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;
  bool chunked = false;

  int status() const;
  std::string field(std::string_view name) const;  // values joined by ", "; "" when absent
  bool has(std::string_view name) const;
  // Everything that should not depend on how bytes were split.
  std::string summary() const;
};

// Takes one whole message from the front of `in`; false: more bytes are needed (nothing is taken). A response without
// any framing is whole when `ended`.
bool take_message(std::string& in, Kind kind, bool ended, Message& out);
// The same for a head alone; the body's bytes stay in `in`.
bool take_head(std::string& in, Message& out);

}  // namespace portolan::scenario
