#pragma once
// Aligned columns for a terminal, and the words people like in them.
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace portolan::daemon {

class Table {
 public:
  // `right`: the columns (from 0) that are aligned to the right: numbers.
  explicit Table(std::vector<std::string> header, std::set<size_t> right = {});
  void row(std::vector<std::string> cells);  // as many as the header has
  std::string text() const;                  // "" without rows; lines end with a newline and have no trailing spaces

 private:
  std::vector<std::vector<std::string>> rows_;
  std::set<size_t> right_;
};

std::string age(int64_t ms);       // "0s", "59s", "3m12s", "5h03m", "12d4h"
std::string size(uint64_t bytes);  // "512 B", "1.5 KiB", "256.0 MiB"

}  // namespace portolan::daemon
