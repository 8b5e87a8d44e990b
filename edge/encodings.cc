#include "edge/encodings.hh"

#include <unistd.h>

#include <algorithm>

#include "core/http/semantics.hh"
#include "edge/content.hh"
#include "edge/media_types.hh"
#include "edge/reader.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

using http::Coding;
using http::FieldId;

constexpr size_t portion = 64 * 1024;
constexpr int64_t retry_ms = 10'000;
constexpr uint64_t block_overhead = 128;  // of a block of a body: more than it is
constexpr uint64_t fixed_bytes = sizeof(Content) + 256;

bool has_body(int status) {
  return status >= 200 && status != 204 && status != 206 && status != 304;
}

bool no_transform(const http::Fields& fields) {
  auto value = fields.joined(FieldId::cache_control);
  return value && http::parse_cache_control(*value).no_transform;
}

bool has_digest(const http::Fields& fields) {
  for (std::string_view name : {"content-digest", "repr-digest", "digest", "content-md5"})
    if (fields.find(name)) return true;
  return false;
}

// Hands the plain bytes on, a portion at a time, out of memory or out of pages.
template <class Each>
bool read_all(const ObjectRef& plain, Each each) {
  Reader reader(plain);
  reader.may_block();
  std::string buffer;
  while (reader.state() == Reader::State::more) {
    Body body;
    reader.read(body, portion);
    for (const Segment& s : body) {
      if (!s.file) {
        if (!each(s.bytes.view())) return false;
        continue;
      }
      buffer.resize(portion);
      for (uint64_t at = 0; at < s.length;) {
        ssize_t n = ::pread(s.file->fd(), buffer.data(), std::min<uint64_t>(portion, s.length - at),
                            s.offset + static_cast<off_t>(at));
        if (n <= 0 || !each(std::string_view(buffer.data(), static_cast<size_t>(n)))) return false;
        at += static_cast<uint64_t>(n);
      }
    }
  }
  return reader.state() == Reader::State::end;
}

// False: it came out no smaller.
bool compress_into(Coding coding, const compress::Levels& levels, const ObjectRef& plain, Content& to) {
  auto compressor = compress::make_compressor(coding, levels, plain->content()->size());
  std::string ready;
  uint64_t made = 0;
  auto hand_over = [&] {
    made += ready.size();
    if (!ready.empty()) to.append(Slice::copy_of(ready));
    ready.clear();
  };
  bool good = compressor && read_all(plain, [&](std::string_view bytes) {
                if (!compressor->add(bytes, false, ready)) return false;
                if (ready.size() >= portion / 4) hand_over();
                return true;
              });
  good = good && compressor->add({}, true, ready);
  if (!good) {
    to.fail();
    return true;
  }
  hand_over();
  to.complete({});
  return made < plain->content()->size();
}

ObjectRef coded_head(Coding coding, const Object& plain, std::shared_ptr<Content> content) {
  http::ResponseHead head;
  head.status = plain.status();
  head.reason = plain.reason();
  std::string tag;
  for (const http::Field& f : plain.fields()) {
    if (f.id == FieldId::accept_ranges) continue;
    if (f.id == FieldId::etag && !f.value.starts_with("W/")) {
      tag = "W/" + std::string(f.value);
      head.fields.add({f.name, tag, f.id});
      continue;
    }
    head.fields.add(f);
  }
  head.fields.add("Content-Encoding", http::coding_name(coding));
  // Its groups and tags are the plain one's matter, which is looked up first.
  return ObjectBuilder::make(head, plain.freshness(), std::move(content), plain.sequence(), 0, nullptr,
                             plain.shows_tags());
}

}  // namespace

std::shared_ptr<Encodings> Encodings::of(const Rules& rules, const http::ResponseHead& response,
                                         const Encodings* before) {
  if (rules.config.compress.codings.empty() || !has_body(response.status)) return nullptr;
  const http::Fields& fields = response.fields;
  if (fields.has(FieldId::content_encoding) || fields.has(FieldId::content_range)) return nullptr;
  if (!media_type_listed(rules.config.compress.types, fields)) return nullptr;
  if (no_transform(fields) || has_digest(fields)) return nullptr;
  auto encodings = std::make_shared<Encodings>();
  if (before) encodings->bodies_ = before->bodies_;
  const CompressConfig& config = rules.config.compress;
  for (Coding c : config.codings) encodings->codings_ |= static_cast<uint8_t>(1u << static_cast<unsigned>(c));
  encodings->least_ = config.min_bytes;
  encodings->most_ = config.max_bytes;
  return encodings;
}

bool Encodings::may_code(const http::Fields& request, uint64_t size) const {
  if (size < least_ || size > most_) return false;
  http::AcceptedCodings accepted(request);
  for (Coding c : {Coding::gzip, Coding::br, Coding::zstd})
    if ((codings_ >> static_cast<unsigned>(c) & 1) != 0 && accepted.takes(c)) return true;
  return false;
}

const ObjectRef* Encodings::ready(Coding coding) const {
  size_t i = static_cast<size_t>(coding);
  if (!ready_[i].load(std::memory_order_acquire) || bodies_->no_gain[i].load(std::memory_order_relaxed)) return nullptr;
  return heads_[i]->content()->phase() == Content::Phase::failed ? nullptr : &heads_[i];
}

ObjectRef Encodings::get(Coding coding, const ObjectRef& plain, const Work& work) {
  size_t i = static_cast<size_t>(coding);
  if (bodies_->no_gain[i].load(std::memory_order_relaxed)) return plain;
  std::lock_guard lock(mutex_);
  if (heads_[i]) return heads_[i]->content()->phase() == Content::Phase::failed ? plain : heads_[i];
  std::shared_ptr<Content> content = body(coding, plain, work);
  if (!content) return plain;
  heads_[i] = coded_head(coding, *plain, std::move(content));
  ready_[i].store(true, std::memory_order_release);
  return heads_[i];
}

std::shared_ptr<Content> Encodings::body(Coding coding, const ObjectRef& plain, const Work& work) {
  size_t i = static_cast<size_t>(coding);
  std::lock_guard lock(bodies_->mutex);
  if (bodies_->made[i]) return bodies_->made[i];
  const Content& bytes = *plain->content();
  if (plain->parts()) return nullptr;
  if (!work.executor || !plain->complete() || bytes.windowed() || bytes.trailers().size() > 0) return nullptr;
  if (bytes.size() < work.least || bytes.size() > work.most || work.now_ms < bodies_->not_before_ms[i]) return nullptr;
  auto content = std::make_shared<Content>(bytes.ledger());
  // All that it may ever take is reserved now, so that nobody who reads along is cut; what it doesn't is given back.
  uint64_t most = compress::largest_output(bytes.size());
  uint64_t fixed = fixed_bytes + plain->head_bytes();
  content->set_fixed_cost(fixed);
  bool room = work.reserve(content->charge(), most + (most / Block::standard_capacity + 2) * block_overhead + fixed);
  if (!room || !work.executor->submit([i, coding, levels = work.levels, plain, content, bodies = bodies_] {
        if (!compress_into(coding, levels, plain, *content)) bodies->no_gain[i] = true;
      })) {
    bodies_->not_before_ms[i] = work.now_ms + retry_ms;
    return nullptr;
  }
  return bodies_->made[i] = std::move(content);
}

}  // namespace portolan::edge
