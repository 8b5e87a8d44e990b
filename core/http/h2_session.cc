#include <algorithm>
#include <cstring>

#include "core/http/chars.hh"
#include "core/http/h2.hh"
#include "core/http/h2_parts.hh"

namespace portolan::http {
namespace {

constexpr size_t small_piece = 2048;    // of a body: copied, so that it doesn't keep a whole block from being reused
constexpr size_t small_payload = 512;   // of a DATA frame on its way out: copied behind its header
constexpr uint32_t table_bytes = 4096;  // of the header compression, either way
constexpr int cost_of_reset = 5;

std::string_view view(const nghttp2_rcbuf* buffer) {
  nghttp2_vec v = nghttp2_rcbuf_get_buf(const_cast<nghttp2_rcbuf*>(buffer));
  return {reinterpret_cast<const char*>(v.base), v.len};
}

}  // namespace

// What nghttp2 calls. `self` is the session.
struct H2Callbacks {
  static H2Session& of(void* self) { return *static_cast<H2Session*>(self); }
  static H2Stream* stream(nghttp2_session* session, int32_t id) {
    return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
    H2Stream* s = stream(session, frame->hd.stream_id);
    if (!s) {
      if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
      s = &of(self).make_stream(frame->hd.stream_id);
      nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
    }
    s->head_block_.reset();
    s->head_size_ = s->head_cost_ = 0;
    s->head_fields_.clear();
    return 0;
  }

  static int header(nghttp2_session* session, const nghttp2_frame* frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                    uint8_t, void* self) {
    if (H2Stream* s = stream(session, frame->hd.stream_id)) of(self).add_field(*s, view(name), view(value));
    return of(self).broken_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }

