#include "edge/cache.hh"

#include "core/http/semantics.hh"
#include "edge/collapse/fill.hh"
#include "edge/collapse/run.hh"
#include "edge/device.hh"
#include "edge/encodings.hh"
#include "edge/memory.hh"

namespace portolan::edge {

// ── Writer ──

Writer::Writer(std::shared_ptr<Fill> fill) : fill_(std::move(fill)) {}
Writer::Writer(std::shared_ptr<Run> run) : run_(std::move(run)) {}

Writer::~Writer() {
  abort();
}

bool Writer::revalidates() const {
  return fill_ && fill_->stale() != nullptr;
}

void Writer::add_conditional_fields(http::Fields& out) const {
  if (!fill_) return run_->add_fields(out);
  if (!fill_->range().empty()) out.add("Range", fill_->range());
  const ObjectRef& stale = fill_->stale();
  if (!stale) return;
  if (!stale->etag().empty()) out.add("If-None-Match", stale->etag());
  if (!stale->last_modified().empty()) out.add("If-Modified-Since", stale->last_modified());
}

Writer::Verdict Writer::head(const http::ResponseHead& response, int64_t request_ms, int64_t response_ms) {
  if (!fill_) {
    done_ = !run_->head(response);
    return done_ ? Verdict::dropped : Verdict::stored;
  }
  Verdict verdict = fill_->head(response, request_ms, response_ms);
  done_ = verdict == Verdict::not_modified || verdict == Verdict::stale_on_error || verdict == Verdict::dropped;
  run_ = fill_->run();
  return verdict;
}

bool Writer::append(Slice bytes) {
  if (done_) return false;
  if (!run_) return fill_->append(std::move(bytes));
  run_->append(std::move(bytes));
  return true;
}

bool Writer::writable() const {
  return done_ || (run_ ? run_->writable() : fill_->content().writable());
}

void Writer::wait_writable(std::shared_ptr<Waker> waker) {
  if (run_) return run_->wait_writable(std::move(waker));
  fill_->content().wait_writable(std::move(waker));
}

bool Writer::held_up() const {
  return !done_ && !run_ && fill_->content().held_up();
}

void Writer::cut_slow() {
  if (!done_ && !run_) fill_->content().cut_slow();
}

bool Writer::wanted() const {
  return !done_ && (run_ ? run_->wanted() : fill_->content().wanted());
}

bool Writer::finish(const http::Fields& trailers) {
  if (done_) return false;
  done_ = true;
  return run_ ? run_->finish() : fill_->finish(trailers);
}

void Writer::abort(int64_t now_ms, int status, Failure failure) {
  if (done_) return;
  done_ = true;
  if (run_) return run_->abort();
  fill_->abort(now_ms, status, failure);
}

bool Writer::stored() const {
  if (!fill_) return true;
  return !fill_->content().windowed() && fill_->content().phase() != Content::Phase::failed;
}

// ── Cache ──

Cache::Cache(const CacheConfig& config, uint64_t seed) : store_(std::make_shared<Store>(config, seed)) {}
Cache::~Cache() = default;

void Cache::compress_on(Executor* executor) {
  store_->compress_on(executor);
}

void Cache::use_disk(std::shared_ptr<disk::Disk> disk, Executor* executor) {
  store_->use_disk(std::move(disk), executor);
}

Lookup Cache::find(const RequestView& request) {
  return store_->find(request);
}
Result<PurgeReceipt> Cache::purge(const Purge& purge, int64_t now_ms, std::function<void(Status)> durable) {
  auto good = normalised(purge);
  if (!good) return good.error();
  return store_->purge(*good, now_ms, std::move(durable));
}

size_t Cache::purge(std::string_view url) {
  auto done = purge({PurgeKind::url, std::string(url), false}, 0);
  return done ? done->removed : 0;
}

std::string Cache::keep_purges(const std::string& directory, const std::string& node, FileSystem& files,
                               Executor& executor, int64_t wall_ms) {
  if (store_->purges().log_directory() == directory) return {};
  PurgeLog::Opened opened = PurgeLog::open(directory, node, files, executor, wall_ms);
  std::string note = opened.note;
  store_->keep_purges(std::move(opened));
  return note;
}

const Purges& Cache::purges() const {
  return store_->purges();
}

void Cache::invalidate(const RequestView& request, const http::ResponseHead& response) {
  store_->invalidate(request, response);
}

std::unique_ptr<Writer> Cache::adopt(const RequestView& request, const http::ResponseHead& response, int64_t request_ms,
                                     int64_t response_ms) {
  return store_->adopt(request, response, request_ms, response_ms);
}

bool Cache::dresses() const {
  return store_->dresses();
}
bool Cache::dress(const RequestView& request, const http::ResponseHead& answer, http::Fields& dressed) const {
  return store_->dress(request, answer, dressed);
}
bool Cache::splices(const http::RequestHead& request, const http::ResponseHead& answer) const {
  return store_->splices(request, answer);
}
ObjectRef Cache::stand_in(const RequestView& request, Object::StandIn in_place_of) {
  return store_->stand_in(request, in_place_of);
}

void Cache::reconfigure(const CacheConfig& config) {
  store_->reconfigure(config);
}
Stats Cache::stats() const {
  return store_->stats();
}
Inspection Cache::inspect(const RequestView& request, bool read_disk) const {
  return store_->inspect(request, read_disk);
}

void Cache::count_bypass() const {
  store_->counters().bypasses.fetch_add(1, std::memory_order_relaxed);
}
std::vector<HotKey> Cache::top(size_t most) const {
  return store_->top(most);
}
std::vector<std::string> Cache::hot_urls(size_t most) const {
  return store_->hot_urls(most);
}
const std::string& Cache::name() const {
  return store_->rules().config.name;
}

std::optional<std::string> Cache::filter_cookies(const http::RequestHead& request) const {
  std::string out;
  for (const http::Field& f : request.fields) {
    if (f.id != http::FieldId::cookie) continue;
    std::string kept = without_ignored(store_->rules(), f.value);
    if (kept.empty()) continue;
    if (!out.empty()) out += "; ";
    out += kept;
  }
  if (out.empty()) return std::nullopt;
  return out;
}

bool Cache::withholds(const http::Field& field) const {
  return withheld(store_->rules(), field);
}

bool Cache::keeps_tags() const {
  return store_->rules().config.keep_tags;
}

bool Cache::asks_country() const {
  return store_->rules().config.key_country;
}

std::string_view Cache::device_class(const http::RequestHead& request) const {
  return store_->rules().config.key_device ? edge::device_class(request.fields) : std::string_view();
}

std::string Cache::forward_target(const http::RequestHead& request) const {
  std::string out(request.path);
  std::optional<std::string_view> query;
  if (request.has_query) query = request.query;
  if (auto kept = kept_query(store_->rules(), query)) out.append("?").append(*kept);
  return out;
}

bool drop_for_fetch(http::FieldId id) {
  switch (id) {
    case http::FieldId::accept_encoding:
    case http::FieldId::if_none_match:
    case http::FieldId::if_modified_since:
    case http::FieldId::if_range:
    case http::FieldId::range:
      return true;
    default:
      return false;
  }
}

bool range_is_void(const http::RequestHead& request, const Object& object) {
  auto condition = request.fields.find(http::FieldId::if_range);
  auto size = object.content_length();
  if (!condition || !size || !object.encodings() || http::parse_etag(*condition)) return false;
  return object.encodings()->may_code(request.fields, *size);
}

bool not_modified(const http::RequestHead& request, const Object& object) {
  if (object.status() != 200) return false;  // RFC 9110 §13.2.1
  const http::Fields& asked = request.fields;
  if (!asked.may_have(http::FieldId::if_none_match) && !asked.may_have(http::FieldId::if_modified_since)) return false;
  std::optional<std::string_view> etag;
  if (!object.etag().empty()) etag = object.etag();
  int64_t now_s = object.freshness().response_ms / 1000;
  // Without Last-Modified a date is compared with the answer's own (RFC 9111 §4.3.2).
  auto date = object.fields().find(http::FieldId::last_modified);
  if (!date) date = object.fields().find(http::FieldId::date);
  std::optional<int64_t> modified_s = date ? http::parse_date(*date, now_s) : now_s;
  return http::evaluate_conditions(request.fields, etag, modified_s, request.method, now_s) ==
         http::Condition::not_modified;
}

}  // namespace portolan::edge
