// Vary (RFC 9111 §4.1): which fields select a variant, and their values in one spelling for what means the same.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/http/chars.hh"
#include "core/http/semantics.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

using http::FieldId;

// Between the lines of a field, which no value holds: servers see them apart, and not all of them as one list.
constexpr char between_lines = '\r';

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

struct Wanted {
  std::string range;  // lower case
  double weight = 1;
};

// An element of an Accept-* field; one whose weight is none counts in full.
Wanted read_wanted(std::string_view element) {
  Wanted w;
  http::ListCursor parts(element, ';');
  std::string_view part;
  if (parts.next(part)) w.range = lowered(part);
  while (parts.next(part)) {
    http::Parameter p = http::split_parameter(part);
    if (!http::equal_ignoring_case(p.name, "q") || !p.value) continue;
    std::string_view digits = *p.value;
    if (digits.empty() || (digits[0] != '0' && digits[0] != '1')) continue;
    w.weight = digits[0] - '0';
    double unit = 0.1;
    for (size_t i = 2; i < digits.size() && digits[1] == '.' && digits[i] >= '0' && digits[i] <= '9'; ++i, unit /= 10)
      w.weight += unit * (digits[i] - '0');
  }
  return w;
}

template <typename Take>
bool each_element(const http::Fields& fields, FieldId id, std::string_view name, Take take) {
  bool present = false;
  for (const http::Field& f : fields) {
    if (f.id != id || (id == FieldId::other && !http::equal_ignoring_case(f.name, name))) continue;
    present = true;
    http::ListCursor cursor(f.value);
    for (std::string_view e; cursor.next(e);) take(e);
  }
  return present;
}

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

// An element of an Accept-* field without the space around its ';' and itself. Nothing else of it goes: what else is
// wrong with it a server may stumble over.
void append_range(std::string_view element, std::string& out) {
  const size_t start = out.size();
  auto trim = [&out, start] {
    while (out.size() > start && is_space(out.back())) out.pop_back();
  };
  for (char c : element) {
    if (c == ';') trim();
    if (is_space(c) && (out.size() == start || out.back() == ';')) continue;
    out += c;
  }
  trim();
}

// "a, b ;q=1" as "a,b;q=1".
void append_ranges(std::string_view line, std::string& out) {
  for (size_t end; (end = line.find(',')) != std::string_view::npos; line.remove_prefix(end + 1)) {
    append_range(line.substr(0, end), out);
    out += ',';
  }
  append_range(line, out);
}

// The same of languages, whose order is no preference where weights are equal, nor means their case anything.
void append_languages(std::string_view line, std::string& out) {
  thread_local std::string folded;  // these two: a hit allocates nothing once they have grown
  thread_local std::vector<std::string_view> elements;
  folded.clear();
  append_ranges(line, folded);
  for (char& c : folded)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  elements.clear();
  for (std::string_view rest = folded;;) {
    size_t end = rest.find(',');
    elements.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  std::sort(elements.begin(), elements.end());
  for (size_t i = 0; i < elements.size(); ++i) out.append(i ? "," : "").append(elements[i]);
}

// "a, b" as "a,b", where it is a list of tokens and nothing else. False: it isn't.
bool append_tokens(std::string_view line, std::string& out) {
  if (line.find(',') == std::string_view::npos) return false;
  const size_t start = out.size();
  for (bool more = true; more;) {
    size_t end = line.find(',');
    std::string_view element = line.substr(0, end);
    more = end != std::string_view::npos;
    line.remove_prefix(more ? end + 1 : line.size());
    while (!element.empty() && is_space(element.front())) element.remove_prefix(1);
    while (!element.empty() && is_space(element.back())) element.remove_suffix(1);
    if (!http::is_token(element)) {
      out.resize(start);
      return false;
    }
    out.append(element).append(more ? "," : "");
  }
  return true;
}

void append_line(FieldId id, std::string_view name, std::string_view line, std::string& out) {
  const bool languages = id == FieldId::other && http::equal_ignoring_case(name, "accept-language");
  const bool ranges = id == FieldId::accept || (id == FieldId::other && name == "accept-charset");
  // Quotes may hide what looks like the end of an element.
  const bool quoted = (languages || ranges) && line.find('"') != std::string_view::npos;
  if (languages && !quoted) return append_languages(line, out);
  if (ranges && !quoted) return append_ranges(line, out);
  if (!append_tokens(line, out)) out.append(line);
}

}  // namespace

