// Random answers, validations with other tags, freshness and Vary, unsafe requests, purges, evictions, reclaimed segments,
// restarts with and without a stop, over a cache with a real disk: what is served is never older than what took its place,
// and never what was purged or invalidated.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>

#include "core/base/clock.hh"
#include "tests/unit/edge/on_disk.hh"

namespace portolan::edge::test {
namespace {

constexpr int pages = 6;
constexpr const char* vary_of[] = {"", "Accept-Language", "X-Kind", "Accept-Language, X-Kind"};

struct Asked {
  int page = 0, language = 0, kind = 0;
  auto operator<=>(const Asked&) const = default;
  std::string path() const { return "/" + std::to_string(page); }
  Pairs fields() const { return {{"Accept-Language", language ? "de" : "en"}, {"X-Kind", std::to_string(kind)}}; }
};

struct Control {
  const char* text = "";
  int64_t lifetime_s = 0, while_revalidate_s = 0;
  bool no_cache = false, must_revalidate = false;
};
constexpr Control controls[] = {{"max-age=3600", 3600},
                                {"max-age=3600", 3600},
                                {"max-age=60", 60},
                                {"max-age=5", 5},
                                {"max-age=1, must-revalidate", 1, 0, false, true},
                                {"max-age=3600, no-cache", 3600, 0, true},
                                {"no-store"},
                                {"max-age=3, stale-while-revalidate=60", 3, 60}};

// An answer's head; its number is when its fetch began, and stands in it.
struct Answer {
  Asked asked;
  std::vector<std::string> tags;
  std::string vary;
  Control control;
  int64_t at_ms = 0;
  uint64_t committed = 0;  // a number, too; 0: never
};

// What ended something: of everything begun before `number`.
struct End {
  enum class By : uint8_t { answer, url, tag, all } by = By::answer;
  uint64_t number = 0, committed = 0;
  Asked asked;
  std::string tag;
  bool durable = false;
  uint64_t of = 0;  // an answer that ended this one alone
};

struct Flight {
  Asked asked;
  uint64_t number = 0;
  ObjectRef had;  // stored, when it began
  bool was_stale = false;
  std::unique_ptr<Writer> writer;
  std::unique_ptr<Reader> reader;
};

class World {
 public:
  explicit World(uint64_t seed) : rng_(seed) { start(); }
  ~World() {
    flights_.clear();
    stop();
    executor_.run();
  }

  void step() {
    uint64_t kind = rng_.below(1000);
    if (kind < 480) return ask();
    if (kind < 620) return junk();
    if (kind < 740) return go_on();
    if (kind < 790) return post();
    if (kind < 830) return purge();
    if (kind < 900) return some_work();
    if (kind < 950) return drain();
    if (kind < 992) return time();
    restart();
  }
  uint64_t hits = 0, promoted = 0, reclaimed = 0, validated = 0, restarts = 0, evictions = 0, kills = 0;

