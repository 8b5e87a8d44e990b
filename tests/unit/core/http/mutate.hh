#pragma once
// Seeded messages from a small grammar, and mutations that know where HTTP/1 parsers go wrong.
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::http::test {

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}
  std::mt19937& random() { return random_; }

  std::string requests() {
    std::string out;
    for (size_t n = 1 + below(3); n > 0; --n) out += request();
    return out;
  }

  std::string responses() {
    std::string out;
    if (one_in(4)) out += "HTTP/1.1 100 Continue\r\n\r\n";
    if (one_in(8)) out += "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    return out + response();
  }

  // 0 to 4 mutations; 0 so that plain messages are seen too.
  void mutate(std::string& text) {
    for (size_t n = below(5); n > 0 && !text.empty(); --n) mutate_once(text);
  }

  size_t below(size_t n) { return random_() % n; }
  bool one_in(size_t n) { return below(n) == 0; }

 private:
  template <size_t N>
  const char* pick(const std::array<const char*, N>& from) {
    return from[below(N)];
  }

  std::string request() {
    static const std::array<const char*, 6> lines = {"GET / HTTP/1.1",         "POST /a?b=c HTTP/1.1",
                                                     "OPTIONS * HTTP/1.1",     "PUT http://a/x HTTP/1.1",
                                                     "CONNECT a:443 HTTP/1.1", "DELETE /%41 HTTP/1.0"};
    std::string out = pick(lines);
    out += "\r\nHost: a\r\n" + fields();
    return out + body(out.find("HTTP/1.0") != std::string::npos);
  }

  std::string response() {
    static const std::array<const char*, 6> lines = {
        "HTTP/1.1 200 OK", "HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified",
        "HTTP/1.0 200 OK", "HTTP/1.1 404 ",           "HTTP/1.1 101 Switching Protocols"};
    std::string out = pick(lines);
    out += "\r\n" + fields();
    return out + body(out.find("HTTP/1.0") != std::string::npos);
  }

  std::string fields() {
    static const std::array<const char*, 8> some = {
        "Accept: */*\r\n",          "Connection: keep-alive\r\n",
        "Connection: close\r\n",    "X-Long: 0123456789abcdef0123456789\r\n",
        "Cookie: a=b; c=\"d\"\r\n", "X-Obs: \xe4\xf6\r\n",
        "Expect: 100-continue\r\n", "X-Empty:\r\n"};
    std::string out;
    for (size_t n = below(4); n > 0; --n) out += pick(some);
    return out;
  }

  std::string body(bool old) {
    std::string data(below(30), 'd');
    switch (below(old ? 2 : 3)) {
      case 0:
        return "\r\n";
      case 1:
        return "Content-Length: " + std::to_string(data.size()) + "\r\n\r\n" + data;
      default:
        break;
    }
    std::string out = "Transfer-Encoding: chunked\r\n\r\n";
    for (size_t n = below(4); n > 0; --n) {
      static const std::array<const char*, 4> sizes = {"3", "0003", "3;a=b", "3;c=\"d;e\""};
      out += std::string(pick(sizes)) + "\r\nabc\r\n";
    }
    out += "0\r\n";
    if (one_in(3)) out += "X-Sum: 1\r\n";
    return out + "\r\n";
  }

  // The first and the size of a line chosen at random, its LF included.
  std::pair<size_t, size_t> some_line(const std::string& text) {
    size_t at = below(text.size());
    size_t before = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
    size_t first = before == std::string::npos ? 0 : before + 1;
    size_t end = text.find('\n', first);
    return {first, (end == std::string::npos ? text.size() : end + 1) - first};
  }

  void replace_some(std::string& text, std::string_view from, std::string_view to) {
    std::vector<size_t> places;
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) places.push_back(at);
    if (!places.empty()) text.replace(places[below(places.size())], from.size(), to);
  }

  void mutate_once(std::string& text) {
    static const std::array<const char*, 24> framing = {"Content-Length: 3\r\n",
                                                        "Content-Length: 4\r\n",
                                                        "content-length: 3\r\n",
                                                        "Content-Length : 3\r\n",
                                                        "Content-Length:\r\n",
                                                        "Content-Length: +3\r\n",
                                                        "Content-Length: 0x3\r\n",
                                                        "Content-Length: 3, 3\r\n",
                                                        "Content-Length: 18446744073709551619\r\n",
                                                        " Content-Length: 3\r\n",
                                                        "Content_Length: 3\r\n",
                                                        "Transfer-Encoding: chunked\r\n",
                                                        "transfer-encoding: CHUNKED\r\n",
                                                        "Transfer-Encoding : chunked\r\n",
                                                        "Transfer-Encoding: ,chunked\r\n",
                                                        "Transfer-Encoding: chunked, chunked\r\n",
                                                        "Transfer-Encoding: gzip, chunked\r\n",
                                                        "Transfer-Encoding: identity\r\n",
                                                        "Transfer-Encoding:\r\n chunked\r\n",
                                                        "Transfer-Encoding: \x0b"
                                                        "chunked\r\n",
                                                        "Host: b\r\n",
                                                        "Host: a,b\r\n",
                                                        ": x\r\n",
                                                        "no colon\r\n"};
    static const std::array<const char*, 12> sizes = {
        "0x3", "+3", " 3", "3 ", "-3", "03", "ffffffffffffffff", "10000000000000000", "00000000000000003",
        "3\n", "4",  "0"};
    static const std::array<const char*, 10> bytes = {"\x01", "\n", "\r", "\t", " ", "\x7f", "\x80", ":", "\r\n", ","};
    size_t at = below(text.size());
    switch (below(12)) {
      case 0: {
        auto [first, size] = some_line(text);
        text.insert(first, text.substr(first, size));
        break;
      }
      case 1: {
        auto [first, size] = some_line(text);
        text.erase(first, size);
        break;
      }
      case 2: {
        auto [first, size] = some_line(text);
        std::string line = text.substr(first, size);
        text.erase(first, size);
        if (!text.empty()) text.insert(some_line(text).first, line);
        break;
      }
      case 3:
        text.insert(some_line(text).first, pick(framing));
        break;
      case 4:
        replace_some(text, "3\r\n", std::string(pick(sizes)) + "\r\n");
        break;
      case 5:
        text.insert(at, pick(bytes));
        break;
      case 6:
        text[at] = static_cast<char>(random_());
        break;
      case 7:
        replace_some(text, "\r\n", one_in(2) ? "\n" : "\r");
        break;
      case 8:
        text.resize(at);
        break;
      case 9:
        text.insert(at, std::string(one_in(20) ? 40000 : below(300), one_in(2) ? 'x' : ' '));
        break;
      case 10:
        text.erase(at, 1 + below(3));
        break;
      default:
        text.insert(at, 1, '\0');
        break;
    }
  }

  std::mt19937 random_;
};

}  // namespace portolan::http::test
