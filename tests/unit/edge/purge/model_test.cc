// Random fetches, purges, restarts and crashes against a model that remembers every purge: what was purged is never
// served again, and what wasn't is left alone. Objects that outlive their process are kept beside the cache here, as a
// tier on a disk would.
#include <cstdlib>
#include <deque>

#include "core/base/clock.hh"
#include "edge/content.hh"
#include "edge/memory.hh"
#include "tests/unit/edge/purge/memory_files.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

struct Place {
  std::string scheme, authority, path;
  std::string url() const { return scheme + "://" + authority + path; }
};

Place random_place(Rng& rng) {
  static const char* hosts[] = {"a.test", "a.test:81", "b.test"};
  static const char* paths[] = {"/", "/img", "/img/1", "/img/1/x", "/imgs", "/i?q", "/img/1?q"};
  return {rng.below(4) ? "http" : "https", hosts[rng.below(3)], paths[rng.below(7)]};
}

std::vector<std::string> random_tags(Rng& rng) {
  std::vector<std::string> out;
  for (uint64_t i = rng.below(4); i > 0; --i) out.push_back("t" + std::to_string(rng.below(6)));
  return out;
}

std::string joined(const std::vector<std::string>& tags, const char* between) {
  std::string out;
  for (const std::string& tag : tags) out += (out.empty() ? "" : between) + tag;
  return out;
}

Purge random_purge(Rng& rng) {
  static const char* prefixes[] = {"a.test/img", "a.test/im*", "a.test/img/", "b.test", "a.test:81/i*", "b.test/img/1"};
  static const char* hosts[] = {"a.test", "a.test:81", "b.test"};
  bool soft = rng.below(3) == 0;
  switch (rng.below(9)) {
    case 0:
    case 1:
      return {PurgeKind::url, random_place(rng).url(), soft};
    case 2:
      return {PurgeKind::host, hosts[rng.below(3)], soft};
    case 3:
      return {PurgeKind::prefix, prefixes[rng.below(6)], soft};
    case 4:
      if (rng.below(8) == 0) return {PurgeKind::all, "", soft};
      [[fallthrough]];
    default:
      return {PurgeKind::tag, "t" + std::to_string(rng.below(6)), soft};
  }
}

// By the text of docs/purging.md, and by nothing of the cache.
bool fits(const Purge& purge, const Place& place, const std::vector<std::string>& tags) {
  std::string host = place.authority.substr(0, place.authority.find(':'));
  std::string path = place.path.substr(0, place.path.find('?'));
  auto is_host = [&](const std::string& name) { return name == place.authority || name == host; };
  switch (purge.kind) {
    case PurgeKind::all:
      return true;
    case PurgeKind::url:
      return purge.value == place.url();
    case PurgeKind::host:
      return is_host(purge.value);
    case PurgeKind::tag:
      return std::count(tags.begin(), tags.end(), purge.value) > 0;
    case PurgeKind::prefix: {
      size_t slash = std::min(purge.value.find('/'), purge.value.size());
      if (!is_host(purge.value.substr(0, slash))) return false;
      std::string prefix = slash < purge.value.size() ? purge.value.substr(slash) : "/";
      if (prefix.ends_with('*')) return path.starts_with(prefix.substr(0, prefix.size() - 1));
      if (prefix.ends_with('/')) return path.starts_with(prefix);
      return path == prefix || path.starts_with(prefix + "/");
    }
  }
  return false;
}

struct Past {  // a purge
  Purge purge;
  uint64_t event = 0;
  bool durable = false;
};

struct Fetch {
  Place place;
  std::vector<std::string> tags;
  uint64_t began = 0;  // an event
  uint64_t body = 0;   // the event its body is of: for a 304 that of the old one
  std::unique_ptr<Writer> writer;
  std::unique_ptr<Reader> reader;
  ObjectRef stale;
  bool headed = false;
};

struct Kept {  // on the disk of the model
  Place place;
  std::string key;
  ObjectRef object;
  std::vector<std::string> tags;
  uint64_t began = 0;
};

class World {
 public:
  explicit World(uint64_t seed) : rng_(seed) { start(); }
  ~World() { flights_.clear(); }

