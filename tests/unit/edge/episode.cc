#include "tests/unit/edge/episode.hh"

#include "edge/inspect.hh"

namespace portolan::edge::test {

using model::May;
using model::Stored;

namespace {

std::string words(const model::Request& r) {
  std::string out = r.method + " " + r.url;
  for (const auto& [name, v] : r.fields) out += " [" + name + ": " + v + "]";
  return out;
}

std::string words(const model::Response& r) {
  std::string out = std::to_string(r.status) + (r.delimited ? "" : " until close");
  for (const auto& [name, v] : r.fields) out += " [" + name + ": " + v + "]";
  return out;
}

}  // namespace

Episode::Episode(uint64_t seed, bool tracing) : tracing_(tracing) {
  Rng rng(seed);
  CacheConfig c = config(64 << 20);
  rules_.cdn_safe = rng.below(2) == 0;
  c.fragments = false;  // the model knows of no parts, nor do its origins; parts_test.cc has both
  c.profile = rules_.cdn_safe ? "cdn-safe" : "rfc";
  whole_seconds_ = rng.below(2) == 0;
  rules_.grain_ms = whole_seconds_ ? 0 : 1000;
  cache_ = std::make_unique<Cache>(c, seed);
  empty_bytes_ = cache_->stats().bytes;
  urls_ = {"http://one.test/a",  "http://one.test/b", "http://one.test/a?q=1",
           "https://one.test/a", "http://two.test/a", "http://one.test/elsewhere"};
  for (const std::string& url : urls_) sites_.emplace_back(url, now_ms_, rng);
}

Episode::~Episode() = default;

model::Site& Episode::site(const std::string& url) {
  for (model::Site& s : sites_)
    if (s.url() == url) return s;
  return sites_[0];
}

Stored* Episode::version_of(const ObjectRef& object) {
  for (auto& [beside, record] : besides_)
    if (beside == object) return &record;
  return record_of(object);
}

Stored* Episode::record_of(const ObjectRef& object) {
  auto text = object->fields().find("x-number");
  if (!text) return nullptr;
  auto at = by_number_.find(std::stoull(std::string(*text)));
  return at == by_number_.end() ? nullptr : &stored_[at->second];
}

void Episode::forget(const std::string& url, bool certain) {
  for (Stored& s : stored_) {
    if (s.request.url != url) continue;
    s.doubtful = true;
    s.gone = s.gone || certain;
  }
  for (auto& [object, s] : besides_)
    if (s.request.url == url) s.gone = s.gone || certain;
  for (Flight& f : flights_) {
    if (f.asked->request.url != url) continue;
    f.maybe_cut = true;
    f.cut = f.cut || certain;
  }
}

// A 304 may have been taken or not: either is right, and nobody sees which it was.
void Episode::settle(const std::string& url) {
  cache_->purge(url);
  forget(url, true);
}

// ── what is checked ──

void Episode::check_newest(const Stored& mine, const Asked& asked) {
  for (const Stored& other : stored_) {
    if (&other == &mine || other.gone || other.doubtful) continue;
    if (model::matches(other, asked.request) != May::should) continue;
    if (model::date_of(other) > model::date_of(mine) && other.response_ms > mine.response_ms)
      fail("#" + std::to_string(other.number) + " is more recent (RFC 9111 §4)");
  }
}

void Episode::check_served(const Asked& asked, const ObjectRef& object, const std::string& body, Because because) {
  Stored* mine = record_of(object);
  // Of two validations at once the later one counts, or that of the later request.
  if (because != Because::fresh || (mine && mine->doubtful)) mine = version_of(object);
  if (!mine) return fail("nobody knows what was served");
  if (body != mine->response.body) fail("another body: " + body);
  check_head(asked, object, *mine, because);
}

void Episode::check_head(const Asked& asked, const ObjectRef& object, const Stored& mine, Because because) {
  say("  serves #" + std::to_string(mine.number) + ", age " + std::to_string(object->age_s(now_ms_)));
  if (object->status() != mine.response.status) fail("another status");
  if (because != Because::validated && model::matches(mine, asked.request) == May::never)
    fail("it doesn't match (§4.1)");
  Stored judged = mine;
  model::Request by = asked.request;
  if (because == Because::followed) {
    judged.gone = false;  // a purge meanwhile leaves them what they read
    // It comes from the origin: as good as what they would get by themselves, whatever they prefer (§5.2.1).
    std::erase_if(by.fields, [](const auto& f) { return f.first == "Cache-Control" || f.first == "Pragma"; });
  }
  bool asked_for = because != Because::fresh && because != Because::followed;
  for (const model::Request* r : {&asked.request, static_cast<const model::Request*>(&by)})
    asked_for = asked_for || model::may_serve(rules_, judged, *r, now_ms_) != May::never;
  if (!asked_for) fail("it must not be served without validation (§4)");
  if ((because == Because::error || because == Because::disconnected) &&
      model::may_serve_on_error(rules_, mine, asked.request, now_ms_, because == Because::disconnected) == May::never)
    fail("it must not be served, not even after an error (§4.2.4)");
  int64_t wrong_by = object->age_s(now_ms_) - model::age_ms(mine, now_ms_) / 1000;
  if (std::abs(wrong_by) > rules_.grain_ms / 1000)
    fail("its age is " + std::to_string(model::age_ms(mine, now_ms_) / 1000) + " (§4.2.3)");
  Pairs sent;
  for (const http::Field& f : object->fields()) sent.emplace_back(model::lower(std::string(f.name)), f.value);
  std::sort(sent.begin(), sent.end());
  Pairs expected = model::sent_fields(mine);
  if (!model::value(expected, "date")) std::erase_if(sent, [](const auto& f) { return f.first == "date"; });
  if (sent != expected) fail("other fields (§3.1, §3.2): " + words(model::Response{0, sent, "", true}));
  May unchanged = model::not_modified(mine, asked.request);
  bool says = edge::not_modified(asked.wire.head, *object);
  if (unchanged != May::may && says != (unchanged == May::should)) fail("the client's conditions (RFC 9110 §13.2.2)");
  if (because == Because::fresh) check_newest(mine, asked);
}

// A cache may always forward; but what everybody expects to be served is served.
void Episode::expect_nothing_to_serve(const Asked& asked, const std::string& outcome) {
  const Stored* newest = nullptr;
  for (const Stored& s : stored_) {
    if (s.gone || model::matches(s, asked.request) == May::never) continue;
    if (newest && s.response_ms <= newest->response_ms) continue;
    newest = &s;
  }
  if (!newest || newest->doubtful || model::may_pass(rules_, asked.request)) return;
  if (model::matches(*newest, asked.request) != May::should) return;
  for (const Stored& s : stored_) {
    if (s.gone || model::matches(s, asked.request) == May::never) continue;
    if (model::date_of(s) > model::date_of(*newest)) return;
    bool as_recent = s.response_ms == newest->response_ms;
    if (as_recent && model::may_serve(rules_, s, asked.request, now_ms_) != May::should) return;
  }
  if (model::may_serve(rules_, *newest, asked.request, now_ms_) == May::should)
    fail("#" + std::to_string(newest->number) + " should have been served: " + outcome);
}

// ── what happens ──

void Episode::ask(const model::Request& request, Rng& rng) {
  auto asked = std::make_shared<Asked>(request);
  Inspection told = cache_->inspect(asked->at(now_ms_));
  Lookup l = cache_->find(asked->at(now_ms_));
  say(words(request) + " → " + name_of(l.outcome));
  if (told.outcome != l.outcome || told.forward != l.forward)
    fail(std::string("inspect said ") + name_of(told.outcome) + ", " + told.why);
  switch (l.outcome) {
    case Outcome::hit:
      check_served(*asked, l.object, body_of(l.object), Because::fresh);
      if (l.writer) begin(asked, std::move(l), rng);  // it is validated meanwhile (RFC 5861 §3)
      return;
    case Outcome::only_if_cached_miss:
      if (!model::Directives(request.fields).has("only-if-cached")) fail("nobody asked for only-if-cached");
      return expect_nothing_to_serve(*asked, "only-if-cached");
    case Outcome::bypass:
      expect_nothing_to_serve(*asked, "bypass");
      return bypass(*asked, rng);
    case Outcome::follow:
      followers_.push_back({asked, std::move(l.reader), {}});
      return hear_followers(rng);
    case Outcome::miss:
    case Outcome::stale:
      expect_nothing_to_serve(*asked, name_of(l.outcome));
      if (model::Directives(request.fields).has("only-if-cached")) fail("only-if-cached goes nowhere (§5.2.1.7)");
      return begin(asked, std::move(l), rng);
  }
}

void Episode::bypass(const Asked& asked, Rng& rng) {
  model::Response r = site(asked.request.url).answer(asked.request, asked.request.fields, now_ms_, ++number_, rng);
  bool safe = asked.request.method == "GET" || asked.request.method == "HEAD" || asked.request.method == "OPTIONS";
  if (safe) return;
  bool elsewhere = rng.below(4) == 0;
  if (elsewhere) r.fields.emplace_back(rng.below(2) ? "Location" : "Content-Location", urls_[rng.below(urls_.size())]);
  say("  origin: " + words(r));
  cache_->invalidate(asked.at(now_ms_), Response(r.fields, r.status).head);
  if (r.status < 200 || r.status >= 400) return;
  site(asked.request.url).change(now_ms_);
  forget(asked.request.url, true);
  auto origin = [](const std::string& url) { return url.substr(0, url.find('/', url.find("://") + 3)); };
  for (const auto& [name, v] : r.fields) {
    if (name != "Location" && name != "Content-Location") continue;
    std::string url = v.starts_with("/") ? origin(asked.request.url) + v : v;
    if (origin(url) == origin(asked.request.url)) forget(url, false);  // a cache may (§4.4)
  }
}

void Episode::begin(const std::shared_ptr<Asked>& asked, Lookup lookup, Rng& rng) {
  Flight flight(asked, std::move(lookup), now_ms_);
  if (const Stored* stale = flight.stale ? record_of(flight.stale) : nullptr) flight.before = *stale;
  if (rng.below(10) < 3 && flights_.size() < 4) return flights_.push_back(std::move(flight));
  answer(flight, rng);
  if (!flight.rest.empty()) flights_.push_back(std::move(flight));
  hear_followers(rng);
}

// The origin's answer comes in; part of its body may come later.
void Episode::answer(Flight& flight, Rng& rng) {
  if (flight.stored != SIZE_MAX) return finish(flight, rng.below(10) > 0);
  if (rng.below(20) == 0) {
    say("  no answer to " + words(flight.asked->request));
    flight.writer->abort(now_ms_, 502);
    return erred(flight, 502, true);
  }
  http::Fields conditions;
  flight.writer->add_conditional_fields(conditions);
  Pairs also;
  for (const http::Field& f : conditions) also.emplace_back(model::lower(std::string(f.name)), f.value);
  uint64_t number = ++number_;
  model::Response r = site(flight.asked->request.url).answer(flight.asked->request, also, now_ms_, number, rng);
  say("  origin to " + words(flight.asked->request) + ": " + words(r));
  Response wire(r.fields, r.status);
  if (!r.delimited) wire.head.framing = http::Framing::until_close;
  if (r.status == 204 || r.status == 304) wire.head.framing = http::Framing::none;
  if (r.delimited && r.status != 204 && r.status != 304 && rng.below(2)) wire.length(r.body.size());
  switch (flight.writer->head(wire.head, flight.sent_ms, now_ms_)) {
    case Writer::Verdict::not_modified:
      return not_modified(flight, r);
    case Writer::Verdict::stale_on_error:
      if (r.status < 500) fail("no error, yet a stale answer");
      return erred(flight, r.status, false);
    case Writer::Verdict::stored:
      return kept(flight, r, number, rng);
    case Writer::Verdict::uncacheable:
      return passed(flight, r);
    case Writer::Verdict::dropped:
      return fail("nobody asked for a part, and one is dropped");
  }
}

void Episode::not_modified(Flight& flight, const model::Response& response) {
  if (response.status != 304) return fail("a 304 that was none");
  Stored* mine = record_of(flight.stale);
  if (!mine) return fail("nobody knows what was validated");
  May may = model::may_update(flight.before, response);
  const model::Request& request = flight.asked->request;
  Stored fresh = model::updated(flight.before, request, response, flight.sent_ms, now_ms_);
  bool refused = flight.reader ? flight.reader->state() == Reader::State::released : may == May::never;
  if (refused) {
    if (may == May::should) fail("the 304 fits #" + std::to_string(mine->number) + " (§4.3.4)");
    mine->doubtful = true;
    return;
  }
  if (may == May::never) fail("the 304 is of something else than #" + std::to_string(mine->number) + " (§4.3.4)");
  ObjectRef object;
  if (flight.reader) {
    object = flight.reader->object();
    if (!object) return fail("a 304 and no object");
    if (drain(*flight.reader) != fresh.response.body) fail("another body");
    check_head(*flight.asked, object, fresh, Because::validated);
  } else if (may != May::should) {
    fresh.doubtful = true;  // nobody sees whether it was taken
  }
  // What was purged, replaced or updated meanwhile stays as it is.
  if (flight.maybe_cut || mine->gone || mine->updates != flight.before.updates) {
    mine->doubtful = true;
    if (object) besides_.emplace_back(object, std::move(fresh));
    if (!object || (flight.maybe_cut && !flight.cut)) settle(request.url);
    return;
  }
  fresh.doubtful = fresh.doubtful || mine->doubtful;
  // What a 304 to an authorised request says is an answer to that one (§3.5): where it may not be shared, what is stored
  // stays as it was.
  May shared = model::may_store(rules_, request, fresh.response, fresh.request_ms, fresh.response_ms);
  if (model::value(request.fields, "authorization") && shared != May::should) {
    if (object) besides_.emplace_back(object, std::move(fresh));
    if (shared == May::never) return;
    return settle(request.url);
  }
  // Where it answers one that wasn't, the server has said that what an authorised one got is this one's, too; a cache need
  // not count on it.
  for (const model::Request* each : {&std::as_const(mine->request), &request}) {
    May kept = model::may_store(rules_, *each, fresh.response, fresh.request_ms, fresh.response_ms);
    fresh.gone = fresh.gone || (kept == May::never && each == &request);
    fresh.doubtful = fresh.doubtful || kept != May::should;
  }
  besides_.emplace_back(flight.stale, *mine);  // whoever still holds it
  *mine = std::move(fresh);
}

void Episode::erred(Flight& flight, int status, bool disconnected) {
  if (!flight.reader) return;
  ObjectRef object = flight.reader->object();
  if (object)
    return check_served(*flight.asked, object, drain(*flight.reader),
                        disconnected ? Because::disconnected : Because::error);
  if (flight.reader->state() != Reader::State::failed) return fail("neither failed nor served");
  if (flight.reader->error_status() != status) fail("another error");
  expect_no_stand_in(flight, disconnected);
}

void Episode::expect_no_stand_in(const Flight& flight, bool disconnected) {
  Stored* mine = flight.stale ? record_of(flight.stale) : nullptr;
  const model::Request& request = flight.asked->request;
  if (mine && !mine->gone &&
      model::may_serve_on_error(rules_, flight.before, request, now_ms_, disconnected) == May::should)
    fail("#" + std::to_string(mine->number) + " should have been served after the error (RFC 5861 §4)");
}

void Episode::kept(Flight& flight, const model::Response& r, uint64_t number, Rng& rng) {
  const model::Request& request = flight.asked->request;
  if (model::may_store(rules_, request, r, flight.sent_ms, now_ms_) == May::never)
    return fail("it must not be stored (§3)");
  if (flight.cut) return fail("what was purged meanwhile is stored");
  flight.stored = stored_.size();
  by_number_[number] = stored_.size();
  Stored record{request, r, flight.sent_ms, now_ms_, number};
  record.doubtful = true;  // until it is whole
  stored_.push_back(record);
  size_t first = rng.below(3) == 0 ? r.body.size() / 2 : r.body.size();
  flight.writer->append(Slice::copy_of(std::string_view(r.body).substr(0, first)));
  flight.rest = r.body.substr(first);
  if (flight.rest.empty()) finish(flight, true);
}

void Episode::finish(Flight& flight, bool whole) {
  Stored& mine = stored_[flight.stored];
  if (!whole) {
    say("  #" + std::to_string(mine.number) + " breaks off");
    flight.rest.clear();
    flight.writer->abort(now_ms_, 502);
    if (flight.reader) drain(*flight.reader);
    if (flight.reader && flight.reader->state() != Reader::State::failed) fail("it broke off, and nobody is told");
    mine.gone = true;
    return;
  }
  flight.writer->append(Slice::copy_of(flight.rest));
  flight.rest.clear();
  bool kept = flight.writer->stored();
  if (!flight.writer->finish()) return fail("a whole body is refused");
  if (kept && flight.cut) fail("what was purged meanwhile is stored");
  if (!kept && !flight.maybe_cut) fail("what was to be stored isn't");
  std::string body = flight.reader ? drain(*flight.reader) : mine.response.body;
  if (body != mine.response.body) fail("its own client gets another body: " + body);
  if (flight.reader && flight.reader->state() != Reader::State::end) fail("the body doesn't end");
  if (!kept) mine.gone = true;
  for (Stored& other : stored_)
    if (&other != &mine && model::matches(other, mine.request) != May::never) other.doubtful = true;
  mine.doubtful = !kept || flight.maybe_cut;
}

void Episode::passed(Flight& flight, const model::Response& r) {
  const model::Request& request = flight.asked->request;
  // Errors of the origin's need not take the place of what is still fresh: nothing in §3 asks for it.
  bool keeps_good = r.status >= 500 && flight.stale &&
                    model::may_serve(rules_, flight.before, {"GET", request.url, {}}, now_ms_) != May::never;
  if (model::may_store(rules_, request, r, flight.sent_ms, now_ms_) == May::should && !flight.maybe_cut && !keeps_good)
    fail("it should have been stored (§3)");
  bool error = r.status == 500 || r.status == 502 || r.status == 503 || r.status == 504;
  if (error && flight.reader) expect_no_stand_in(flight, false);
  Stored* old = flight.stale ? record_of(flight.stale) : nullptr;
  if (old && r.status < 500) old->doubtful = true;
  flight.writer->append(Slice::copy_of(r.body));
  flight.writer->finish();
  if (flight.reader && drain(*flight.reader) != r.body) fail("its own client gets another body");
}

// Who waits for a fetch hears of it, and goes where it is told to.
void Episode::hear_followers(Rng& rng) {
  for (size_t i = 0; i < followers_.size();) {
    Follower& f = followers_[i];
    Reader::State state = f.reader->state();
    if (const ObjectRef& object = f.reader->object(); object && !std::exchange(f.judged, true)) {
      say("  of " + words(f.asked->request) + ":");
      const Stored* mine = version_of(object);
      if (!mine) return fail("nobody knows what was served");
      check_head(*f.asked, object, *mine, f.reader->stale_on_error() ? Because::disconnected : Because::followed);
    }
    f.body += drain(*f.reader);
    state = f.reader->state();
    if (state == Reader::State::pending || state == Reader::State::wait) {
      ++i;
      continue;
    }
    Follower gone = std::move(f);
    followers_.erase(followers_.begin() + static_cast<long>(i));
    if (state == Reader::State::released) {
      if (gone.reader->retry()) {
        ask(gone.asked->request, rng);
        i = 0;
      } else {
        bypass(*gone.asked, rng);
      }
      continue;
    }
    const Stored* mine = state == Reader::State::end ? record_of(gone.reader->object()) : nullptr;
    if (mine && gone.body != mine->response.body) fail("a follower gets another body: " + gone.body);
  }
}

bool Episode::step(uint64_t seed) {
  Rng rng(seed);
  uint64_t kind = rng.below(100);
  if (kind < 30) {
    static const int64_t steps_s[] = {1, 1, 2, 4, 10, 59, 60, 61, 300, 3600, 90'000};
    now_ms_ += steps_s[rng.below(std::size(steps_s))] * 1000;
    if (!whole_seconds_) now_ms_ += static_cast<int64_t>(rng.below(1000));
  } else if (kind < 42 && !flights_.empty()) {
    size_t i = rng.below(flights_.size());
    Flight flight = std::move(flights_[i]);
    flights_.erase(flights_.begin() + static_cast<long>(i));
    answer(flight, rng);
    if (!flight.rest.empty()) flights_.push_back(std::move(flight));
    hear_followers(rng);
  } else if (kind < 44) {
    std::string url = urls_[rng.below(urls_.size())];
    say("purge " + url);
    cache_->purge(url);
    forget(url, true);
  } else {
    ask(model::random_request(urls_, now_ms_, rng), rng);
  }
  return failure_.empty();
}

bool Episode::end() {
  for (Flight& f : flights_) f.writer->abort(now_ms_, 502);
  Rng rng(1);
  hear_followers(rng);
  followers_.clear();
  flights_.clear();
  besides_.clear();
  for (const std::string& url : urls_) cache_->purge(url);
  Stats s = cache_->stats();
  if (s.objects + s.filling + s.passing_bytes != 0 || s.bytes != empty_bytes_) fail("memory is left when all is gone");
  return failure_.empty();
}

}  // namespace portolan::edge::test
