#pragma once
// Files → one tree: `include = ["conf.d/*.toml"]` is followed (relative to the file that says it,
// in name order) and tables are joined; a key set twice is an error that names both places.
// [[name]] lists of several files are joined in the order the files are read.
#include <string>
#include <vector>

#include "core/conf/value.hh"

namespace portolan::conf {

struct Tree {
  Value root;
  std::vector<std::string> files;   // as read: the first is the one asked for
  std::vector<std::string> errors;  // "file:line:col: what"
};

// Never throws. Files over 16 MiB, includes nested more than 16 deep, and a file included twice are
// errors.
Tree read(const std::string& path);

// In the order of `files`, then line, then column; of equal errors one is kept.
void sort_errors(std::vector<std::string>& errors, const std::vector<std::string>& files);

}  // namespace portolan::conf
