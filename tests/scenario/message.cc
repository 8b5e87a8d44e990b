#include "message.hh"

#include <strings.h>

#include <cstdlib>

namespace portolan::scenario {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

// The lines up to an empty one; returns where the bytes behind it begin, or npos.
size_t read_fields(const std::string& in, size_t at, Lines& fields) {
  for (;;) {
    size_t end = in.find("\r\n", at);
    if (end == std::string::npos) return end;
    if (end == at) return at + 2;
    std::string line = in.substr(at, end - at);
    size_t colon = line.find(':');
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' '));
    fields.emplace_back(line.substr(0, colon), value);
    at = end + 2;
  }
}

size_t read_chunks(const std::string& in, size_t at, Message& m) {
  for (;;) {
    size_t end = in.find("\r\n", at);
    if (end == std::string::npos) return end;
    size_t size = std::strtoull(in.c_str() + at, nullptr, 16);
    at = end + 2;
    if (size == 0) return read_fields(in, at, m.trailers);
    if (in.size() < at + size + 2) return std::string::npos;
    m.body.append(in, at, size);
    at += size + 2;
  }
}

size_t read_body(const std::string& in, size_t at, Kind kind, bool ended, Message& m) {
  int status = kind == Kind::request ? 0 : m.status();
  bool bodyless = kind == Kind::answer_to_head || status == 204 || status == 304 || (status >= 100 && status < 200);
  if (bodyless) return at;
  m.chunked = strcasecmp(m.field("Transfer-Encoding").c_str(), "chunked") == 0;
  if (m.chunked) return read_chunks(in, at, m);
  if (m.has("Content-Length")) {
    size_t size = std::strtoull(m.field("Content-Length").c_str(), nullptr, 10);
    if (in.size() - at < size) return std::string::npos;
    m.body = in.substr(at, size);
    return at + size;
  }
  if (kind == Kind::request) return at;
  if (!ended) return std::string::npos;
  m.body = in.substr(at);
  return in.size();
}

size_t read_head(const std::string& in, Message& m) {
  size_t end = in.find("\r\n");
  if (end == std::string::npos) return end;
  m.start = in.substr(0, end);
  return read_fields(in, end + 2, m.fields);
}

}  // namespace

int Message::status() const {
  return start.size() > 12 ? std::atoi(start.c_str() + 9) : 0;
}

std::string Message::field(std::string_view name) const {
  std::string joined;
  for (const auto& [key, value] : fields) {
    if (key.size() != name.size() || strncasecmp(key.data(), name.data(), name.size()) != 0) continue;
    if (!joined.empty()) joined += ", ";
    joined += value;
  }
  return joined;
}

bool Message::has(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) return true;
  return false;
}

std::string Message::summary() const {
  std::string out = start + "\n";
  for (const auto& [key, value] : fields) out += key + ": " + value + "\n";
  out += "\n" + body + "\n";
  for (const auto& [key, value] : trailers) out += key + ": " + value + "\n";
  return out;
}

bool take_head(std::string& in, Message& out) {
  Message m;
  size_t at = read_head(in, m);
  if (at == std::string::npos) return false;
  in.erase(0, at);
  out = std::move(m);
  return true;
}

bool take_message(std::string& in, Kind kind, bool ended, Message& out) {
  Message m;
  size_t at = read_head(in, m);
  if (at != std::string::npos) at = read_body(in, at, kind, ended, m);
  if (at == std::string::npos) return false;
  in.erase(0, at);
  out = std::move(m);
  return true;
}

}  // namespace portolan::scenario