  // nghttp2 would leave such a field out: RFC 9113 §8.1.1 and §8.2.1 want the message refused.
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*, uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
    H2Session& us = of(self);
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (H2Stream* s = stream(session, frame->hd.stream_id)) head_received(us, *s, end);
        break;
      case NGHTTP2_DATA:
        if (H2Stream* s = stream(session, frame->hd.stream_id); s && end) {
          s->peer_done_ = true;
          us.events_.on_readable(*s);
        }
        break;
      case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) us.settings_seen_ = true;
        break;
      case NGHTTP2_GOAWAY:
        us.peer_shut_down_ = true;
        break;
      default:
        break;
    }
    return 0;
  }

  static void head_received(H2Session& us, H2Stream& s, bool end) {
    bool good;
    bool trailers = s.head_seen_;
    if (trailers) {
      good = us.finish_trailers(s);
    } else if (us.role_ == H2Session::Role::server) {
      good = us.finish_request(s, end);
    } else {
      good = us.finish_response(s, end);
    }
    if (!good) {
      s.malformed_ = true;
      nghttp2_submit_rst_stream(us.session_, NGHTTP2_FLAG_NONE, s.id_, NGHTTP2_PROTOCOL_ERROR);
      return;
    }
    s.peer_done_ = end;
    if (trailers) return us.events_.on_readable(s);
    if (us.role_ == H2Session::Role::client) return us.events_.on_response(s);
    s.known_ = true;
    us.events_.on_request(s);
  }

  static int data_received(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size,
                           void* self) {
    H2Session& us = of(self);
    H2Stream* s = stream(session, id);
    if (!s || s->reset_by_us_ || s->malformed_) {
      nghttp2_session_consume(session, id, size);
      return 0;
    }
    const char* bytes = reinterpret_cast<const char*>(data);
    if (size >= small_piece && us.input_) {
      s->unread_.append(Slice{*us.input_, bytes, size});
    } else {
      while (size > 0) {
        if (!s->tail_ || s->tail_size_ == s->tail_->capacity()) {
          s->tail_ = BlockRef::make(Block::small_capacity);
          s->tail_size_ = 0;
        }
        size_t n = std::min(size, s->tail_->capacity() - s->tail_size_);
        char* to = s->tail_->data() + s->tail_size_;
        std::memcpy(to, bytes, n);
        s->unread_.append_adjacent(Slice{s->tail_, to, n});
        s->tail_size_ += n;
        bytes += n;
        size -= n;
      }
    }
    us.events_.on_readable(*s);
    return 0;
  }

  static int stream_closed(nghttp2_session* session, int32_t id, uint32_t code, void* self) {
    H2Session& us = of(self);
    H2Stream* s = stream(session, id);
    if (!s) return 0;
    us.ended_[us.ended_count_++ % std::size(us.ended_)] = {id, s->reset_sent_};
    if (s->known_) us.events_.on_closed(*s, static_cast<H2Error>(code));
    us.destroy(*s);
    return 0;
  }

  static int frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
    H2Session& us = of(self);
    H2Stream* s = nullptr;
    switch (frame->hd.type) {
      case NGHTTP2_RST_STREAM:
        s = stream(session, frame->hd.stream_id);
        if (s) s->reset_sent_ = true;
        if (!(s && s->reset_by_us_) && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
          us.budget_.charge(cost_of_reset, "streams that had to be reset");
        break;
      case NGHTTP2_GOAWAY:
        if (us.broken_ || frame->goaway.error_code == NGHTTP2_NO_ERROR) break;
        us.broken_ = true;  // found by nghttp2
        us.reason_ = nghttp2_http2_strerror(frame->goaway.error_code);
        break;
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
        if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) break;
        s = stream(session, frame->hd.stream_id);
        if (!s) break;
        s->end_sent_ = true;
        us.budget_.earn(1);
        us.events_.on_room(*s);
        break;
      default:
        break;
    }
    return 0;
  }

  static ssize_t next_data(nghttp2_session* session, int32_t id, uint8_t*, size_t most, uint32_t* flags,
                           nghttp2_data_source* source, void*) {
    H2Stream& s = *static_cast<H2Stream*>(source->ptr);
    size_t size = static_cast<size_t>(std::min<uint64_t>(most, s.unsent_.size()));
    if (size == 0 && !s.ending_) {
      s.deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (!s.ending_ || size < s.unsent_.size()) return static_cast<ssize_t>(size);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (s.trailers_to_send_.empty()) return static_cast<ssize_t>(size);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    std::vector<nghttp2_nv> fields;
    for (auto& [name, value] : s.trailers_to_send_)
      fields.push_back({reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()), name.size(),
                        value.size(), NGHTTP2_NV_FLAG_NONE});
    nghttp2_submit_trailer(session, id, fields.data(), fields.size());
    return static_cast<ssize_t>(size);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* header, size_t size,
                       nghttp2_data_source* source, void* self) {
    H2Session& us = of(self);
    H2Stream& s = *static_cast<H2Stream*>(source->ptr);
    us.put({reinterpret_cast<const char*>(header), 9});
    const Segment* front = s.unsent_.begin();
    if (size > 0 && size <= small_payload && !front->file && front->length >= size) {
      us.put({front->bytes.data, size});
      s.unsent_.consume(size);
    } else if (size > 0) {
      us.flush_frames();
      s.unsent_.move_front(*us.output_, size);
    }
    us.unsent_ -= size;
    us.budget_.on_data_sent(size);
    us.events_.on_room(s);
    return 0;
  }

  static const nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* c = nullptr;
      nghttp2_session_callbacks_new(&c);
      nghttp2_session_callbacks_set_on_begin_headers_callback(c, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback2(c, header);
      nghttp2_session_callbacks_set_on_invalid_header_callback2(c, invalid_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(c, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, data_received);
      nghttp2_session_callbacks_set_on_stream_close_callback(c, stream_closed);
      nghttp2_session_callbacks_set_on_frame_send_callback(c, frame_sent);
      nghttp2_session_callbacks_set_send_data_callback(c, send_data);
      return c;
    }();
    return callbacks;
  }

  static const nghttp2_option* options() {
    static nghttp2_option* const option = [] {
      nghttp2_option* o = nullptr;
      nghttp2_option_new(&o);
      nghttp2_option_set_no_auto_window_update(o, 1);
      nghttp2_option_set_max_deflate_dynamic_table_size(o, table_bytes);
      nghttp2_option_set_builtin_recv_extension_type(o, NGHTTP2_PRIORITY_UPDATE);
      return o;
    }();
    return option;
  }
};

