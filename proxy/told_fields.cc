#include "proxy/told_fields.hh"

#include <algorithm>

#include "proxy/filters.hh"

namespace portolan::proxy {
namespace {

void append_lower(std::string_view name, std::string& out) {
  for (char c : name) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  out += '\n';
}

bool in_the_key(Variable variable, const edge::Cache& cache) {
  switch (variable) {
    case Variable::client_address:
      return false;
    case Variable::country:
      return cache.asks_country();
    default:
      return true;
  }
}

// In place of what we would write goes what the route says, or nothing.
bool replaces(const HeaderEdits& edits, std::string_view name) {
  auto set = [name](const HeaderEdits::Line& line) { return http::equal_ignoring_case(line.name, name); };
  return std::any_of(edits.set.begin(), edits.set.end(), set) ||
         std::find(edits.remove.begin(), edits.remove.end(), name) != edits.remove.end();
}

}  // namespace

std::string told_fields(const RouteConfig& route, const std::vector<std::string>& user_headers,
                        const edge::Cache& cache) {
  std::string out = "client-cert*\nvia\nx-client-cert*\n";
  const HeaderEdits& edits = route.request_headers;
  for (std::string_view name : {"x-forwarded-for", "x-real-ip"})
    if (!replaces(edits, name)) out.append(name).append("\n");
  for (const auto* lines : {&edits.set, &edits.add}) {
    for (const HeaderEdits::Line& line : *lines) {
      const auto& pieces = line.value.pieces();
      auto tells = [&cache](const Template::Piece& piece) { return !in_the_key(piece.then, cache); };
      if (std::any_of(pieces.begin(), pieces.end(), tells)) append_lower(line.name, out);
    }
  }
  for (const std::string& name : user_headers) append_lower(name, out);
  return out;
}

}  // namespace portolan::proxy
