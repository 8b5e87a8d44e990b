#pragma once
// Pages in place of the short texts with which errors made here are answered: no server could, no route leads there, a gate
// refuses. What servers answer passes as it is.
#include <string>
#include <vector>

#include "core/base/bytes.hh"
#include "core/conf/field.hh"

namespace portolan::proxy {

struct ErrorPage {
  int first = 0, last = 0;  // of the statuses it is for
  std::string path;
  std::string where;         // file:line:col, for errors
  std::string content_type;  // by the path
  Slice body;                // read by daemon/error_pages
  bool operator==(const ErrorPage& o) const {
    return first == o.first && last == o.last && path == o.path && body.view() == o.body.view();
  }
};
using ErrorPages = std::vector<ErrorPage>;  // of one status before those of a class

const ErrorPage* find_error_page(const ErrorPages& pages, int status);  // null: there is none

conf::Type<ErrorPages> error_pages();  // { 502 = "/path", 5xx = "/path" }

}  // namespace portolan::proxy
