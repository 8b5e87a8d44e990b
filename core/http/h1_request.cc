#include <algorithm>
#include <cstring>

#include "core/http/chars.hh"
#include "core/http/h1.hh"
#include "core/http/h1_parts.hh"

namespace portolan::http {
namespace {

constexpr size_t longest_method = 32;
constexpr size_t version_line_size = 10;  // "HTTP/1.1\r\n"

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

}  // namespace

RequestParser::RequestParser(const Limits& limits) : body_(limits), limits_(limits) {}

void RequestParser::limit(const Limits& limits) {
  limits_ = limits;
  body_.limit(limits);
}

Step RequestParser::fail(int status, const char* reason) {
  state_ = State::failed;
  status_ = status;
  reason_ = reason;
  return {Event::error, 0, {}};
}

Step RequestParser::next(std::string_view in) {
  if (state_ == State::failed) return {Event::error, 0, {}};
  if (state_ != State::body) {
    size_t skipped = 0;
    if (state_ == State::idle && !skip_empty_line(in, skipped)) {
      return {state_ == State::failed ? Event::error : Event::need_more, skipped, {}};
    }
    Step step = next_head(in.substr(skipped));
    step.consumed += step.event == Event::error ? 0 : skipped;
    return step;
  }
  Step step = body_.next(in);
  if (step.event == Event::error) return fail(body_.status(), body_.reason());
  if (step.event == Event::end) {
    state_ = State::idle;
    started_ = empty_line_skipped_ = false;
  }
  return step;
}

// One CRLF may come before a request (RFC 9112 §2.2).
bool RequestParser::skip_empty_line(std::string_view in, size_t& skipped) {
  if (in.empty()) return false;
  if (in[0] == '\r' && !empty_line_skipped_) {
    if (in.size() == 1) return false;
    if (in[1] != '\n') {
      fail(400, "CR without LF before a request");
      return false;
    }
    empty_line_skipped_ = true;
    skipped = 2;
    if (in.size() == 2) return false;
  }
  begin_head();
  return true;
}

void RequestParser::begin_head() {
  head_.fields.clear();
  head_.method = Method::other;
  head_.method_text = head_.target = head_.scheme = head_.authority = head_.path = head_.query = {};
  head_.has_query = head_.expect_continue = absolute_ = false;
  head_.upgrade = {};
  head_.framing = Framing::none;
  head_.content_length = 0;
  head_.keep_alive = true;
  head_.storage.reset();
  body_.start(Framing::none, 0);
  started_ = true;
  scanned_ = line_start_ = 0;
  base_ = nullptr;
  state_ = State::method;
}

Step RequestParser::next_head(std::string_view in) {
  if (in.size() < scanned_) return {};
  if (base_ && base_ != in.data()) {
    if (head_.method_text.data()) h1::rebase(head_.method_text, base_, in.data());
    if (head_.target.data()) {
      h1::rebase(head_.target, base_, in.data());
      if (state_ == State::fields) split_target();
    }
    h1::rebase(head_.fields, base_, in.data());
  }
  base_ = in.data();
  Step stopped{Event::need_more, 0, {}};
  if (state_ != State::fields && !scan_request_line(in)) {
    if (state_ == State::failed) stopped.event = Event::error;
    return stopped;
  }
  h1::Failure failure;
  h1::FieldLimits limits{limits_.head_bytes, limits_.field_count, limits_.refuse_underscores};
  switch (h1::scan_fields(in, limits, scanned_, line_start_, head_.fields, failure)) {
    case h1::Scan::more:
      return stopped;
    case h1::Scan::failed:
      return fail(failure.status, failure.reason);
    case h1::Scan::done:
      break;
  }
  if (!finish_head()) return {Event::error, 0, {}};
  body_.start(head_.framing, head_.content_length);
  state_ = State::body;
  return {Event::head, line_start_, {}};
}

// Every byte is judged as it comes, so that a bad first line is refused before the rest of the
// head.
bool RequestParser::scan_request_line(std::string_view in) {
  const size_t window = std::min(in.size(), limits_.head_bytes);
  auto refuse = [this](int status, const char* reason) {
    fail(status, reason);
    return false;
  };
  auto out_of_bytes = [&] {
    if (in.size() <= window) return false;
    return refuse(state_ == State::target ? 414 : 431, "request line too long");
  };
  if (state_ == State::method) {
    scanned_ += span_of_class(in.data() + scanned_, window - scanned_, char_token);
    if (scanned_ > longest_method) return refuse(501, "method too long");
    if (scanned_ == window) return out_of_bytes();
    if (in[scanned_] != ' ' || scanned_ == 0) return refuse(400, "bad method");
    head_.method_text = in.substr(0, scanned_);
    head_.method = method_of(head_.method_text);
    line_start_ = ++scanned_;
    state_ = State::target;
  }
  if (state_ == State::target) {
    scanned_ += span_of_target(in.data() + scanned_, window - scanned_);
    if (scanned_ - line_start_ > limits_.target_bytes) return refuse(414, "request target too long");
    if (scanned_ == window) return out_of_bytes();
    if (in[scanned_] != ' ' || scanned_ == line_start_) return refuse(400, "bad request target");
    head_.target = in.substr(line_start_, scanned_ - line_start_);
    line_start_ = ++scanned_;
    state_ = State::version;
  }
  if (!scan_version(in, window)) return state_ == State::failed ? false : out_of_bytes();
  if (const char* reason = split_target()) return refuse(400, reason);
  state_ = State::fields;
  return true;
}

bool RequestParser::scan_version(std::string_view in, size_t window) {
  if (scanned_ == line_start_ && window - scanned_ >= version_line_size &&
      std::memcmp(in.data() + scanned_, "HTTP/1.1\r\n", version_line_size) == 0) {
    head_.minor_version = 1;
    line_start_ = scanned_ += version_line_size;
    return true;
  }
  constexpr std::string_view pattern = "HTTP/0.0\r\n";  // 0: any digit
  while (scanned_ < window) {
    size_t i = scanned_ - line_start_;
    bool right = pattern[i] == '0' ? is_class(in[scanned_], char_digit) : in[scanned_] == pattern[i];
    if (!right) {
      fail(400, "bad HTTP version");
      return false;
    }
    ++scanned_;
    if (i + 1 < version_line_size) continue;
    char major = in[line_start_ + 5], minor = in[line_start_ + 7];
    if (major != '1' || minor > '1') {
      fail(505, "HTTP version not supported");
      return false;
    }
    head_.minor_version = minor - '0';
    line_start_ = scanned_;
    return true;
  }
  return false;
}

const char* RequestParser::split_target() {
  std::string_view t = head_.target;
  head_.query = {};
  if (head_.method == Method::connect) {
    auto authority = h1::parse_authority(t);
    if (!authority || authority->port.empty()) return "CONNECT needs host:port";
    head_.authority = t;
    return nullptr;
  }
  if (t == "*") {
    if (head_.method != Method::options) return "target * is for OPTIONS only";
    head_.path = t;
    return nullptr;
  }
  if (t[0] != '/') return split_absolute();
  size_t mark = t.find('?');
  head_.path = t.substr(0, mark);
  head_.has_query = mark != std::string_view::npos;
  if (head_.has_query) head_.query = t.substr(mark + 1);
  return nullptr;
}

const char* RequestParser::split_absolute() {
  std::string_view t = head_.target;
  if (starts_with_ignoring_case(t, "http://")) {
    head_.scheme = "http";
  } else if (starts_with_ignoring_case(t, "https://")) {
    head_.scheme = "https";
  } else {
    return "bad request target";
  }
  t.remove_prefix(head_.scheme.size() + 3);
  size_t end = std::min(t.find_first_of("/?"), t.size());
  head_.authority = t.substr(0, end);
  if (!h1::parse_authority(head_.authority)) return "bad authority in the request target";
  absolute_ = true;
  t.remove_prefix(end);
  size_t mark = t.find('?');
  head_.path = t.substr(0, mark);
  head_.has_query = mark != std::string_view::npos;
  if (head_.has_query) head_.query = t.substr(mark + 1);
  if (head_.path.empty()) {
    head_.path = head_.method == Method::options && !head_.has_query ? "*" : "/";  // RFC 9112 §3.2.4
  }
  return nullptr;
}

bool RequestParser::finish_head() {
  h1::HeadFacts facts;
  if (h1::Failure failure = h1::read_facts(head_.fields, head_.minor_version, facts)) {
    fail(failure.status, failure.reason);
    return false;
  }
  if (!finish_authority(facts.host, facts.has_host)) return false;
  if (facts.has_transfer_encoding) {
    head_.framing = Framing::chunked;
  } else if (facts.has_length) {
    head_.framing = Framing::length;
    head_.content_length = facts.content_length;
  }
  head_.keep_alive = !facts.close && (head_.minor_version == 1 || facts.keep_alive);
  // HTTP/1.0 has no 100, and without a body there is nothing to wait for (RFC 9110 §10.1.1).
  head_.expect_continue = facts.expect_continue && head_.minor_version == 1 && head_.framing != Framing::none;
  return true;
}

bool RequestParser::finish_authority(std::string_view host, bool has_host) {
  if (!has_host) {
    if (head_.minor_version == 1) fail(400, "no Host field");
    return head_.minor_version == 0;
  }
  auto named = h1::parse_authority(host);
  if (!named) {
    fail(400, "bad Host field");
    return false;
  }
  if (absolute_) {
    auto target = h1::parse_authority(head_.authority);
    if (!target || !h1::same_authority(*target, *named, head_.scheme == "https")) {
      fail(400, "Host differs from the request target");
      return false;
    }
  } else if (head_.method != Method::connect) {
    head_.authority = host;
  }
  return true;
}

}  // namespace portolan::http
