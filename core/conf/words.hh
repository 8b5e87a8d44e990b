#pragma once
// Words of an error message: quoting what was written, and the nearest of what could have been.
#include <string>
#include <string_view>
#include <vector>

namespace portolan::conf {

// In double quotes on one line: control characters and invalid UTF-8 escaped, cut after 80 bytes.
std::string quoted(std::string_view text);

// As a key is written in TOML: bare where it may be, else quoted.
std::string key_text(std::string_view key);

// The candidate with the fewest edits from `word` (insert, delete, replace, swap of neighbours;
// case counts for nothing), or the only one that it is the beginning of; empty where none is near
// enough to be meant.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// `; did you mean "x"?` where one is near, else `; <label>: a, b, c` (at most twenty), or ""
// without candidates.
std::string remedy(std::string_view word, const std::vector<std::string>& candidates, std::string_view label);

}  // namespace portolan::conf
