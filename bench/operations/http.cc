// A message's head: read as it arrives, written as it leaves.
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "bench/operations/operation.hh"
#include "core/base/bytes.hh"
#include "core/http/h1.hh"

namespace portolan::http {
namespace {

using bench::Row;
using bench::Run;

// As wrk asks, and as a browser does.
constexpr std::string_view short_request = "GET /index.html HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
constexpr std::string_view long_request =
    "GET /articles/2026/the-north-wind?page=2&order=date HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://www.example.com/articles/\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Priority: u=0, i\r\n\r\n";
constexpr std::string_view response_head =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx/1.22.1\r\n"
    "Date: Thu, 26 Nov 2026 12:00:00 GMT\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Content-Length: 0\r\n"
    "Last-Modified: Wed, 25 Nov 2026 08:00:00 GMT\r\n"
    "Connection: keep-alive\r\n"
    "ETag: \"67445e00-400\"\r\n"
    "Cache-Control: max-age=60\r\n\r\n";

template <class Parser>
void read_whole(Parser& parser, std::string_view text) {
  for (;;) {
    Step step = parser.next(text);
    if (step.event == Event::error || step.event == Event::need_more) std::abort();
    if (step.event == Event::end) return;
    text.remove_prefix(step.consumed);
  }
}

Run read_request(std::string_view text) {
  auto parser = std::make_shared<RequestParser>();
  return [parser, text](size_t times) {
    while (times-- > 0) read_whole(*parser, text);
  };
}

Run read_response() {
  auto parser = std::make_shared<ResponseParser>();
  return [parser](size_t times) {
    while (times-- > 0) {
      parser->start(Method::get);
      read_whole(*parser, response_head);
    }
  };
}

Run write_response() {
  auto out = std::make_shared<BlockWriter>();
  return [out](size_t times) {
    while (times-- > 0) {
      out->clear();
      BlockHeadWriter writer(*out);
      writer.status_line(200);
      writer.field("Date", "Thu, 26 Nov 2026 12:00:00 GMT");
      writer.field("Content-Type", "text/html; charset=utf-8");
      writer.field("Last-Modified", "Wed, 25 Nov 2026 08:00:00 GMT");
      writer.field("ETag", "\"67445e00-400\"");
      writer.field("Cache-Control", "max-age=60");
      writer.field("Age", uint64_t{42});
      writer.field("Via", "1.1 edge-1");
      writer.framing(Framing::length, 1024);
      writer.end();
      bench::keep(out->view());
    }
  };
}

const Row rows[] = {
    {"request head read, short", [] { return read_request(short_request); }},
    {"request head read, a browser's", [] { return read_request(long_request); }},
    {"response head read", read_response},
    {"response head written", write_response},
};

}  // namespace
}  // namespace portolan::http