nghttp2_data_provider h2::body_of(H2Stream& stream) {
  nghttp2_data_provider provider;
  provider.source.ptr = &stream;
  provider.read_callback = H2Callbacks::next_data;
  return provider;
}

H2Session::H2Session(Role role, const H2Limits& limits, Events& events)
    : role_(role), limits_(limits), events_(events), budget_(role == Role::server, limits.waste) {
  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.head.head_bytes)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  if (role == Role::server) {
    nghttp2_session_server_new3(&session_, H2Callbacks::table(), this, H2Callbacks::options(), h2::memory());
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams});
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  } else {
    nghttp2_session_client_new3(&session_, H2Callbacks::table(), this, H2Callbacks::options(), h2::memory());
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(limits.connection_window));
}

H2Session::~H2Session() {
  nghttp2_session_del(session_);
  while (streams_) {
    H2Stream* s = streams_;
    streams_ = s->next_;
    delete s;
  }
}

H2Stream& H2Session::make_stream(int32_t id) {
  auto* s = new H2Stream;
  s->id_ = id;
  s->next_ = streams_;
  if (streams_) streams_->previous_ = s;
  streams_ = s;
  ++stream_count_;
  return *s;
}

void H2Session::destroy(H2Stream& stream) {
  nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
  if (stream.unread_.size() > 0) nghttp2_session_consume_connection(session_, stream.unread_.size());
  unsent_ -= stream.unsent_.size();
  (stream.previous_ ? stream.previous_->next_ : streams_) = stream.next_;
  if (stream.next_) stream.next_->previous_ = stream.previous_;
  --stream_count_;
  delete &stream;
}

std::string_view h2_error_name(H2Error error) {
  return nghttp2_http2_strerror(static_cast<uint32_t>(error));
}

// ── bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

bool H2Session::feed(Slice bytes, int64_t now_ms) {
  if (broken_) return false;
  if (!nghttp2_session_want_read(session_)) return true;  // all is said
  budget_.begin(now_ms);
  input_ = bytes.block ? &bytes.block : nullptr;
  std::string_view rest = bytes.view();
  const char* fed = bytes.data;  // nghttp2 has seen what stands before
  H2Budget::Frame frame;
  while (!broken_ && budget_.next(rest, frame)) {
    bool refused = budget_.exhausted() || *budget_.fault();
    bool of_stream = role_ == Role::server && frame.stream % 2 == 1 && (frame.is_data() || frame.is_head());
    if (of_stream && frame.stream > last_id_) {
      if (frame.is_head()) last_id_ = frame.stream;
      of_stream = false;
    }
    bool after_goaway = std::exchange(after_goaway_, frame.is_goaway());
    if (!refused && !of_stream && !after_goaway) continue;
    // How things stand shows when all before this frame has been read.
    const char* begin = std::max(fed, rest.data() - frame.read);
    receive({fed, static_cast<size_t>(begin - fed)});
    fed = begin;
    if (!broken_ && !nghttp2_session_want_read(session_)) break;
    if (budget_.exhausted()) terminate(H2Error::enhance_your_calm, budget_.offence());
    if (*budget_.fault()) terminate(H2Error::protocol, budget_.fault());
    if (of_stream) judge_frame(static_cast<int32_t>(frame.stream), frame.is_head());
  }
  if (!broken_ && nghttp2_session_want_read(session_))
    receive({fed, static_cast<size_t>(bytes.data + bytes.size - fed)});
  // By what nghttp2 found in them.
  if (budget_.exhausted() && !broken_) terminate(H2Error::enhance_your_calm, budget_.offence());
  input_ = nullptr;
  return !broken_;
}

void H2Session::receive(std::string_view bytes) {
  if (bytes.empty()) return;
  ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (n >= 0 || broken_) return;
  bool flood = n == NGHTTP2_ERR_FLOODED;
  terminate(flood ? H2Error::enhance_your_calm : H2Error::protocol, nghttp2_strerror(static_cast<int>(n)));
}

