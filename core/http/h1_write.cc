#include <charconv>
#include <initializer_list>

#include "core/http/h1.hh"

namespace portolan::http {
namespace {

void put(std::string& out, std::initializer_list<std::string_view> parts) {
  for (std::string_view part : parts) out.append(part);
}

void put(BlockWriter& out, std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (std::string_view part : parts) size += part.size();
  char* to = out.room(size);
  for (std::string_view part : parts) to = copy_short(to, part);
  out.advance(size);
}

void put_field(std::string& out, std::string_view name, std::string_view value) {
  put(out, {name, ": ", value, "\r\n"});
}

void put_field(BlockWriter& out, std::string_view name, std::string_view value) {
  size_t size = name.size() + value.size() + 4;
  char* to = copy_short(out.room(size), name);
  *to++ = ':';
  *to++ = ' ';
  to = copy_short(to, value);
  *to++ = '\r';
  *to++ = '\n';
  out.advance(size);
}

struct Digits {
  explicit Digits(uint64_t value) : end(std::to_chars(text, text + sizeof text, value).ptr) {}
  std::string_view view() const { return {text, static_cast<size_t>(end - text)}; }
  char text[20];
  char* end;
};

}  // namespace

template <class Out>
void BasicHeadWriter<Out>::request_line(std::string_view method, std::string_view path, std::string_view query,
                                        bool has_query) {
  put(out_, {method, " ", path, has_query ? "?" : "", query, " HTTP/1.1\r\n"});
}

template <class Out>
void BasicHeadWriter<Out>::status_line(int status, std::string_view reason) {
  if (reason.empty()) reason = reason_phrase(status);
  if (status == 200 && reason == "OK") return put(out_, {"HTTP/1.1 200 OK\r\n"});
  put(out_, {"HTTP/1.1 ", Digits(static_cast<uint64_t>(status)).view(), " ", reason, "\r\n"});
}

template <class Out>
void BasicHeadWriter<Out>::field(std::string_view name, std::string_view value) {
  put_field(out_, name, value);
}

template <class Out>
void BasicHeadWriter<Out>::field(std::string_view name, uint64_t value) {
  field(name, Digits(value).view());
}

template <class Out>
void BasicHeadWriter<Out>::framing(Framing framing, uint64_t content_length) {
  if (framing == Framing::length) field("Content-Length", content_length);
  if (framing == Framing::chunked) field("Transfer-Encoding", "chunked");
}

template <class Out>
void BasicHeadWriter<Out>::end() {
  put(out_, {"\r\n"});
}

template class BasicHeadWriter<std::string>;
template class BasicHeadWriter<BlockWriter>;

size_t chunk_header(char* buffer, uint64_t size) {
  char* end = std::to_chars(buffer, buffer + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return static_cast<size_t>(end - buffer);
}

}  // namespace portolan::http
