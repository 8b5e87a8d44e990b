// Vary, and the values of its fields in two requests. The input: lines of Vary, an empty line, the first request's field
// lines ("name:value"), an empty line, the second's. Equal requests share an answer; requests whose values differ in more
// than space never do, nor in case and order elsewhere than in languages, nor in how they are divided into lines.
#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "core/http/semantics.hh"
#include "edge/rules.hh"

namespace {

using portolan::http::Fields;
using Strings = std::vector<std::string>;

void check(bool good) {
  if (!good) std::abort();
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

std::string trim(std::string text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.erase(0, 1);
  return text;
}

Strings lines_until_empty(std::string& text) {
  Strings out;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string line = text.substr(0, end);
    text.erase(0, std::min(end + 1, text.size()));
    if (line.empty()) break;
    out.push_back(line);
  }
  return out;
}

// Views into `lines`. As a parser gives them: a name, a value without space around it.
Fields fields_of(const Strings& lines) {
  Fields out;
  for (const std::string& line : lines) {
    std::string_view text = line;
    size_t colon = text.find(':');
    if (colon == 0 || colon == std::string_view::npos) continue;
    std::string_view value = text.substr(colon + 1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    out.add(text.substr(0, colon), value);
  }
  return out;
}

// The field's lines with what no normalisation may touch. Without a ',' or a ';' to stand beside space counts, too.
std::string skeleton(const Fields& request, const std::string& name) {
  std::string out;
  for (const auto& f : request) {
    if (lower(std::string(f.name)) != name) continue;
    std::string line(f.value);
    if (line.find_first_of(",;") != std::string::npos)
      std::erase_if(line, [](char c) { return c == ' ' || c == '\t'; });
    if (name == "accept-language" && line.find('"') == std::string::npos) {
      line = lower(line);
      std::sort(line.begin(), line.end());
    }
    out += '\n' + line;
  }
  return out;
}

std::string lines_of(const Fields& request, const std::string& name) {
  std::string out;
  for (const auto& f : request)
    if (lower(std::string(f.name)) == name) out.append("\n").append(f.value);
  return out;
}

Strings names_in(const std::string& names) {
  Strings out;
  for (size_t at = 0; at < names.size();) {
    size_t end = names.find('\n', at);
    check(end != std::string::npos && end > at);
    out.push_back(names.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan;
  if (size > 4096) return 0;
  std::string text(reinterpret_cast<const char*>(data), size);
  Strings vary = lines_until_empty(text), first_lines = lines_until_empty(text), second_lines = lines_until_empty(text);

  Fields response;
  std::string one_line;
  for (const std::string& line : vary) {
    response.add("Vary", line);
    one_line += line + ",";
  }
  auto names = edge::vary_names(response);
  std::reverse(response.list().begin(), response.list().end());
  check(names == edge::vary_names(response));
  bool quoted =
      one_line.find('"') != std::string::npos;  // of no meaning in Vary; a list's commas hide in it all the same
  Fields joined_response;
  joined_response.add("Vary", one_line);
  if (!quoted && !vary.empty()) check(names == edge::vary_names(joined_response));
  if (!names) return 0;
  Strings list = names_in(*names);
  for (size_t i = 0; i < list.size(); ++i) {
    check(list[i] == lower(list[i]) && list[i] == trim(list[i]) && list[i] != "*");
    check(i == 0 || list[i - 1] < list[i]);
    if (!quoted) check(list[i].find(',') == std::string::npos);
  }

  Fields first = fields_of(first_lines), second = fields_of(second_lines);
  std::string mine, theirs;
  edge::vary_values(*names, first, mine);
  edge::vary_values(*names, second, theirs);
  bool equal = true, alike = true;
  for (const std::string& name : list) {
    equal = equal && lines_of(first, name) == lines_of(second, name);
    // What the codings come to is the rules' to say.
    if (name != "accept-encoding") alike = alike && skeleton(first, name) == skeleton(second, name);
  }
  if (equal) check(mine == theirs);
  if (mine == theirs) check(alike);

  // Fields that Vary doesn't name say nothing, wherever they stand.
  Fields more = first;
  more.add("x-not-named-by-anybody", "1");
  if (std::find(list.begin(), list.end(), "x-not-named-by-anybody") == list.end()) {
    std::string again;
    edge::vary_values(*names, more, again);
    check(again == mine);
  }
  // What was sent in one line more is another request; but of encodings servers get one.
  for (const std::string& name : list) {
    if (name == "accept-encoding") continue;
    Fields longer = first;
    longer.add(name, "");
    std::string again;
    edge::vary_values(*names, longer, again);
    check(again != mine);
  }
  return 0;
}
