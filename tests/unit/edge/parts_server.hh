#pragma once
// A server of one large object, and short ways to read it in parts.
#include <memory>
#include <string>

#include "edge/parts.hh"
#include "edge/parts_reader.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {

using Verdict = Writer::Verdict;
using State = PartsReader::State;

constexpr uint64_t mib = 1 << 20;

inline char byte_at(uint64_t i) {
  return static_cast<char>('a' + (i * 7 + i / 251 + i / mib) % 26);
}

inline std::string bytes_of(uint64_t first, uint64_t count) {
  std::string s(count, '\0');
  for (uint64_t i = 0; i < count; ++i) s[i] = byte_at(first + i);
  return s;
}

// A server of one version of one object.
struct Server {
  uint64_t size = 10 * mib;
  std::string etag = "\"v1\"";
  Pairs fields = {{"Cache-Control", "max-age=60"}, {"Accept-Ranges", "bytes"}};
  bool paced = false;  // goes no further than is wanted, as a fetch does, and ends there

  static Pairs asked_by(const Writer& writer) {
    http::Fields asked;
    writer.add_conditional_fields(asked);
    Pairs pairs;
    for (const http::Field& f : asked) pairs.emplace_back(f.name, f.value);
    return pairs;
  }

  std::unique_ptr<Response> part(uint64_t first, uint64_t count) const {
    Pairs all = fields;
    if (!etag.empty()) all.emplace_back("ETag", etag);
    all.emplace_back("Content-Range", http::content_range({first, count}, size));
    auto response = std::make_unique<Response>(all, 206);
    response->length(count);
    return response;
  }

  std::unique_ptr<Response> whole() const {
    Pairs all = fields;
    if (!etag.empty()) all.emplace_back("ETag", etag);
    auto response = std::make_unique<Response>(all);
    response->length(size);
    return response;
  }

  // Answers what the writer asks for; `cut`: so many bytes of it. The range it gave.
  http::ByteRange answer(Writer& writer, uint64_t cut = UINT64_MAX, uint64_t step = 70'000) const {
    http::ByteRange range{0, size};
    for (auto& [name, value] : asked_by(writer))
      if (name == "Range") range = http::parse_range(value, size).ranges.at(0);
    auto response = part(range.first, range.length);
    if (writer.head(response->head, start_ms, start_ms) != Verdict::stored) return range;
    give(writer, range, cut, step);
    return range;
  }

  void give(Writer& writer, const http::ByteRange& range, uint64_t cut, uint64_t step) const {
    uint64_t end = range.first + std::min(cut, range.length);
    for (uint64_t at = range.first; at < end && writer.wanted() && (!paced || writer.writable()); at += step)
      writer.append(Slice::copy_of(bytes_of(at, std::min(step, end - at))));
    if (cut < range.length) {
      writer.abort(start_ms);
    } else {
      writer.finish();
    }
  }
};

// Reads all that was selected, with `server` behind it; counts the fetches.
inline std::string read_all(PartsReader& reader, const Server& server, int* fetches = nullptr) {
  Body out;
  for (;;) {
    switch (reader.state()) {
      case State::more:
        reader.read(out, 100'000);
        break;
      case State::absent: {
        auto writer = reader.fetch();
        if (!writer) break;
        if (fetches) ++*fetches;
        server.answer(*writer);
        break;
      }
      case State::end:
        return out.to_string();
      default:
        return "broken after " + std::to_string(out.size());
    }
  }
}

struct Ask {
  explicit Ask(const std::string& range, const std::string& path = "/big") : request(path, {{"Range", range}}) {}
  Lookup of(Cache& cache) { return cache.find(request.at(start_ms)); }
  Request request;
};

inline ObjectRef begin(Cache& cache, const Server& server, const std::string& range) {
  Ask ask(range);
  Lookup lookup = ask.of(cache);
  if (lookup.writer) server.answer(*lookup.writer);
  return lookup.reader ? lookup.reader->object() : lookup.object;
}

}  // namespace portolan::edge::test
