#include "proxy/grpc.hh"

#include <charconv>

namespace portolan::proxy {
namespace {

constexpr std::string_view content_type = "application/grpc";
constexpr std::string_view names[] = {
    "ok",        "cancelled",      "unknown",           "invalid-argument",   "deadline-exceeded",
    "not-found", "already-exists", "permission-denied", "resource-exhausted", "failed-precondition",
    "aborted",   "out-of-range",   "unimplemented",     "internal",           "unavailable",
    "data-loss", "unauthenticated"};

}  // namespace

bool is_grpc(const http::Fields& fields) {
  auto type = fields.find(http::FieldId::content_type);
  if (!type || type->size() < content_type.size()) return false;
  if (!http::equal_ignoring_case(type->substr(0, content_type.size()), content_type)) return false;
  std::string_view rest = type->substr(content_type.size());
  return rest.empty() || rest[0] == '+' || rest[0] == ';';
}

std::string_view grpc_status(const http::Fields& fields) {
  std::string_view status = fields.find("grpc-status").value_or("");
  return grpc_status_name(status).empty() ? std::string_view() : status;
}

std::string_view grpc_status_name(std::string_view status) {
  size_t number = 0;
  auto [end, error] = std::from_chars(status.data(), status.data() + status.size(), number);
  if (error != std::errc() || end != status.data() + status.size() || number >= std::size(names)) return {};
  return names[number];
}

std::vector<std::string> grpc_status_names() {
  return {std::begin(names), std::end(names)};
}

}  // namespace portolan::proxy
