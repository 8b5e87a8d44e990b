#pragma once
// What the edge tests share: short ways to write requests, responses and bodies.
#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/http/semantics.hh"
#include "edge/cache.hh"

namespace portolan::edge::test {

constexpr int64_t start_ms = 1'700'000'000'000;

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline std::string date(int64_t ms) {
  return http::format_date(ms / 1000);
}

struct Request {
  explicit Request(std::string target_path, Pairs more = {}, std::string verb = "GET")
      : path(std::move(target_path)), pairs(std::move(more)), method(std::move(verb)) {
    head.method_text = method;
    head.method = http::method_of(method);
    std::string_view target = path;
    size_t mark = target.find('?');
    head.target = target;
    head.path = target.substr(0, mark);
    head.has_query = mark != std::string_view::npos;
    if (head.has_query) head.query = target.substr(mark + 1);
    for (auto& [name, value] : pairs) head.fields.add(name, value);
  }
  Request(const Request&) = delete;
  RequestView at(int64_t now_ms) const { return {head, "http", "example.com", now_ms}; }
  std::string path;
  Pairs pairs;
  std::string method;
  http::RequestHead head;
};

struct Response {
  explicit Response(Pairs more, int status = 200) : pairs(std::move(more)) {
    head.status = status;
    head.reason = "R";
    head.framing = http::Framing::chunked;
    for (auto& [name, value] : pairs) head.fields.add(name, value);
  }
  Response(const Response&) = delete;
  Response& length(uint64_t n) {
    head.framing = http::Framing::length;
    head.content_length = n;
    return *this;
  }
  Pairs pairs;
  http::ResponseHead head;
};

struct CountingWaker final : Waker {
  void wake() override { ++count; }
  int count = 0;
};

// For a thread that waits.
class Signal final : public Waker {
 public:
  void wake() override {
    std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

inline std::string drain(Reader& reader) {
  Body body;
  while (reader.state() == Reader::State::more) reader.read(body, 1000);
  return body.to_string();
}

inline std::string body_of(const ObjectRef& object) {
  Reader reader(object);
  return drain(reader);
}

inline CacheConfig config(uint64_t memory = 8 << 20, uint64_t most = 1 << 20) {
  CacheConfig c;
  c.name = "edge";
  c.memory_bytes = memory;
  c.max_object_bytes = most;
  return c;
}

// A whole fetch at once.
inline Writer::Verdict fill(Lookup& lookup, const Response& response, std::string_view body,
                            int64_t now_ms = start_ms) {
  Writer::Verdict verdict = lookup.writer->head(response.head, now_ms, now_ms);
  if (verdict == Writer::Verdict::stored || verdict == Writer::Verdict::uncacheable) {
    lookup.writer->append(Slice::copy_of(body));
    EXPECT_TRUE(lookup.writer->finish());
  }
  return verdict;
}

inline void store(Cache& cache, const std::string& path, const Pairs& fields, std::string_view body,
                  int64_t now_ms = start_ms) {
  Request request(path);
  Lookup lookup = cache.find(request.at(now_ms));
  ASSERT_TRUE(lookup.writer) << path;
  Response response(fields);
  ASSERT_EQ(fill(lookup, response, body, now_ms), Writer::Verdict::stored) << path;
}

}  // namespace portolan::edge::test