std::optional<std::string> vary_names(const http::Fields& response) {
  if (!response.has(FieldId::vary)) return std::string{};
  std::vector<std::string> names;
  for (const http::Field& f : response) {
    if (f.id != FieldId::vary) continue;
    http::ListCursor elements(f.value);
    for (std::string_view e; elements.next(e);) {
      if (e == "*") return std::nullopt;
      names.push_back(lowered(e));
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string out;
  for (const std::string& n : names) out.append(n).append("\n");
  return out;
}

std::optional<std::string> accepted_encodings(const http::Fields& request) {
  if (!request.may_have(FieldId::accept_encoding)) return std::nullopt;
  constexpr std::string_view known[] = {"br", "gzip", "zstd"};
  std::optional<bool> accepts[std::size(known)], any, identity;
  bool present = each_element(request, FieldId::accept_encoding, "", [&](std::string_view e) {
    Wanted w = read_wanted(e);
    bool yes = w.weight > 0;
    if (w.range == "x-gzip") w.range = "gzip";
    if (w.range == "*") any = yes;
    if (w.range == "identity") identity = yes;
    for (size_t i = 0; i < std::size(known); ++i)
      if (w.range == known[i]) accepts[i] = yes;
  });
  if (!present) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < std::size(known); ++i)
    if (accepts[i].value_or(any.value_or(false))) out.append(out.empty() ? "" : ", ").append(known[i]);
  if (!identity.value_or(any.value_or(true))) {
    out.append(out.empty() ? "" : ", ").append("identity;q=0");
  } else if (out.empty()) {
    out = "identity";
  }
  return out;
}

void vary_value(std::string_view name, const http::Fields& request, std::string& out) {
  const FieldId id = http::field_id(name);
  const size_t start = out.size();
  bool present = false;
  if (id == FieldId::accept_encoding) {
    auto encodings = accepted_encodings(request);
    present = encodings.has_value();
    if (present) out += *encodings;
  } else if (id == FieldId::other || request.may_have(id)) {
    for (const http::Field& f : request) {
      if (f.id != id || (id == FieldId::other && !http::equal_ignoring_case(f.name, name))) continue;
      if (present) out += between_lines;
      present = true;
      append_line(id, name, f.value, out);
    }
  }
  // The length behind the value makes "a","bc" differ from "ab","c"; a '-' says the field was absent.
  fmt::format_to(std::back_inserter(out), "\n{}{}\n", present ? "" : "-", out.size() - start);
}

void vary_values(std::string_view names, const http::Fields& request, std::string& out) {
  while (!names.empty()) {
    size_t end = names.find('\n');
    vary_value(names.substr(0, end), request, out);
    names.remove_prefix(end + 1);
  }
}

bool varies_by_told(std::string_view names, std::string_view told) {
  auto next = [](std::string_view& list) {
    std::string_view name = list.substr(0, list.find('\n'));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    return name;
  };
  while (!names.empty()) {
    std::string_view name = next(names);
    for (std::string_view rest = told; !rest.empty();) {
      std::string_view entry = next(rest);
      bool begins = entry.ends_with('*') && name.starts_with(entry.substr(0, entry.size() - 1));
      if (begins || name == entry) return true;
    }
  }
  return false;
}

std::string vary_text(std::string_view names, std::string_view values) {
  auto line = [](std::string_view& text) {
    std::string_view taken = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(taken.size() + 1, text.size()));
    return taken;
  };
  std::string out;
  while (!names.empty()) {
    std::string_view name = line(names), value = line(values), length = line(values);
    out += fmt::format("{}{}: ", out.empty() ? "" : "; ", name);
    if (length.starts_with('-')) value = "(none)";
    for (char c : value) out += c == between_lines ? std::string_view(" | ") : std::string_view(&c, 1);
  }
  return out;
}

bool speaks_the_language(std::string_view names, const http::Fields& response, const http::Fields& request) {
  if (names != "accept-language\n") return false;
  auto spoken = response.find(FieldId::content_language);
  if (!spoken || response.count(FieldId::content_language) != 1) return false;
  Wanted best;
  best.weight = 0;
  bool alone = false;
  each_element(request, FieldId::other, "accept-language", [&](std::string_view e) {
    Wanted w = read_wanted(e);
    if (w.weight == best.weight) alone = false;
    if (w.weight <= best.weight) return;
    best = std::move(w);
    alone = true;
  });
  return alone && http::equal_ignoring_case(best.range, *spoken);
}

}  // namespace portolan::edge