 private:
  void start() {
    CacheConfig c = config(1 << 20, 600 << 10);
    cache_ = std::make_unique<Cache>(c, ++starts_);
    cache_->keep_purges(directory_.path(), "node", files_, executor_, clock_.wall_ms());
    disk::Tuning tuning;
    tuning.segment_bytes = 512 << 10;
    tuning.checkpoint_ms = 1000;
    disk_ = std::make_shared<disk::Disk>(disk::Config{directory_.path(), 8 << 20}, files_, executor_, clock_, tuning);
    disk_->start();
    cache_->use_disk(disk_, &executor_);
    if (rng_.below(2)) executor_.run();
  }
  void stop() {
    promoted += cache_->stats().promoted, evictions += cache_->stats().evictions;
    reclaimed += disk_->stats().reclaimed;
    cache_.reset();
    disk_.reset();
  }
  // Cleanly; or by kill -9, where what isn't in the files yet may be lost.
  void restart() {
    ++restarts;
    bool killed = rng_.below(2);
    kills += killed;
    if (killed) files_.crash_after(rng_.below(3));
    flights_.clear();
    stop();
    executor_.run();
    files_.set({});
    if (killed) std::erase_if(ends_, [](const End& e) { return !e.durable; });
    for (End& e : ends_) e.durable = true;
    clock_.advance_ms(1500);
    start();
  }
  void drain() {
    executor_.run();
    for (End& e : ends_) e.durable = true;
  }
  void some_work() {
    for (uint64_t n = rng_.below(4); n > 0; --n) executor_.run_one();
  }
  void time() {
    clock_.advance_ms(static_cast<int64_t>(rng_.below(rng_.below(4) ? 400 : 20'000)));
    disk_->tick();
  }

  Lookup find(const Request& request) {
    RequestView view = request.at(clock_.wall_ms());
    for (int tries = 0;; ++tries) {
      Lookup lookup = cache_->find(view);
      if (!lookup.loading) return lookup;
      EXPECT_LT(tries, 4);
      while (lookup.reader->state() == Reader::State::pending && executor_.run_one()) {
      }
      EXPECT_EQ(lookup.reader->state(), Reader::State::released);
      view.asked_disk = lookup.reader->asked_disk();
    }
  }

  Asked any() {
    return {static_cast<int>(rng_.below(pages)), static_cast<int>(rng_.below(2)), static_cast<int>(rng_.below(2))};
  }
  static uint64_t number(const Object& o, std::string_view field) {
    return std::stoull(std::string(o.fields().find(field).value_or("0")));
  }

  void ask() {
    Asked asked = any();
    Pairs fields = asked.fields();
    if (rng_.below(3) == 0) fields.emplace_back("Cache-Control", "no-cache");
    Request request(asked.path(), fields);
    uint64_t now = ++number_;
    Lookup l = find(request);
    if (l.outcome == Outcome::hit) {
      ++hits;
      check(asked, *l.object);
      check_body(l.object);
    }
    if (l.outcome == Outcome::stale) check(asked, *l.object);
    if (!l.writer) return;
    bool was_stale = l.object && (!l.object->fresh(clock_.wall_ms()) || l.object->freshness().no_cache);
    Flight f{asked, now, l.object, was_stale, std::move(l.writer), std::move(l.reader)};
    if (rng_.below(4)) return answer(std::move(f));
    if (flights_.size() >= 3) flights_.pop_front();
    flights_.push_back(std::move(f));
  }
  void go_on() {
    if (flights_.empty()) return;
    Flight f = std::move(flights_.front());
    flights_.pop_front();
    answer(std::move(f));
  }

  void answer(Flight f) {
    const Control& control = controls[rng_.below(std::size(controls))];
    bool same = f.writer->revalidates() && rng_.below(2);
    if (rng_.below(12) == 0) varies_[f.asked.page] = rng_.below(std::size(vary_of));
    std::vector<std::string> tags;
    for (uint64_t i = rng_.below(3); i > 0; --i) tags.push_back("t" + std::to_string(rng_.below(5)));
    Pairs fields = {{"Cache-Control", control.text}, {"X-Number", std::to_string(f.number)}, {"ETag", "\"e\""}};
    fields.emplace_back("Surrogate-Key", tags.empty() ? "none" : tags.size() == 1 ? tags[0] : tags[0] + " " + tags[1]);
    fields.emplace_back("Vary", std::string(vary_of[varies_[f.asked.page]]));
    if (fields.back().second.empty()) fields.pop_back();
    const size_t sizes[] = {10, 3000, 40'000, 300'000};
    size_t size = sizes[rng_.below(std::size(sizes))];
    if (!same) {
      fields.emplace_back("X-Body", std::to_string(f.number));
      fields.emplace_back("X-Size", std::to_string(size));
    }
    Response response(fields, same ? 304 : 200);
    if (same) response.head.framing = http::Framing::none;
    auto verdict = f.writer->head(response.head, clock_.wall_ms(), clock_.wall_ms());
    answers_[f.number] = {f.asked, tags, vary_of[varies_[f.asked.page]], control, clock_.wall_ms(), 0};
    if (verdict == Writer::Verdict::not_modified) {
      ++validated;
      bool as_good = f.had->content()->size() > (256 << 10) && stands_for(number(*f.had, "X-Number"), f.number);
      // What isn't to be stored ends what it validated; another that is fresh, and fits as well, may go on.
      bool stored = std::string_view(control.text) != "no-store";
      return as_good ? void() : ended(f, stored ? 0 : number(*f.had, "X-Number"));
    }
    f.writer->append(Slice::copy_of(body_like(f.number, size)));
    http::Fields trailers;
    if (rng_.below(8) == 0) trailers.add("X-Checksum", "1");
    uint64_t fills = cache_->stats().fills;
    EXPECT_TRUE(f.writer->finish(trailers));
    bool stored = cache_->stats().fills > fills;
    // One that isn't stored ends what it was to validate, where that isn't fresh any more.
    if (stored || f.was_stale) ended(f);
  }
  // The head of a large body may go on standing on the disk for one that says more, and nothing else.
  bool stands_for(uint64_t before, uint64_t now) {
    const Answer &b = answers_[before], &n = answers_[now];
    int64_t gained_ms = n.at_ms - b.at_ms + (n.control.lifetime_s - b.control.lifetime_s) * 1000;
    return b.tags == n.tags && b.vary == n.vary && b.control.no_cache == n.control.no_cache &&
           b.control.must_revalidate == n.control.must_revalidate && gained_ms >= 0 &&
           gained_ms / 1000 + n.control.while_revalidate_s >= b.control.while_revalidate_s;
  }
  // It was purged or invalidated before it came: whatever it said, it isn't stored.
  bool came_too_late(const Flight& f) const {
    const std::vector<std::string>& tags = answers_.at(f.number).tags;
    return std::any_of(ends_.begin(), ends_.end(), [&](const End& e) {
      bool reaches = e.by == End::By::all || (e.by == End::By::url && e.asked.page == f.asked.page) ||
                     (e.by == End::By::tag && std::count(tags.begin(), tags.end(), e.tag) > 0);
      return reaches && e.number > f.number;
    });
  }
  void ended(const Flight& f, uint64_t of = 0) {
    if (came_too_late(f)) return;
    answers_[f.number].committed = ++number_;
    ends_.push_back({End::By::answer, f.number, number_, f.asked, "", false, of});
  }

  void junk() {
    Request request("/junk/" + std::to_string(++number_));
    Lookup l = find(request);
    ASSERT_TRUE(l.writer || l.outcome == Outcome::bypass);
    if (!l.writer) return;
    fill(l, Response(fresh), body_like(number_, 1000 + rng_.below(150'000)), clock_.wall_ms());
  }
  void post() {
    Asked asked = any();
    Request request(asked.path(), {}, "POST");
    Response answer(Pairs{});
    cache_->invalidate(request.at(clock_.wall_ms()), answer.head);
    ends_.push_back({End::By::url, ++number_, number_, asked, "", false});
  }
  void purge() {
    End end{End::By::tag, ++number_, number_, any(), "t" + std::to_string(rng_.below(5)), false};
    Purge what{PurgeKind::tag, end.tag, false};
    if (rng_.below(3) == 0) {
      end.by = End::By::url;
      what = {PurgeKind::url, "http://example.com" + end.asked.path(), false};
    } else if (rng_.below(12) == 0) {
      end.by = End::By::all;
      what = {PurgeKind::all, "", false};
    }
    ASSERT_TRUE(cache_->purge(what, clock_.wall_ms()));
    ends_.push_back(end);
  }

  void check(const Asked& asked, const Object& object) {
    uint64_t n = number(object, "X-Number");
    ASSERT_TRUE(answers_.contains(n));
    const Answer& a = answers_[n];
    ASSERT_EQ(a.asked.page, asked.page);
    for (const End& e : ends_) {
      if (e.number <= n) continue;
      switch (e.by) {
        case End::By::answer:
          ASSERT_FALSE(e.asked == asked && e.committed > a.committed && (e.of == 0 || e.of == n))
              << n << " was replaced by " << e.number;
          break;
        case End::By::url:
          ASSERT_NE(e.asked.page, asked.page) << n << " was purged or invalidated at " << e.number;
          break;
        case End::By::tag:
          ASSERT_EQ(std::count(a.tags.begin(), a.tags.end(), e.tag), 0) << n << " was purged at " << e.number;
          break;
        case End::By::all:
          FAIL() << n << " was purged with all at " << e.number;
      }
    }
  }
  void check_body(const ObjectRef& object) {
    Reader reader(object);
    Body body;
    bool more = true;
    for (int i = 0; more; ++i) {
      ASSERT_LT(i, 10'000);
      switch (reader.state()) {
        case Reader::State::more:
          reader.read(body, 100'000);
          break;
        case Reader::State::wait:
          reader.wait(std::make_shared<CountingWaker>());
          executor_.run_one();  // or it was warm just now
          break;
        default:
          more = false;
      }
    }
    if (reader.state() != Reader::State::end) return;  // its segment went meanwhile
    ASSERT_TRUE(body.to_string() == body_like(number(*object, "X-Body"), number(*object, "X-Size")));
  }

  Rng rng_;
  Directory directory_;
  disk::test::FaultFiles files_;
  ManualExecutor executor_;
  FakeClock clock_{start_ms};
  std::shared_ptr<disk::Disk> disk_;
  std::unique_ptr<Cache> cache_;
  uint64_t starts_ = 0, number_ = 0;
  uint64_t varies_[pages] = {};
  std::map<uint64_t, Answer> answers_;
  std::vector<End> ends_;
  std::deque<Flight> flights_;
};

TEST(OnDiskModel, WhatIsServedIsTheNewestThereIs) {
  uint64_t worlds = disk::test::full_scale() ? 1000 : 12, first = 1;
  if (const char* one = std::getenv("PORTOLAN_SEED")) first = std::stoull(one), worlds = 1;
  uint64_t hits = 0, promoted = 0, reclaimed = 0, validated = 0, evictions = 0, kills = 0;
  for (uint64_t seed = first; seed < first + worlds; ++seed) {
    World world(seed);
    for (int i = 0; i < 1500; ++i) {
      world.step();
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", step " << i;
    }
    hits += world.hits, promoted += world.promoted, reclaimed += world.reclaimed, validated += world.validated;
    evictions += world.evictions, kills += world.kills;
  }
  RecordProperty("promoted", std::to_string(promoted));
  EXPECT_GT(hits, worlds * 50);
  EXPECT_GT(promoted, worlds * 20);
  EXPECT_GT(reclaimed, worlds * 5);
  EXPECT_GT(validated, worlds * 20);
  EXPECT_GT(evictions, worlds * 50);
  EXPECT_GT(kills, worlds / 2);
}

}  // namespace
}  // namespace portolan::edge::test
