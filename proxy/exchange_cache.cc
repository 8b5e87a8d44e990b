// An exchange and the cache: the step that asks it and as whom, what servers then see of the request, the fetches it begins,
// and what its answer means for what is stored.
#include <algorithm>

#include "proxy/cache_bypass.hh"
#include "proxy/connection.hh"
#include "proxy/exchange.hh"
#include "proxy/fetch.hh"
#include "proxy/source/cached.hh"

namespace portolan::proxy {

// ── lookup: does the cache have it, or does somebody fetch it already ─────────────────────────────────────────────

Exchange::Next Exchange::lookup() {
  if (!cache_ || !route_->to_servers() || bypass_cache_) return Next::more;
  if (!head_->upgrade.empty()) {
    cache_->count_bypass();
    return Next::more;
  }
  edge::RequestView view = cache_view();
  view.asked_disk = asked_disk_;
  view.let_down = let_down_;
  if (route_->cache_bypass && bypasses_cache(*route_->cache_bypass, *head_)) {
    bypass_detail_ = "rule";
    if (!route_->cache_bypass->store) {
      cache_->count_bypass();
      return Next::more;
    }
    view.refresh = true;
  }
  edge::Lookup found = cache_->find(view);
  ++lookups_;
  forward_ = found.forward;
  eligible_ = found.eligible;
  switch (found.outcome) {
    case edge::Outcome::bypass:
      bypass_detail_ = found.detail;
      return Next::more;
    case edge::Outcome::only_if_cached_miss:
      only_if_cached_ = true;
      return answer_error(504);
    case edge::Outcome::miss:
    case edge::Outcome::stale:
      return fetch_for_cache(std::move(found));
    default:
      break;
  }
  if (found.writer) validate_beside(std::move(found.writer));
  auto source =
      std::make_unique<Cached>(proxy_.worker(), downstream_, *this, *head_, std::move(found), snapshot_->node, nullptr);
  cached_ = source.get();
  return answer(std::move(source));
}

edge::RequestView Exchange::cache_view() {
  edge::RequestView view{*head_, client_.scheme, authority_, proxy_.worker().wall_ms()};
  view.told = snapshot_->route_told[static_cast<size_t>(route_ - snapshot_->routes.data())];
  if (cache_->asks_country()) view.country = country();
  view.route = route_->mark;
  if (!route_->pools.empty()) view.pool = *pool_;
  // A trusted proxy may have asked for the certificate.
  auto certificate = [](const http::Field& f) {
    return f.id == http::FieldId::other && names_client_certificate(f.name);
  };
  view.identified = client_.identity || (admission_ && admission_->tells_user()) ||
                    (client_.through_trusted && std::any_of(head_->fields.begin(), head_->fields.end(), certificate));
  return view;
}

void Exchange::tell_cached(RequestFilter& filter) {
  if (eligible_) {
    filter.cache = cache_;
    filter.authority = authority_;  // as the key has it
  }
  filter.device = cache_->device_class(*head_);
  filter.tells_country = cache_->asks_country();
  if (filter.tells_country) filter.country = country();
}

Exchange::Next Exchange::fetch_for_cache(edge::Lookup found) {
  auto note = std::make_shared<FetchNote>();
  auto fetch = make_fetch(std::move(found.writer), note);
  if (!fetch) return answer_error(503);
  if (route_->mirror) begin_mirror();
  auto source =
      std::make_unique<Cached>(proxy_.worker(), downstream_, *this, *head_, std::move(found), snapshot_->node, note);
  cached_ = source.get();
  Next next = answer(std::move(source));
  proxy_.begin_fetch(std::move(fetch));
  return next;
}

// RFC 5861 §3: the client is served what is stale; nobody waits for this.
void Exchange::validate_beside(std::unique_ptr<edge::Writer> writer) {
  auto fetch = make_fetch(std::move(writer), std::make_shared<FetchNote>());
  if (fetch) proxy_.begin_fetch(std::move(fetch));
}

bool Exchange::fetch_part(std::unique_ptr<edge::Writer> writer, std::shared_ptr<FetchNote> note) {
  auto fetch = make_fetch(std::move(writer), std::move(note));
  if (!fetch) return false;
  proxy_.begin_fetch(std::move(fetch));
  return true;
}

std::unique_ptr<Fetch> Exchange::make_fetch(std::unique_ptr<edge::Writer> writer, std::shared_ptr<FetchNote> note) {
  std::shared_ptr<Cluster> cluster = this->cluster();
  if (!cluster) return nullptr;
  OriginRequest::Ask request = ask(*cluster, true, writer.get());
  auto& cache = snapshot_->route_caches[static_cast<size_t>(route_ - snapshot_->routes.data())];
  return std::make_unique<Fetch>(proxy_, std::move(cluster), std::move(request), std::move(writer), cache,
                                 std::move(note));
}

// Who goes by a rule of `cache_bypass` gets what the server says.
void Exchange::dress(Answer& head, http::Fields& dressed) {
  if (!head_ || !cache_->dresses()) return;
  const http::ResponseHead* answer = source_->response();
  if (!answer || (route_->cache_bypass && bypasses_cache(*route_->cache_bypass, *head_))) return;
  if (cache_->dress(cache_view(), *answer, dressed)) head.fields = &dressed;
}

bool Exchange::stands_in(int status) {
  if (!eligible_ || cached_ || (status == 0 ? !source_->upload() : !source_->response())) return false;
  const bool failed = status == 500 || status == 502 || status == 503 || status == 504;
  if (status != 0 && !failed) return false;
  using StandIn = edge::Object::StandIn;
  edge::Lookup found;
  found.object = cache_->stand_in(cache_view(), status == 0 ? StandIn::unreachable : StandIn::error);
  if (!found.object) return false;
  found.outcome = edge::Outcome::stale;
  found.forward = forward_;
  found.stands_in = true;
  auto note = std::make_shared<FetchNote>();
  note->server = source_->server();
  note->server_id = source_->server_id();
  note->tries = source_->tries();
  note->status = status;
  auto source =
      std::make_unique<Cached>(proxy_.worker(), downstream_, *this, *head_, std::move(found), snapshot_->node, note);
  cached_ = source.get();
  answer(std::move(source));
  return true;
}

bool Exchange::asks_whole() {
  if (!head_ || whole_ || !source_->response()) return false;
  if (!cache_->splices(*head_, *source_->response())) return false;
  whole_ = true;
  source_.reset();
  again(at_choose);
  return true;
}

// RFC 9111 §4.4: a successful unsafe request makes what is stored of its target useless, whichever route its readers take;
// to a POST the answer may be what is to be stored of it.
void Exchange::note_unsafe(const Answer& head) {
  if (!head.fields || !route_ || !route_->to_servers() || head.status >= 400) return;
  http::ResponseHead response;
  response.status = head.status;
  response.fields = *head.fields;
  int64_t now_ms = proxy_.worker().wall_ms();
  std::vector<const edge::Cache*> done;
  for (size_t route : snapshot_->router->all_of(host_, head_->path)) {
    edge::Cache* cache = snapshot_->route_caches[route].get();
    if (!cache || std::find(done.begin(), done.end(), cache) != done.end()) continue;
    done.push_back(cache);
    cache->invalidate({*head_, client_.scheme, authority_, now_ms}, response);
  }
  const http::ResponseHead* whole = source_->response();
  if (!cache_ || !whole || head_->method != http::Method::post) return;
  if (route_->cache_bypass && bypasses_cache(*route_->cache_bypass, *head_)) return;
  edge::RequestView request = cache_view();
  int64_t took_ms = (proxy_.worker().precise_us() - downstream_.request_started_us()) / 1000;
  adopted_ = cache_->adopt(request, *whole, now_ms - took_ms, now_ms);
}

void Exchange::feed_adopted(const Body& part, Source::Flow flow) {
  for (const Segment& s : part) adopted_->append(s.bytes);
  if (flow == Source::Flow::end) adopted_->finish();
  if (flow == Source::Flow::end || flow == Source::Flow::failed) adopted_.reset();
}

}  // namespace portolan::proxy