// RFC 9113 §5.1: on a closed stream nothing may come any more, unless it was closed by us.
void H2Session::judge_frame(int32_t id, bool head) {
  if (broken_ || H2Callbacks::stream(session_, id)) return;
  for (const Ended& ended : ended_) {
    if (ended.id != id) continue;
    if (!ended.by_us) terminate(H2Error::stream_closed, "a frame on a closed stream");
    return;
  }
  // It ended long ago, or was skipped and never opened (§5.1.1); of the first, DATA may still have been on its way.
  if (head) terminate(H2Error::protocol, "a stream's number below one before it");
}

void H2Session::collect(Body& out, uint64_t most) {
  output_ = &out;
  for (uint64_t until = out.size() + most; out.size() + (frames_end_ - frames_begin_) < until;) {
    const uint8_t* bytes = nullptr;
    ssize_t n = nghttp2_session_mem_send(session_, &bytes);
    if (n <= 0) {
      if (n < 0) terminate(H2Error::internal, nghttp2_strerror(static_cast<int>(n)));
      break;
    }
    put({reinterpret_cast<const char*>(bytes), static_cast<size_t>(n)});
  }
  flush_frames();
  output_ = nullptr;
  if (budget_.exhausted() && !broken_) terminate(H2Error::enhance_your_calm, budget_.offence());
}

void H2Session::put(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!frames_ || frames_end_ == frames_->capacity()) {
      flush_frames();
      frames_ = BlockRef::make(Block::small_capacity);
      frames_begin_ = frames_end_ = 0;
    }
    size_t n = std::min(bytes.size(), frames_->capacity() - frames_end_);
    std::memcpy(frames_->data() + frames_end_, bytes.data(), n);
    frames_end_ += n;
    bytes.remove_prefix(n);
  }
}

void H2Session::flush_frames() {
  if (frames_begin_ == frames_end_) return;
  output_->append(Slice{frames_, frames_->data() + frames_begin_, frames_end_ - frames_begin_});
  frames_begin_ = frames_end_;
}

bool H2Session::wants_to_send() const {
  return nghttp2_session_want_write(session_);
}

bool H2Session::over() const {
  return !nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_);
}

// ── bodies ────────────────────────────────────────────────────────────────────────────────────────────────────────

bool H2Session::read(H2Stream& stream, Slice& bytes) {
  if (stream.unread_.empty()) return false;
  bytes = stream.unread_.begin()->bytes;
  size_t size = bytes.size;
  stream.unread_.consume(size);
  nghttp2_session_consume(session_, stream.id_, size);
  return true;
}

Body H2Session::take(H2Stream& stream) {
  nghttp2_session_consume(session_, stream.id_, stream.unread_.size());
  return std::move(stream.unread_);
}

void H2Session::resume(H2Stream& stream) {
  if (std::exchange(stream.deferred_, false)) nghttp2_session_resume_data(session_, stream.id_);
}

void H2Session::send(H2Stream& stream, Body& part) {
  if (stream.ending_) return part.clear();
  unsent_ += part.size();
  stream.unsent_.append(std::move(part));
  resume(stream);
}

void H2Session::end(H2Stream& stream, const Fields* trailers) {
  if (std::exchange(stream.ending_, true)) return;
  if (trailers)
    for (const Field& f : *trailers) {
      std::string name(f.name);
      for (char& c : name) c = lower(c);
      stream.trailers_to_send_.emplace_back(std::move(name), f.value);
    }
  resume(stream);
}

void H2Session::reset(H2Stream& stream, H2Error why) {
  if (std::exchange(stream.reset_by_us_, true)) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<uint32_t>(why));
}

// ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

void H2Session::announce_shutdown() {
  if (!shutting_down_ && role_ == Role::server) nghttp2_submit_shutdown_notice(session_);
}

void H2Session::shut_down() {
  if (std::exchange(shutting_down_, true)) return;
  int32_t last = role_ == Role::server ? nghttp2_session_get_last_proc_stream_id(session_) : 0;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
}

void H2Session::terminate(H2Error why, const char* reason) {
  if (std::exchange(broken_, true)) return;
  reason_ = reason;
  nghttp2_session_terminate_session(session_, static_cast<uint32_t>(why));
}

bool H2Session::can_request() const {
  return !broken_ && !shutting_down() && nghttp2_session_check_request_allowed(session_) &&
         stream_count_ < nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool H2Session::allows_extended_connect() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

}  // namespace portolan::http
