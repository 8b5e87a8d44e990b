#include "proxy/header_edits.hh"

namespace portolan::proxy {
namespace {

void write_lines(const std::vector<HeaderEdits::Line>& from, const VariableSource& source, Text& lines, Text& host) {
  for (const HeaderEdits::Line& line : from) {
    Text value;
    line.value.expand(source, value);
    if (value.empty()) continue;
    if (http::equal_ignoring_case(line.name, "host")) {
      host = value;
      continue;
    }
    lines.append(line.name).append(": ").append(value).append("\r\n");
  }
}

}  // namespace

void AppliedEdits::apply(const HeaderEdits& edits, const VariableSource& source) {
  edits_ = &edits;
  write_lines(edits.set, source, lines_, host_);
  write_lines(edits.add, source, lines_, host_);
}

bool AppliedEdits::replaces(std::string_view name) const {
  for (const HeaderEdits::Line& line : edits_->set)
    if (http::equal_ignoring_case(line.name, name)) return true;
  for (const std::string& removed : edits_->remove)
    if (http::equal_ignoring_case(removed, name)) return true;
  return false;
}

}  // namespace portolan::proxy
