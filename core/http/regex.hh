#pragma once
// A regular expression as RE2 reads it: searched in time linear in the text, whatever the expression and whoever wrote the
// text. Bytes, not characters. Immutable; copies share what was compiled; any thread. The only file that sees RE2.
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hh"

namespace re2 {
class RE2;
}

namespace portolan::http {

class Regex {
 public:
  static constexpr size_t longest = 1000;     // bytes of an expression
  static constexpr size_t most_groups = 100;  // that find_in() tells of
  // An error says what is wrong in the words of RE2.
  static Result<Regex> compile(const std::string& pattern);

  Regex() = default;                           // is found nowhere
  bool found_in(std::string_view text) const;  // anywhere: ^ and $ anchor
  // Where it is found first, and what its groups caught there: groups[0] is all of it, groups[n] the n-th. False: nowhere.
  bool find_in(std::string_view text, std::string_view (&groups)[most_groups + 1]) const;
  int groups() const;  // without the whole
  const std::map<std::string, int>& named_groups() const;

 private:
  std::shared_ptr<const re2::RE2> compiled_;
};

// What every text in which the expression is found surely begins and ends with; empty where nothing is sure.
struct LiteralEnds {
  std::string prefix;
  std::string suffix;
};
LiteralEnds literal_ends(std::string_view pattern);

}  // namespace portolan::http
