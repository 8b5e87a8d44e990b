#include "core/http/regex.hh"

#include <re2/re2.h>

#include <utility>

namespace portolan::http {
namespace {

constexpr int64_t most_memory = 1 << 20;  // of an expression, with the states that searches add

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Alternatives outside of every group: both ends of the text belong to one of them only. Unsure: true.
bool has_alternatives(std::string_view pattern) {
  if (pattern.find('|') == std::string_view::npos) return false;
  if (pattern.find('[') != std::string_view::npos) return true;
  int depth = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\')
      ++i;
    else if (pattern[i] == '(')
      ++depth;
    else if (pattern[i] == ')')
      --depth;
    else if (pattern[i] == '|' && depth == 0)
      return true;
  }
  return false;
}

// Escapes of a letter or digit that stand for one set of characters or for none; others (\x41, \pL, \Q) take more of what
// follows.
bool simple_escape(char c) {
  return !is_word(c) || std::string_view("dDwWsSbBAz").find(c) != std::string_view::npos;
}

}  // namespace

Result<Regex> Regex::compile(const std::string& pattern) {
  if (pattern.size() > longest) return Error{"it is longer than " + std::to_string(longest) + " bytes"};
  RE2::Options options(RE2::Latin1);
  options.set_log_errors(false);
  options.set_max_mem(most_memory);
  auto compiled = std::make_shared<const RE2>(pattern, options);
  if (!compiled->ok()) return Error{compiled->error()};
  Regex regex;
  regex.compiled_ = std::move(compiled);
  return regex;
}

bool Regex::found_in(std::string_view text) const {
  return compiled_ && compiled_->Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, nullptr, 0);
}

bool Regex::find_in(std::string_view text, std::string_view (&groups)[most_groups + 1]) const {
  if (!compiled_) return false;
  re2::StringPiece found[most_groups + 1];
  const int count = this->groups() + 1;
  if (!compiled_->Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, found, count)) return false;
  for (int i = 0; i < count; ++i) groups[i] = {found[i].data(), found[i].size()};
  return true;
}

int Regex::groups() const {
  return compiled_ ? compiled_->NumberOfCapturingGroups() : 0;
}

const std::map<std::string, int>& Regex::named_groups() const {
  static const std::map<std::string, int> none;
  return compiled_ ? compiled_->NamedCapturingGroups() : none;
}

LiteralEnds literal_ends(std::string_view pattern) {
  LiteralEnds ends;
  if (pattern.find("(?") != std::string_view::npos || has_alternatives(pattern)) return ends;
  bool first = pattern.starts_with('^');  // the run of characters began with the text
  std::string run;
  auto break_run = [&](bool optional) {
    if (optional && !run.empty()) run.pop_back();
    if (std::exchange(first, false)) ends.prefix = run;
    run.clear();
  };
  for (size_t i = first ? 1 : 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\') {
      if (++i == pattern.size() || !simple_escape(pattern[i])) return {};
      if (is_word(pattern[i]))
        break_run(false);
      else
        run += pattern[i];
    } else if (c == '$' && i + 1 == pattern.size()) {
      ends.suffix = run;
    } else if (std::string_view("*+?{").find(c) != std::string_view::npos) {
      break_run(true);
    } else if (std::string_view("^$.[](){}").find(c) != std::string_view::npos) {
      break_run(false);
    } else {
      run += c;
    }
  }
  if (first) ends.prefix = run;
  return ends;
}

}  // namespace portolan::http
