#pragma once
// Runs a parser over bytes given in pieces, as a connection would, and writes down what came out.
// Every call gets its bytes in a fresh heap copy of the exact size, so that a kept view or a read
// past the end is seen by the sanitizers.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/h1.hh"

namespace portolan::http::test {

inline std::string show(const Fields& fields) {
  std::string out;
  for (const Field& f : fields) out += fmt::format("{}={}({})|", f.name, f.value, static_cast<int>(f.id));
  return out;
}

inline std::string show(const RequestHead& h) {
  return fmt::format("{} {} s={} a={} p={} q={}{} 1.{} f={} n={} ka={} ex={} {}", h.method_text, h.target, h.scheme,
                     h.authority, h.path, h.has_query ? "?" : "", h.query, h.minor_version, static_cast<int>(h.framing),
                     h.content_length, h.keep_alive, h.expect_continue, show(h.fields));
}

inline std::string show(const ResponseHead& h) {
  return fmt::format("{} '{}' 1.{} f={} n={} ka={} {}", h.status, h.reason, h.minor_version,
                     static_cast<int>(h.framing), h.content_length, h.keep_alive, show(h.fields));
}

inline int status_of(const RequestParser& p) {
  return p.status();
}
inline int status_of(const ResponseParser&) {
  return 502;
}

// What came of some bytes: one line an event, the pieces of a body joined. Ends at an error or with
// the bytes.
struct Record {
  std::string text;
  int status = 0;  // of the error; 0: none
  std::string reason;
  int heads = 0, ends = 0;
  size_t left = 0;  // bytes not consumed at the end
  bool operator==(const Record& o) const {
    return text == o.text && status == o.status && reason == o.reason && left == o.left;
  }
};

template <class Parser>
class Replay {
 public:
  explicit Replay(Parser& parser) : parser_(parser) {}

  void feed(std::string_view piece) {
    if (record_.status) return;
    unread_.append(piece);
    for (;;) {
      auto copy = std::make_unique<char[]>(unread_.size() + 1);
      std::copy(unread_.begin(), unread_.end(), copy.get());
      Step step = parser_.next({copy.get(), unread_.size()});
      write_down(step);
      kept_ = std::move(copy);
      unread_.erase(0, step.consumed);
      if (step.event == Event::need_more || step.event == Event::error) break;
      if (++steps_ > 10'000'000) std::abort();
    }
  }

  Record finish() {
    flush();
    record_.left = unread_.size();
    return record_;
  }

 private:
  void flush() {
    if (!body_.empty()) record_.text += fmt::format("body {}:{}\n", body_.size(), body_);
    body_.clear();
  }
  void write_down(const Step& step) {
    switch (step.event) {
      case Event::need_more:
        return;
      case Event::body:
        body_.append(step.data);
        return;
      case Event::head:
        flush();
        ++record_.heads;
        record_.text += "head " + show(parser_.head()) + "\n";
        return;
      case Event::end:
        flush();
        ++record_.ends;
        record_.text += "end " + show(parser_.trailers()) + "\n";
        return;
      case Event::error:
        flush();
        record_.status = status_of(parser_);
        record_.reason = parser_.reason();
        record_.text += fmt::format("error {} {}\n", record_.status, record_.reason);
        unread_.clear();
        return;
    }
  }

  Parser& parser_;
  std::string unread_;
  std::string body_;
  Record record_;
  std::unique_ptr<char[]> kept_;
  size_t steps_ = 0;
};

// `cuts` are ascending positions in `bytes`.
inline Record run_request(std::string_view bytes, const std::vector<size_t>& cuts = {}, const Limits& limits = {}) {
  RequestParser parser(limits);
  Replay<RequestParser> replay(parser);
  size_t from = 0;
  for (size_t cut : cuts) {
    replay.feed(bytes.substr(from, cut - from));
    from = cut;
  }
  replay.feed(bytes.substr(from));
  return replay.finish();
}

inline Record run_response(std::string_view bytes, const std::vector<size_t>& cuts = {}, const Limits& limits = {},
                           Method method = Method::get) {
  ResponseParser parser(limits);
  parser.start(method);
  Replay<ResponseParser> replay(parser);
  size_t from = 0;
  for (size_t cut : cuts) {
    replay.feed(bytes.substr(from, cut - from));
    from = cut;
  }
  replay.feed(bytes.substr(from));
  Record record = replay.finish();
  if (!record.status) record.text += parser.finish_at_close() ? "whole at close\n" : "short at close\n";
  return record;
}

}  // namespace portolan::http::test
