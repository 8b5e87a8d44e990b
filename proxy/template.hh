#pragma once
// A text with variables, as the values of headers and redirects are written: "https://{host}{uri}". Whatever else stands
// in braces is text, so that a value may be JSON. What a variable brings in never holds a control character.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/recycled.hh"
#include "core/base/result.hh"
#include "core/geo/table.hh"
#include "core/http/message.hh"
#include "proxy/country.hh"

namespace portolan::proxy {

enum class Variable : uint8_t {
  none,
  client_address,
  country,  // empty where unknown
  host,     // without port
  path,
  query,   // without '?'
  rest,    // the path behind the route's `path`, without the slash between
  scheme,  // "http" | "https"
  uri,     // path, '?' and query
};

// One request, as variables see it. Views and references live as long as whoever holds it.
struct VariableSource {
  const http::RequestHead& head;
  std::string_view host;
  std::string_view scheme;
  const IpAddress& client;
  std::string_view prefix;  // the route's `path`
  ClientCountry& country;
  const geo::Table* geo = nullptr;
  std::optional<std::string_view> target =
      {};  // whose query counts in place of the head's: of a fetch, as the key has it
};

class Template {
 public:
  struct Piece {
    std::string text;
    Variable then = Variable::none;  // what follows the text
    bool operator==(const Piece&) const = default;
  };
  // An error where braces hold what looks like a variable and is none of `allowed`.
  static Result<Template> parse(std::string_view text, const std::vector<Variable>& allowed);
  void expand(const VariableSource& source, Text& out) const;  // appends
  const std::vector<Piece>& pieces() const { return pieces_; }
  bool operator==(const Template&) const = default;

 private:
  std::vector<Piece> pieces_;
};

std::string_view name_of(Variable variable);

}  // namespace portolan::proxy
