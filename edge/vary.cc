// Vary (RFC 9111 §4.1): which fields select a variant, and their values in one spelling for what means the same.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/http/semantics.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

using http::FieldId;
using Elements = std::vector<std::string>;

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

// Fields whose elements are ranges with weights: neither case nor order nor the space in them says anything (RFC 9110
// §12.5). Order where weights are equal is no preference either.
bool is_negotiation(FieldId id, std::string_view name) {
  return id == FieldId::accept || http::equal_ignoring_case(name, "accept-language") ||
         http::equal_ignoring_case(name, "accept-charset");
}

std::string without_space(std::string_view element) {
  std::string out;
  for (char c : lowered(element))
    if (c != ' ' && c != '\t') out += c;
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

void append_joined(std::string& out, const Elements& elements) {
  for (size_t i = 0; i < elements.size(); ++i) out.append(i ? "," : "").append(elements[i]);
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

void vary_values(std::string_view names, const http::Fields& request, std::string& out) {
  while (!names.empty()) {
    size_t end = names.find('\n');
    std::string_view name = names.substr(0, end);
    names.remove_prefix(end + 1);
    FieldId id = http::field_id(name);
    size_t start = out.size();
    bool present = false;
    if (id == FieldId::accept_encoding) {
      auto encodings = accepted_encodings(request);
      present = encodings.has_value();
      if (present) out += *encodings;
    } else if (is_negotiation(id, name)) {
      thread_local Elements elements;  // a hit allocates nothing once it has grown
      elements.clear();
      present = each_element(request, id, name, [&](std::string_view e) { elements.push_back(without_space(e)); });
      std::sort(elements.begin(), elements.end());
      append_joined(out, elements);
    } else {
      bool first = true;
      present = each_element(request, id, name, [&](std::string_view e) {
        if (!first) out += ',';
        first = false;
        out += e;
      });
    }
    // The length behind the value makes "a","bc" differ from "ab","c"; a '-' says the field was absent.
    fmt::format_to(std::back_inserter(out), "\n{}{}\n", present ? "" : "-", out.size() - start);
  }
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
    out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", name, length.starts_with('-') ? "(none)" : value);
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
