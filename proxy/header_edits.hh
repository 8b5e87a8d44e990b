#pragma once
// What a route changes in the fields of requests to its servers and of answers to its clients.
#include <string>
#include <string_view>
#include <vector>

#include "core/base/recycled.hh"
#include "core/conf/field.hh"
#include "core/http/message.hh"
#include "proxy/template.hh"

namespace portolan::proxy {

struct HeaderEdits {
  struct Line {
    std::string name;  // as written
    Template value;
    bool operator==(const Line&) const = default;
  };
  std::vector<Line> set;            // in place of all lines of that name; with an empty value: of none
  std::vector<Line> add;            // beside those that are there
  std::vector<std::string> remove;  // lower case
  bool empty() const { return set.empty() && add.empty() && remove.empty(); }
  bool operator==(const HeaderEdits&) const = default;
};

// The edits for one message: what it loses and the lines it gets. Lives no longer than the edits.
class AppliedEdits {
 public:
  void apply(const HeaderEdits& edits, const VariableSource& source);
  bool replaces(std::string_view name) const;        // lines of that name that are there go
  std::string_view lines() const { return lines_; }  // as HTTP/1 writes them, each with its CRLF
  std::string_view host() const { return host_; }    // set for a server; empty: not

 private:
  const HeaderEdits* edits_ = nullptr;
  Text lines_;
  Text host_;
};

// The rows of [[route]].request_headers and response_headers. What frames a message, ends at a hop or is ours to say
// can't be edited.
const conf::Table<HeaderEdits>& request_edit_fields();
const conf::Table<HeaderEdits>& response_edit_fields();

}  // namespace portolan::proxy