  void step() {
    ++event_;
    uint64_t kind = rng_.below(100);
    if (kind < 45) return ask();
    if (kind < 70) return go_on();
    if (kind < 82) return purge();
    if (kind < 88) return executor_.run();
    if (kind < 93) return look_at_the_disk();
    if (kind < 96) now_ms_ += static_cast<int64_t>(rng_.below(40'000));
    if (kind == 97) restart();
  }
  uint64_t hits = 0, stale = 0, cut = 0, carried = 0, restarts = 0, lost = 0;

 private:
  struct Key {
    Place place;
    Request request;
    explicit Key(const Place& p) : place(p), request(p.path) {}
    RequestView at(int64_t now_ms) const { return {request.head, place.scheme, place.authority, now_ms}; }
  };

  void start() {
    CacheConfig c = config();
    c.purge_memory_bytes = 64 << 10;
    store_ = std::make_shared<Store>(c, 1);
    PurgeLog::Opened opened = PurgeLog::open("/d", "n", files_, executor_, now_ms_);
    floor_ = opened.lost ? event_ : floor_;
    lost += opened.lost;
    store_->keep_purges(std::move(opened));
  }

  // The end of the process: by a kill, or by a loss of power amid a write.
  void restart() {
    ++restarts;
    if (rng_.below(2)) {
      files_.die_after(1 + rng_.below(8), &rng_);
      for (int i = 0; i < 4; ++i) {
        ++event_;
        purge();
        if (rng_.below(2)) executor_.run();
      }
      executor_.run();
      rng_.below(2) ? files_.lose_power(rng_) : files_.restart();
    }
    executor_.forget();
    flights_.clear();
    store_.reset();
    // What was never acknowledged may have been forgotten, or not.
    for (auto p = past_.begin(); p != past_.end();)
      p = p->durable ? std::next(p) : (maybe_.push_back(*p), past_.erase(p));
    now_ms_ += 1'000;
    start();
  }

  void purge() {
    Purge p = random_purge(rng_);
    past_.push_back({p, event_, false});
    auto good = normalised(p);
    ASSERT_TRUE(good) << p.value;
    store_->purge(*good, now_ms_, [this, event = event_](const Status& s) {
      for (Past& past : past_)
        if (past.event == event) past.durable = s.ok();
    });
  }

  // The worst that befell what began then; `surely`: what was never acknowledged before a restart doesn't count.
  Purged befell(const Place& place, const std::vector<std::string>& tags, uint64_t began, bool surely) const {
    Purged worst = began < floor_ && !surely ? Purged::hard : Purged::no;
    for (const auto* list : {&past_, &maybe_}) {
      if (list == &maybe_ && surely) break;
      for (const Past& p : *list)
        if (p.event > began && fits(p.purge, place, tags))
          worst = std::max(worst, p.purge.soft ? Purged::soft : Purged::hard);
    }
    return worst;
  }

  void ask() {
    Key key(random_place(rng_));
    Lookup l = store_->find(key.at(now_ms_));
    if (l.object) {
      auto tags = tags_of(*l.object);
      ASSERT_NE(befell(key.place, tags, body_event(*l.object), true), Purged::hard) << key.place.url();
      uint64_t began = validated_event(*l.object);
      if (l.object->fresh(now_ms_)) ASSERT_EQ(befell(key.place, tags, began, true), Purged::no) << key.place.url();
      (l.outcome == Outcome::hit ? hits : stale)++;
    }
    if (l.outcome == Outcome::follow && l.reader->object()) {
      const Object& o = *l.reader->object();
      ASSERT_EQ(befell(key.place, tags_of(o), validated_event(o), true), Purged::no) << "followed: " << key.place.url();
    }
    if (!l.writer) return;
    Fetch f{key.place, random_tags(rng_), event_, event_, std::move(l.writer), std::move(l.reader), l.object};
    if (flights_.size() > 8) flights_.pop_front();
    flights_.push_back(std::move(f));
  }

  void go_on() {
    if (flights_.empty()) return;
    size_t i = rng_.below(flights_.size());
    Fetch f = std::move(flights_[i]);
    flights_.erase(flights_.begin() + static_cast<long>(i));
    if (!f.headed) {
      // Validated: the same body, and the same tags.
      bool same = f.writer->revalidates() && rng_.below(2);
      Pairs fields = {{"Cache-Control", rng_.below(2) ? "max-age=100" : "max-age=60, stale-while-revalidate=60"},
                      {"ETag", "\"e\""},
                      {"X-Validated", std::to_string(f.began)}};
      if (!same) {
        fields.emplace_back("X-Body", std::to_string(f.body));
        fields.emplace_back("X-Tags", joined(f.tags, ","));
        fields.emplace_back(rng_.below(2) ? "Surrogate-Key" : "Cache-Tag", "");
        fields.back().second = joined(f.tags, fields.back().first == "Cache-Tag" ? ", " : " ");
      }
      Response response(fields, same ? 304 : 200);
      auto verdict = f.writer->head(response.head, now_ms_, now_ms_);
      f.headed = true;
      if (verdict == Writer::Verdict::stored) flights_.push_back(std::move(f));
      return;
    }
    f.writer->append(Slice::copy_of("body"));
    ASSERT_TRUE(f.writer->finish());
    ObjectRef object = f.reader ? f.reader->object() : nullptr;
    if (!object || disk_.size() > 60) return;
    Key key(f.place);
    std::string text;
    compose_key(store_->rules(), key.at(now_ms_), text);
    disk_.push_back({f.place, text, object, f.tags, f.began});
  }

  // What an earlier process left, too.
  void look_at_the_disk() {
    for (size_t i = 0; i < disk_.size();) {
      const Kept& k = disk_[i];
      Purged found = store_->fate(k.key, *k.object).how;  // one thread: nobody needs the lock
      Purged sure = befell(k.place, k.tags, k.began, true), most = befell(k.place, k.tags, k.began, false);
      ASSERT_GE(found, sure) << k.place.url() << " is served after its purge";
      if (store_->purges().stats().merged == merged_) ASSERT_LE(found, most) << k.place.url() << " was never purged";
      carried += found == Purged::no;
      if (found != Purged::hard || rng_.below(3)) {
        ++i;
        continue;
      }
      ++cut;
      disk_.erase(disk_.begin() + static_cast<long>(i));
    }
  }

  static uint64_t number(const Object& o, std::string_view field) {
    return std::stoull(std::string(o.fields().find(field).value_or("0")));
  }
  static uint64_t body_event(const Object& o) { return number(o, "X-Body"); }
  static uint64_t validated_event(const Object& o) { return number(o, "X-Validated"); }
  static std::vector<std::string> tags_of(const Object& o) {
    std::vector<std::string> out;
    std::string text(o.fields().find("X-Tags").value_or(""));
    for (size_t at = 0; at < text.size(); at += 3) out.push_back(text.substr(at, 2));
    return out;
  }

  Rng rng_;
  int64_t now_ms_ = start_ms;
  uint64_t event_ = 0, floor_ = 0, merged_ = 0;
  MemoryFiles files_;
  QueueExecutor executor_;
  std::shared_ptr<Store> store_;
  std::deque<Fetch> flights_;
  std::deque<Past> past_, maybe_;
  std::vector<Kept> disk_;
};

TEST(PurgeModel, NothingPurgedIsEverServedAgain) {
  const char* scale = std::getenv("PORTOLAN_SCALE");
  uint64_t worlds = scale && std::string_view(scale) == "full" ? 2000 : 60;
  uint64_t hits = 0, stale = 0, cut = 0, carried = 0, restarts = 0;
  for (uint64_t seed = 1; seed <= worlds; ++seed) {
    World world(seed);
    for (int i = 0; i < 1500; ++i) {
      world.step();
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", step " << i;
    }
    hits += world.hits, stale += world.stale, cut += world.cut, carried += world.carried, restarts += world.restarts;
  }
  EXPECT_GT(hits, worlds * 20);
  EXPECT_GT(stale, worlds);
  EXPECT_GT(cut, worlds * 20);
  EXPECT_GT(carried, worlds * 20);
  EXPECT_GT(restarts, worlds * 5);
}

}  // namespace
}  // namespace portolan::edge::test
