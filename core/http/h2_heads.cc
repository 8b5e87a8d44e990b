// Heads in and out: RFC 9113 §8 between HPACK's fields and the form that HTTP/1 has as well.
#include <algorithm>
#include <cstring>

#include "core/http/chars.hh"
#include "core/http/h1_parts.hh"
#include "core/http/h2.hh"
#include "core/http/h2_parts.hh"

namespace portolan::http {
namespace {

constexpr size_t entry_overhead = 32;  // RFC 9113 §6.5.2
constexpr size_t far_too_large = 4;    // times the limit of a head: the connection ends

// A field that means nothing in HTTP/2, or is said by other means (RFC 9113 §8.2.2). `name` is in lower case.
bool is_of_connection(std::string_view name) {
  switch (name[0]) {
    case 'c':
      return name == "connection";
    case 'k':
      return name == "keep-alive";
    case 'p':
      return name == "proxy-connection";
    case 't':
      return name == "te" || name == "transfer-encoding";
    case 'u':
      return name == "upgrade";
    default:
      return false;
  }
}

using Pairs = std::vector<nghttp2_nv, RecycledAllocator<nghttp2_nv>>;
constexpr size_t usual_pairs = 32;

// RFC 9113 §8.3.1: Host and :authority name the same; either may be left out.
bool settle_authority(RequestHead& head) {
  if (head.fields.count(FieldId::host) > 1) return false;
  auto host = head.fields.find(FieldId::host);
  if (head.authority.empty() && host) head.authority = *host;
  auto authority = h1::parse_authority(head.authority);
  if (!authority || !host) return authority.has_value();
  auto named = h1::parse_authority(*host);
  return named && h1::same_authority(*authority, *named, head.scheme == "https");
}

bool split_path(RequestHead& head) {
  std::string_view path = head.target;
  if (path.empty() || span_of_target(path.data(), path.size()) != path.size()) return false;
  if (path[0] != '/' && !(path == "*" && head.method == Method::options)) return false;
  size_t mark = path.find('?');
  head.path = path.substr(0, mark);
  head.has_query = mark != std::string_view::npos;
  if (head.has_query) head.query = path.substr(mark + 1);
  return true;
}

// Its texts stay where they are until the frame is sent.
nghttp2_nv pair(std::string_view name, std::string_view value) {
  auto bytes = [](std::string_view text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); };
  return {bytes(name), bytes(value), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

// The lines of an HTTP/1 head as pairs, names in lower case: where they stand.
class HeadLines {
 public:
  explicit HeadLines(const Slice& head) : at_(const_cast<char*>(head.data)), end_(at_ + head.size) { first_ = line(); }
  std::string_view first() const { return first_; }
  bool next(std::string_view& name, std::string_view& value) {
    if (at_ >= end_ || *at_ == '\r') return false;
    char* begin = at_;
    std::string_view whole = line();
    char* colon = lower_until(begin, begin + whole.size(), ':');
    name = {begin, static_cast<size_t>(colon - begin)};
    if (name.size() == whole.size()) return false;
    value = trim(whole.substr(name.size() + 1));
    return true;
  }

 private:
  std::string_view line() {
    char* begin = at_;
    char* end = static_cast<char*>(std::memchr(begin, '\r', static_cast<size_t>(end_ - begin)));
    at_ = end + 2;
    return {begin, static_cast<size_t>(end - begin)};
  }
  char* at_;
  char* end_;
  std::string_view first_;
};

Pairs response_pairs(HeadLines& lines) {
  Pairs pairs;
  pairs.reserve(usual_pairs);
  pairs.push_back(pair(":status", lines.first().substr(9, 3)));
  std::string_view name, value;
  while (lines.next(name, value))
    if (!is_of_connection(name)) pairs.push_back(pair(name, value));
  return pairs;
}

}  // namespace

// ── heads that come ───────────────────────────────────────────────────────────────────────────────────────────────

// Copies a text into the block of the stream's head, which moves when it is full.
std::string_view H2Session::keep(H2Stream& stream, std::string_view text, size_t room) {
  BlockRef& block = stream.head_block_;
  if (!block) block = BlockRef::make(Block::small_capacity);
  if (block->capacity() - stream.head_size_ < room) {
    BlockRef larger = BlockRef::make(std::max(2 * block->capacity(), stream.head_size_ + room));
    std::memcpy(larger->data(), block->data(), stream.head_size_);
    h1::rebase(stream.head_fields_, block->data(), larger->data());
    block = std::move(larger);
  }
  char* to = block->data() + stream.head_size_;
  copy_short(to, text);
  stream.head_size_ += text.size();
  return {to, text.size()};
}

void H2Session::add_field(H2Stream& stream, std::string_view name, std::string_view value) {
  stream.head_cost_ += name.size() + value.size() + entry_overhead;
  size_t most = stream.head_seen_ ? limits_.head.trailer_bytes : limits_.head.head_bytes;
  if (stream.head_cost_ > most * far_too_large) return terminate(H2Error::enhance_your_calm, "a head far too large");
  // What is too much is not kept; the rest is still read, for the compression's state.
  if (stream.head_cost_ > most || stream.head_fields_.size() >= limits_.head.field_count + 5) {
    stream.refusal = 431;
    return;
  }
  std::string_view kept = keep(stream, name, name.size() + value.size());
  stream.head_fields_.add({kept, keep(stream, value, value.size()), field_id(name)});
}

// RFC 9113 §8.2.3: in HTTP/2 a Cookie may come in pieces; elsewhere it is one field.
bool H2Session::join_cookies(H2Stream& stream) {
  if (stream.head_fields_.count(FieldId::cookie) < 2) return true;
  std::string joined;
  for (const Field& f : stream.head_fields_) {
    if (f.id != FieldId::cookie) continue;
    if (!joined.empty()) joined.append("; ");
    joined.append(f.value);
  }
  if (joined.size() > limits_.head.head_bytes) return false;
  std::string_view value = keep(stream, joined, joined.size());
  bool first = true;
  std::erase_if(stream.head_fields_.list(), [&](Field& f) {
    if (f.id != FieldId::cookie) return false;
    if (!std::exchange(first, false)) return true;
    f.value = value;
    return false;
  });
  return true;
}

bool H2Session::finish_request(H2Stream& stream, bool end) {
  stream.head_seen_ = true;
  RequestHead& head = stream.request;
  head.http2 = true;
  if (!join_cookies(stream)) stream.refusal = 431;
  if (!sort_request_fields(stream)) return false;
  head.storage = std::move(stream.head_block_);
  stream.head_fields_.clear();
  if (head.fields.size() > limits_.head.field_count) stream.refusal = 431;
  if (stream.refusal == 431) return true;  // what is missing may be among the rest
  head.method = method_of(head.method_text);
  if (!is_token(head.method_text) || !settle_authority(head)) return false;
  if (head.method == Method::connect && stream.protocol.empty()) {
    head.target = head.authority;
    return true;
  }
  if (head.scheme != "http" && head.scheme != "https") return false;
  if (head.target.size() > limits_.head.target_bytes) {
    stream.refusal = 414;
    return true;
  }
  if (!split_path(head)) return false;
  if (end) {
    if (head.framing == Framing::length && head.content_length > 0) return false;
    // HTTP/1 wants to be told that the body of such a request is empty.
    bool may_have_body = head.method == Method::post || head.method == Method::put || head.method == Method::patch;
    head.framing = may_have_body || head.framing == Framing::length ? Framing::length : Framing::none;
  } else if (head.framing == Framing::none) {
    head.framing = Framing::chunked;  // as long as it is
  }
  auto expect = head.fields.find(FieldId::expect);
  head.expect_continue = expect && equal_ignoring_case(*expect, "100-continue") && !end;
  return true;
}

// Pseudo-fields to their places, the others to head.fields. False: one that may not be there.
bool H2Session::sort_request_fields(H2Stream& stream) {
  RequestHead& head = stream.request;
  for (const Field& f : stream.head_fields_) {
    if (f.name[0] != ':') {
      if (f.id == FieldId::content_length) {
        if (head.framing == Framing::length) return false;
        auto length = h1::parse_content_length(f.value);
        if (!length) return false;
        head.framing = Framing::length;
        head.content_length = *length;
      }
      if (!is_token(f.name) || !is_field_value(f.value)) return false;
      if (limits_.head.refuse_underscores && f.name.find('_') != std::string_view::npos) stream.refusal = 400;
      head.fields.add(f);
    } else if (f.name == ":method") {
      head.method_text = f.value;
    } else if (f.name == ":scheme") {
      head.scheme = f.value;
    } else if (f.name == ":path") {
      head.target = f.value;
    } else if (f.name == ":authority") {
      head.authority = f.value;
    } else if (f.name == ":protocol") {
      stream.protocol = f.value;
    } else {
      return false;
    }
  }
  return true;
}

bool H2Session::finish_response(H2Stream& stream, bool end) {
  ResponseHead& head = stream.response;
  head.fields.clear();
  head.status = 0;
  head.framing = end ? Framing::none : Framing::chunked;
  for (const Field& f : stream.head_fields_) {
    if (f.name[0] != ':') {
      if (f.id == FieldId::content_length && !end) {
        auto length = h1::parse_content_length(f.value);
        if (!length || head.framing == Framing::length) return false;
        head.framing = Framing::length;
        head.content_length = *length;
      }
      if (!is_token(f.name) || !is_field_value(f.value)) return false;
      head.fields.add(f);
    } else if (f.name == ":status" && f.value.size() == 3) {
      for (char c : f.value) {
        if (!is_class(c, char_digit)) return false;
        head.status = head.status * 10 + (c - '0');
      }
    } else {
      return false;
    }
  }
  head.storage = std::move(stream.head_block_);
  stream.head_fields_.clear();
  if (stream.refusal != 0 || head.fields.size() > limits_.head.field_count) return false;
  if (head.status < 100 || head.status == 101) return false;
  if (head.status < 200) {
    budget_.charge(2, "interim answers");
    return !end;
  }
  head.reason = reason_phrase(head.status);
  stream.head_seen_ = true;
  return true;
}

bool H2Session::finish_trailers(H2Stream& stream) {
  if (stream.refusal != 0) return false;
  for (const Field& f : stream.head_fields_)
    if (f.name[0] == ':' || !is_token(f.name) || !is_field_value(f.value)) return false;
  stream.trailers_ = std::move(stream.head_fields_);
  stream.head_fields_.clear();
  return true;
}

// ── heads that go ─────────────────────────────────────────────────────────────────────────────────────────────────

void H2Session::send_interim(H2Stream& stream, std::string_view head) {
  Slice copy = Slice::copy_of(head);
  HeadLines lines(copy);
  Pairs pairs = response_pairs(lines);
  for (nghttp2_nv& p : pairs) p.flags = NGHTTP2_NV_FLAG_NONE;
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id_, nullptr, pairs.data(), pairs.size(), nullptr);
}

void H2Session::send_response(H2Stream& stream, Slice head, bool end) {
  stream.head_out_ = std::move(head);
  HeadLines lines(stream.head_out_);
  Pairs pairs = response_pairs(lines);
  nghttp2_data_provider body = h2::body_of(stream);
  stream.ending_ = end;
  nghttp2_submit_response(session_, stream.id_, pairs.data(), pairs.size(), end ? nullptr : &body);
}

H2Stream* H2Session::send_request(Slice head, const H2Target& target, bool end) {
  if (!can_request()) return nullptr;
  HeadLines lines(head);
  std::string_view line = lines.first();
  std::string_view method = line.substr(0, line.find(' '));
  line.remove_prefix(method.size() + 1);
  std::string_view path = line.substr(0, line.find(' '));
  Pairs pairs;
  pairs.reserve(usual_pairs);
  pairs.push_back(pair(":method", target.protocol.empty() ? method : "CONNECT"));
  pairs.push_back(pair(":scheme", target.scheme));
  pairs.push_back(pair(":path", path));
  pairs.push_back(pair(":authority", ""));
  if (!target.protocol.empty()) pairs.push_back(pair(":protocol", target.protocol));
  std::string_view name, value;
  while (lines.next(name, value)) {
    if (name == "host") {
      pairs[3] = pair(":authority", value);
    } else if (!is_of_connection(name) && (target.protocol.empty() || name != "sec-websocket-key")) {
      pairs.push_back(pair(name, value));
    }
  }
  if (target.wants_trailers) pairs.push_back(pair("te", "trailers"));
  H2Stream& stream = make_stream(0);
  nghttp2_data_provider body = h2::body_of(stream);
  int32_t id = nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(), end ? nullptr : &body, &stream);
  if (id < 0) {
    destroy(stream);
    return nullptr;
  }
  stream.head_out_ = std::move(head);
  stream.id_ = id;
  stream.ending_ = end;
  stream.known_ = true;
  return &stream;
}

}  // namespace portolan::http
