#pragma once
// What a path becomes where a regular expression is found in it: "^/v([0-9]+)/(.*)$" → "/api/{2}/v{1}". Linear in the path.
// Immutable; copies share the expression; any thread.
#include <string>
#include <string_view>
#include <vector>

#include "core/base/recycled.hh"
#include "core/base/result.hh"
#include "core/http/regex.hh"

namespace portolan::proxy {

class Replacement {
 public:
  // `to` names groups of the expression by number or name: {1}, {rest}; {0} is all it found. Whatever else stands in
  // braces is text. The error tells what is wrong with `to`, or with the expression in the words of RE2.
  static Result<Replacement> make(const std::string& regex, std::string_view to);
  // False: the expression isn't found, and `out` is as it was. What it appends begins with one slash where `to` does:
  // "//host" would be read as a URL without a scheme. A group that took no part is empty.
  bool apply(std::string_view path, Text& out) const;

 private:
  struct Piece {
    std::string text;
    int then = -1;  // the group that follows the text; -1: none
  };
  Result<int> group_of(std::string_view name) const;
  http::Regex regex_;
  std::vector<Piece> pieces_;
};

}  // namespace portolan::proxy
