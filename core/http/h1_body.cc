#include <algorithm>

#include "core/http/chars.hh"
#include "core/http/h1.hh"
#include "core/http/h1_parts.hh"

namespace portolan::http {
namespace {

constexpr uint64_t largest_chunk = (uint64_t{1} << 63) - 1;
constexpr int most_digits = 16;

// A trailer must not change how the message is framed or routed (RFC 9110 §6.5.1).
bool is_refused_trailer(FieldId id) {
  return id == FieldId::content_length || id == FieldId::transfer_encoding || id == FieldId::host;
}

}  // namespace

void BodyParser::start(Framing framing, uint64_t content_length) {
  trailers_.clear();
  status_ = 0;
  reason_ = "";
  remaining_ = content_length;
  extension_bytes_ = scanned_ = line_start_ = 0;
  base_ = nullptr;
  digits_ = 0;
  switch (framing) {
    case Framing::none:
      remaining_ = 0;
      state_ = State::length;
      break;
    case Framing::length:
      state_ = State::length;
      break;
    case Framing::chunked:
      remaining_ = 0;
      state_ = State::chunk_size;
      break;
    case Framing::until_close:
      state_ = State::until_close;
      break;
  }
}

Step BodyParser::fail(int status, const char* reason) {
  state_ = State::failed;
  status_ = status;
  reason_ = reason;
  return {Event::error, 0, {}};
}

Step BodyParser::next(std::string_view in) {
  switch (state_) {
    case State::length: {
      if (remaining_ == 0) {
        state_ = State::done;
        return {Event::end, 0, {}};
      }
      if (in.empty()) return {};
      auto n = static_cast<size_t>(std::min<uint64_t>(remaining_, in.size()));
      remaining_ -= n;
      return {Event::body, n, in.substr(0, n)};
    }
    case State::until_close:
      if (in.empty()) return {};
      return {Event::body, in.size(), in};
    case State::done:
      return {};
    case State::failed:
      return {Event::error, 0, {}};
    default:
      return next_chunked(in);
  }
}

Step BodyParser::next_chunked(std::string_view in) {
  size_t at = 0;
  while (state_ != State::trailers) {
    if (at == in.size()) return {Event::need_more, at, {}};
    if (state_ == State::chunk_data) {
      auto n = static_cast<size_t>(std::min<uint64_t>(remaining_, in.size() - at));
      remaining_ -= n;
      if (remaining_ == 0) state_ = State::data_cr;
      return {Event::body, at + n, in.substr(at, n)};
    }
    if (!chunk_byte(in[at++])) return {Event::error, 0, {}};
  }
  return next_trailers(in.substr(at), at);
}

bool BodyParser::chunk_byte(char c) {
  switch (state_) {
    case State::chunk_size:
      return chunk_size_byte(c);
    case State::chunk_extension:
      if (++extension_bytes_ > limits_.chunk_extension_bytes) {
        fail(400, "chunk extensions too large");
      } else if (c == '\r') {
        state_ = State::chunk_lf;
      } else if (!is_class(c, char_value)) {
        fail(400, "bad character in a chunk extension");
      }
      break;
    case State::chunk_lf:
      if (c != '\n') {
        fail(400, "CR without LF after a chunk size");
      } else {
        state_ = remaining_ ? State::chunk_data : State::trailers;
        digits_ = 0;
      }
      break;
    case State::data_cr:
      if (c != '\r')
        fail(400, "chunk data not ended by CRLF");
      else
        state_ = State::data_lf;
      break;
    default:
      if (c != '\n')
        fail(400, "chunk data not ended by CRLF");
      else
        state_ = State::chunk_size;
      break;
  }
  return state_ != State::failed;
}

bool BodyParser::chunk_size_byte(char c) {
  int value = hex_value(c);
  if (value >= 0) {
    if (++digits_ > most_digits || remaining_ > largest_chunk >> 4) {
      fail(400, "chunk size too large");
      return false;
    }
    remaining_ = remaining_ << 4 | static_cast<uint64_t>(value);
    return true;
  }
  if (digits_ == 0 || (c != '\r' && c != ';')) {
    fail(400, "bad chunk size");
    return false;
  }
  state_ = c == '\r' ? State::chunk_lf : State::chunk_extension;
  return true;
}

Step BodyParser::next_trailers(std::string_view in, size_t skipped) {
  if (in.size() < scanned_) return {Event::need_more, skipped, {}};
  if (base_ && base_ != in.data()) h1::rebase(trailers_, base_, in.data());
  base_ = in.data();
  h1::Failure failure;
  h1::FieldLimits limits{limits_.trailer_bytes, limits_.field_count, limits_.refuse_underscores};
  size_t first = trailers_.size();
  h1::Scan scan = h1::scan_fields(in, limits, scanned_, line_start_, trailers_, failure);
  for (size_t i = first; i < trailers_.size(); ++i) {
    if (is_refused_trailer(trailers_.list()[i].id)) return fail(400, "framing field in the trailers");
  }
  switch (scan) {
    case h1::Scan::more:
      return {Event::need_more, skipped, {}};
    case h1::Scan::failed:
      return fail(failure.status, failure.reason);
    case h1::Scan::done:
      break;
  }
  state_ = State::done;
  return {Event::end, skipped + line_start_, {}};
}

bool BodyParser::finish_at_close() {
  bool whole = state_ == State::until_close || state_ == State::done || (state_ == State::length && remaining_ == 0);
  if (whole) state_ = State::done;
  return whole;
}

}  // namespace portolan::http
