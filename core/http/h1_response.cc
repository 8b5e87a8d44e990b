#include <algorithm>
#include <cstring>

#include "core/http/chars.hh"
#include "core/http/h1.hh"
#include "core/http/h1_parts.hh"

namespace portolan::http {
namespace {

constexpr std::string_view status_pattern = "HTTP/1.v sss ";  // v: 0 or 1; s: a digit
constexpr int most_interim = 100;

}  // namespace

ResponseParser::ResponseParser(const Limits& limits) : body_(limits), limits_(limits) {}

void ResponseParser::start(Method request_method) {
  request_method_ = request_method;
  reason_ = "";
  interim_ = 0;
  begin_head();
}

void ResponseParser::begin_head() {
  head_.status = 0;
  head_.reason = {};
  head_.fields.clear();
  head_.framing = Framing::none;
  head_.content_length = 0;
  head_.keep_alive = true;
  head_.storage.reset();
  scanned_ = line_start_ = 0;
  base_ = nullptr;
  state_ = State::status_line;
}

Step ResponseParser::fail(const char* reason) {
  state_ = State::failed;
  reason_ = reason;
  return {Event::error, 0, {}};
}

Step ResponseParser::next(std::string_view in) {
  if (state_ == State::failed) return {Event::error, 0, {}};
  if (state_ == State::done) return in.empty() ? Step{} : fail("bytes after the response");
  if (state_ != State::body) return in.empty() ? Step{} : next_head(in);
  Step step = body_.next(in);
  if (step.event == Event::error) return fail(body_.reason());
  if (step.event == Event::end) {
    if (is_interim_) {
      if (++interim_ > most_interim) return fail("too many interim responses");
      scanned_ = line_start_ = 0;
      base_ = nullptr;
      state_ = State::status_line;
    } else {
      state_ = State::done;
    }
  }
  return step;
}

Step ResponseParser::next_head(std::string_view in) {
  if (in.size() < scanned_) return {};
  if (!base_) {
    begin_head();
  } else if (base_ != in.data()) {
    if (head_.reason.data()) h1::rebase(head_.reason, base_, in.data());
    h1::rebase(head_.fields, base_, in.data());
  }
  base_ = in.data();
  Step stopped{Event::need_more, 0, {}};
  if (state_ != State::fields && !scan_status_line(in)) {
    if (state_ == State::failed) stopped.event = Event::error;
    return stopped;
  }
  h1::Failure failure;
  h1::FieldLimits limits{limits_.head_bytes, limits_.field_count, limits_.refuse_underscores};
  switch (h1::scan_fields(in, limits, scanned_, line_start_, head_.fields, failure)) {
    case h1::Scan::more:
      return stopped;
    case h1::Scan::failed:
      return fail(failure.reason);
    case h1::Scan::done:
      break;
  }
  if (!finish_head()) return {Event::error, 0, {}};
  body_.start(head_.framing, head_.content_length);
  state_ = State::body;
  return {Event::head, line_start_, {}};
}

bool ResponseParser::scan_status_line(std::string_view in) {
  const size_t window = std::min(in.size(), limits_.head_bytes);
  auto digit = [&](size_t at) { return is_class(in[at], char_digit); };
  // The usual one in one look; whatever else it is, the loop tells.
  if (scanned_ == 0 && state_ == State::status_line && window >= status_pattern.size() &&
      std::memcmp(in.data(), "HTTP/1.1 ", 9) == 0 && digit(9) && digit(10) && digit(11) && in[12] == ' ') {
    head_.minor_version = 1;
    head_.status = (in[9] - '0') * 100 + (in[10] - '0') * 10 + (in[11] - '0');
    scanned_ = status_pattern.size();
    state_ = State::reason;
  }
  while (state_ == State::status_line) {
    if (scanned_ == window) {
      if (in.size() > window) fail("status line too long");
      return false;
    }
    char c = in[scanned_], expected = status_pattern[scanned_];
    bool right = expected == 'v' ? c == '0' || c == '1' : expected == 's' ? is_class(c, char_digit) : c == expected;
    if (!right) {
      fail("bad status line");
      return false;
    }
    if (expected == 'v') head_.minor_version = c - '0';
    if (expected == 's') head_.status = head_.status * 10 + (c - '0');
    if (++scanned_ == status_pattern.size()) state_ = State::reason;
  }
  if (scan_reason(in.substr(0, window))) return true;
  if (state_ != State::failed && in.size() > window) fail("status line too long");
  return false;
}

bool ResponseParser::scan_reason(std::string_view in) {
  if (head_.status < 100 || head_.status > 599) {
    fail("status code out of range");
    return false;
  }
  size_t end = in.find('\n', scanned_);
  if (end == std::string_view::npos) {
    scanned_ = in.size();
    return false;
  }
  std::string_view text = in.substr(status_pattern.size(), end - status_pattern.size());
  if (text.empty() || text.back() != '\r') {
    fail("line ended by a bare LF");
    return false;
  }
  text.remove_suffix(1);
  if (!is_field_value(text)) {
    fail("control character in the reason phrase");
    return false;
  }
  head_.reason = text;
  line_start_ = scanned_ = end + 1;
  state_ = State::fields;
  return true;
}

bool ResponseParser::finish_head() {
  h1::HeadFacts facts;
  if (h1::Failure failure = h1::read_facts(head_.fields, head_.minor_version, facts)) {
    fail(failure.reason);
    return false;
  }
  bool tunnel =
      head_.status == 101 || (request_method_ == Method::connect && head_.status >= 200 && head_.status < 300);
  bool bodiless =
      tunnel || head_.status < 200 || head_.status == 204 || head_.status == 304 || request_method_ == Method::head;
  is_interim_ = head_.status < 200 && head_.status != 101;
  if (bodiless) {
    head_.framing = Framing::none;
  } else if (facts.has_transfer_encoding) {
    head_.framing = Framing::chunked;
  } else if (facts.has_length) {
    head_.framing = Framing::length;
    head_.content_length = facts.content_length;
  } else {
    head_.framing = Framing::until_close;
  }
  head_.keep_alive = !tunnel && !facts.close && (head_.minor_version == 1 || facts.keep_alive) &&
                     head_.framing != Framing::until_close;
  return true;
}

bool ResponseParser::finish_at_close() {
  if (state_ == State::done) return true;
  if (state_ != State::body || !body_.finish_at_close()) return false;
  // An interim response is never the last one.
  if (is_interim_) return false;
  state_ = State::done;
  return true;
}

}  // namespace portolan::http
