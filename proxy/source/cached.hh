#pragma once
// An answer from the cache: a stored object, or one that is being fetched and is read as it grows. Answers the client's
// conditionals and ranges.
#include <optional>

#include "core/http/byte_ranges.hh"
#include "edge/cache.hh"
#include "edge/parts_reader.hh"
#include "proxy/fetch.hh"
#include "proxy/source/source.hh"

namespace portolan::proxy {

class Cached final : public Source, public Recycled {
 public:
  // Who begins a fetch for parts that are missing. False: nobody can be asked.
  class Fetcher {
   public:
    virtual bool fetch_part(std::unique_ptr<edge::Writer> writer, std::shared_ptr<FetchNote> note) = 0;

   protected:
    ~Fetcher() = default;
  };
  // `note` is set for the exchange whose miss began a fetch.
  Cached(loop::Worker& worker, loop::Runnable& waiter, Fetcher& fetcher, const http::RequestHead& request,
         edge::Lookup lookup, std::string_view node, std::shared_ptr<FetchNote> note);
  ~Cached() override;

  Head head(Answer& answer) override;
  Flow proceed(Body& out, uint64_t most) override;
  bool take_interim(std::string& out) override;
  int failure_status() const override { return parts_ ? 504 : reader().error_status(); }  // parts: only-if-cached
  const http::Fields* trailers() const override { return &reader().trailers(); }
  std::string_view server() const override { return note_ ? std::string_view(note_->server) : std::string_view(); }
  ServerId server_id() const override { return note_ ? note_->server_id : ServerId{}; }
  int tries() const override { return note_ ? note_->tries : 0; }

  // After `released`: it waited for the disk, which needn't be asked again.
  bool asked_disk() const { return !parts_ && reader().asked_disk(); }
  bool retry() const { return parts_ ? parts_->outdated() : reader().retry(); }  // after `released`
  bool let_down() const { return !parts_ && reader().let_down(); }  // … and failure_status() is to be told
  // After `failed`: it lacks a part, and the client wants nothing but what is stored.
  bool may_not_fetch() const { return parts_ != nullptr; }
  Text cache_status() const;  // after `ready`

 private:
  // Of a multipart answer.
  struct Several {
    explicit Several(http::ByteRanges ranges) : body(std::move(ranges)) {}
    http::ByteRanges body;
    http::Fields fields;
    size_t next = 0;  // the part that comes behind what is being read
  };
  void prepare(const edge::Object& object);
  void prepare_range(const edge::Object& object);
  bool lacks_some() const;  // of what is asked for
  Flow proceed_range(Body& out, uint64_t most);
  void select(const http::ByteRange& range);
  Head await_part();
  Flow proceed_parts(Body& out, uint64_t most);
  bool fetch_part();
  edge::Reader& reader() const { return followed_ ? *followed_ : *own_; }
  const std::shared_ptr<WorkerWaker>& waker();  // made when there is something to wait for
  loop::Worker& worker_;
  loop::Runnable& waiter_;
  Fetcher& fetcher_;
  std::shared_ptr<WorkerWaker> waker_;
  const http::RequestHead& request_;
  edge::Outcome outcome_;
  edge::Forward forward_;
  const char* detail_;
  std::string_view node_;
  std::shared_ptr<FetchNote> note_;
  mutable std::optional<edge::Reader> own_;   // of a stored object
  std::unique_ptr<edge::Reader> followed_;    // of a fetch
  std::unique_ptr<edge::PartsReader> parts_;  // of an object in fragments, beside one of them
  bool partial_ = false;                      // something of what was asked for has to be fetched
  const bool stands_in_;
  bool prepared_ = false;
  bool bodyless_ = false;  // 304, 416
  int status_ = 0;
  uint64_t first_ = 0;  // of the one range
  std::optional<uint64_t> length_;
  std::string content_range_;
  std::unique_ptr<Several> several_;
  edge::ObjectRef object_;
};

}  // namespace portolan::proxy
