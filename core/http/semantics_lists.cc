#include <algorithm>
#include <iterator>

#include "core/http/chars.hh"
#include "core/http/semantics.hh"

namespace portolan::http {
namespace {

// Where the quoted string that begins at text[at] ends: just past its closing quote, or npos.
size_t quoted_end(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace

bool ListCursor::next(std::string_view& element) {
  while (!rest_.empty()) {
    size_t at = 0;
    while (at < rest_.size() && rest_[at] != separator_) {
      at = rest_[at] == '"' ? std::min(quoted_end(rest_, at), rest_.size()) : at + 1;
    }
    element = trim(rest_.substr(0, at));
    rest_.remove_prefix(std::min(at + 1, rest_.size()));
    if (!element.empty()) return true;
  }
  return false;
}

Parameter split_parameter(std::string_view element) {
  size_t equals = element.find('=');
  if (equals == std::string_view::npos) return {trim(element), std::nullopt};
  return {trim(element.substr(0, equals)), trim(element.substr(equals + 1))};
}

std::optional<std::string> unquote(std::string_view text) {
  if (is_token(text)) return std::string(text);
  if (text.size() < 2 || text.front() != '"' || quoted_end(text, 0) != text.size()) return std::nullopt;
  std::string out;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    out += text[i];
  }
  return out;
}

bool list_has(std::string_view value, std::string_view element) {
  ListCursor cursor(value);
  for (std::string_view e; cursor.next(e);) {
    if (equal_ignoring_case(e, element)) return true;
  }
  return false;
}

bool is_hop_by_hop(FieldId id) {
  switch (id) {
    case FieldId::connection:
    case FieldId::keep_alive:
    case FieldId::proxy_authenticate:
    case FieldId::proxy_authentication_info:
    case FieldId::proxy_authorization:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::trailer:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    default:
      return false;
  }
}

bool is_hop_by_hop(const Field& field, std::string_view connection) {
  if (field.id != FieldId::other) return is_hop_by_hop(field.id);
  return list_has(connection, field.name);
}

void remove_hop_by_hop(Fields& fields) {
  auto& list = fields.list();
  // Connection lines go last: they name the others.
  auto named = [&list](const Field& field) {
    if (field.id != FieldId::other) return false;
    return std::any_of(list.begin(), list.end(), [&field](const Field& c) {
      return c.id == FieldId::connection && list_has(c.value, field.name);
    });
  };
  for (Field& field : list) {
    if (named(field)) field.name = {};
  }
  std::erase_if(list, [](const Field& f) { return f.name.empty() || is_hop_by_hop(f.id); });
}

void append_sf_string(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= 0x20 && c < 0x7f ? c : '?';
  }
  out += '"';
}

bool asks_safely(const RequestHead& request) {
  if (request.method != Method::other) return is_safe(request.method);
  constexpr std::string_view registered[] = {"PRI", "PROPFIND", "QUERY", "REPORT", "SEARCH"};
  return std::find(std::begin(registered), std::end(registered), request.method_text) != std::end(registered);
}

}  // namespace portolan::http
