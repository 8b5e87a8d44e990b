#include "core/http/encoding.hh"

#include "core/http/semantics.hh"

namespace portolan::http {
namespace {

constexpr std::array<std::string_view, coding_count> names{"identity", "gzip", "br", "zstd"};
constexpr std::array<std::string_view, coding_count> suffixes{"", ".gz", ".br", ".zst"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "1", "0.5", "1.000": at most three decimals (RFC 9110 §12.4.2). Others: nullopt.
std::optional<uint16_t> weight_of(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1') || text.size() > 5) return std::nullopt;
  unsigned value = static_cast<unsigned>(text[0] - '0') * 1000;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  unsigned unit = 100;
  for (size_t i = 2; i < text.size(); ++i, unit /= 10) {
    if (!is_digit(text[i])) return std::nullopt;
    value += static_cast<unsigned>(text[i] - '0') * unit;
  }
  if (value > 1000) return std::nullopt;
  return static_cast<uint16_t>(value);
}

// Of "gzip;q=0.5" what stands behind the ';'.
uint16_t weight_in(std::string_view parameters) {
  ListCursor cursor(parameters, ';');
  for (std::string_view p; cursor.next(p);) {
    Parameter parameter = split_parameter(p);
    if (equal_ignoring_case(parameter.name, "q")) return weight_of(parameter.value.value_or("")).value_or(0);
  }
  return 1000;
}

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view coding_name(Coding coding) {
  return names[static_cast<size_t>(coding)];
}

std::string_view coding_suffix(Coding coding) {
  return suffixes[static_cast<size_t>(coding)];
}

std::optional<Coding> coding_of(std::string_view name) {
  for (size_t i = 0; i < coding_count; ++i)
    if (equal_ignoring_case(name, names[i])) return static_cast<Coding>(i);
  if (equal_ignoring_case(name, "x-gzip")) return Coding::gzip;
  return std::nullopt;
}

AcceptedCodings::AcceptedCodings(std::string_view value) {
  std::array<bool, coding_count> named{};
  std::optional<uint16_t> others;
  ListCursor elements(value);
  for (std::string_view e; elements.next(e);) {
    size_t end = std::min(e.find(';'), e.size());
    std::string_view name = trimmed(e.substr(0, end));
    uint16_t weight = end < e.size() ? weight_in(e.substr(end + 1)) : 1000;
    if (name == "*") {
      others = weight;
    } else if (auto coding = coding_of(name)) {
      weights_[static_cast<size_t>(*coding)] = weight;
      named[static_cast<size_t>(*coding)] = true;
    }
  }
  if (!others) return;
  for (size_t i = 0; i < coding_count; ++i)
    if (!named[i] && (i > 0 || *others == 0)) weights_[i] = *others;
}

AcceptedCodings::AcceptedCodings(const Fields& request) {
  if (!request.may_have(FieldId::accept_encoding)) return;
  if (request.count(FieldId::accept_encoding) > 1) {
    *this = AcceptedCodings(*request.joined(FieldId::accept_encoding));
  } else if (auto value = request.find(FieldId::accept_encoding)) {
    *this = AcceptedCodings(*value);
  }
}

Coding AcceptedCodings::choose(std::span<const Coding> offered) const {
  Coding best = Coding::identity;
  uint16_t weight = 0;
  for (Coding coding : offered) {
    uint16_t w = weights_[static_cast<size_t>(coding)];
    if (w > weight) {
      best = coding;
      weight = w;
    }
  }
  return weights_[0] > weight ? Coding::identity : best;
}

}  // namespace portolan::http
