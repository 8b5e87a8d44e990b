#include <charconv>

#include "core/http/h1.hh"

namespace portolan::http {
namespace {

void append_number(std::string& out, uint64_t value) {
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

}  // namespace

void HeadWriter::request_line(std::string_view method, std::string_view target) {
  out_.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
}

void HeadWriter::status_line(int status, std::string_view reason) {
  out_.append("HTTP/1.1 ");
  append_number(out_, static_cast<uint64_t>(status));
  out_.append(" ").append(reason.empty() ? reason_phrase(status) : reason).append("\r\n");
}

void HeadWriter::field(std::string_view name, std::string_view value) {
  out_.append(name).append(": ").append(value).append("\r\n");
}

void HeadWriter::field(std::string_view name, uint64_t value) {
  out_.append(name).append(": ");
  append_number(out_, value);
  out_.append("\r\n");
}

void HeadWriter::framing(Framing framing, uint64_t content_length) {
  if (framing == Framing::length) field("Content-Length", content_length);
  if (framing == Framing::chunked) field("Transfer-Encoding", "chunked");
}

void HeadWriter::end() {
  out_.append("\r\n");
}

size_t chunk_header(char* buffer, uint64_t size) {
  char* end = std::to_chars(buffer, buffer + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return static_cast<size_t>(end - buffer);
}

}  // namespace portolan::http
