#pragma once
// A configuration file as a tree of values that know where they were written. The TOML library is
// seen by value.cc alone.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"

namespace portolan::conf {

// A place in a file; lines and columns count from 1.
struct Place {
  std::shared_ptr<const std::string> file;
  uint32_t line = 1;
  uint32_t column = 1;
  std::string text() const;  // "file:line:col"
};

struct Member;

struct Value {
  enum class Kind : uint8_t { boolean, integer, real, string, date, array, table };
  Kind kind = Kind::table;
  bool sections = false;  // array: written as [[name]], so several files may add to it
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;
  std::string string;
  std::vector<Value> items;     // array
  std::vector<Member> members;  // table; in the order they were written
  Place where;

  const Member* find(std::string_view key) const;
  // "a string", "a table", …
  std::string_view kind_name() const;
};

struct Member {
  std::string key;
  Place where;  // of the key
  Value value;
};

// `text` as a table, or the syntax error as "name:line:col: what". Never throws; nesting is limited
// to 100.
Result<Value> parse(std::string_view text, const std::string& name);

}  // namespace portolan::conf
