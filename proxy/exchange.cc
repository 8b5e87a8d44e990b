#include "proxy/exchange.hh"

#include <algorithm>

#include "proxy/cache_bypass.hh"
#include "proxy/connection.hh"
#include "proxy/grpc.hh"
#include "proxy/hedge.hh"
#include "proxy/mirror.hh"
#include "proxy/proxy.hh"
#include "proxy/request_target.hh"
#include "proxy/rewrite.hh"
#include "proxy/source/cached.hh"
#include "proxy/source/files.hh"
#include "proxy/source/respond.hh"
#include "proxy/source/upstream.hh"
#include "proxy/split.hh"

namespace portolan::proxy {
namespace {

using http::FieldId;
using http::Method;

constexpr uint64_t portion = 128 * 1024;      // of a body, asked of a source at a time
constexpr uint64_t most_discarded = 1 << 20;  // of a request's body that nobody wants
constexpr uint64_t upload_a_turn = 256 * 1024;
constexpr int most_lookups = 3;
constexpr std::string_view allowed_methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

}  // namespace

// In the order they happen.
const Exchange::Step Exchange::steps[] = {
    {"route", &Exchange::route},   {"admit", &Exchange::admit},     {"lookup", &Exchange::lookup},
    {"choose", &Exchange::choose}, {"connect", &Exchange::connect}, {"deliver", &Exchange::deliver},
    {"finish", &Exchange::finish},
};

Exchange::Exchange(Connection& connection, Downstream& downstream, http::RequestHead& head)
    : connection_(connection),
      downstream_(downstream),
      proxy_(connection.proxy()),
      snapshot_(proxy_.snapshot()),
      head_(&head) {}

Exchange::Exchange(Connection& connection, Downstream& downstream, int status)
    : connection_(connection),
      downstream_(downstream),
      proxy_(connection.proxy()),
      snapshot_(proxy_.snapshot()),
      refusal_(status) {
  client_.address = client_.peer = connection.peer().unmapped();
}

Exchange::~Exchange() {
  if (tunnel_) proxy_.count_tunnel(connection_.listener().config.name, -1);
}

bool Exchange::run() {
  while (!over_) {
    jumped_ = false;
    const Step& step = steps[step_];  // apart from the call: g++ 12 checks the bounds of a wrong index otherwise
    Next next = (this->*step.run)();
    if (next == Next::wait) return false;
    if (next == Next::done) over_ = true;
    if (!jumped_) ++step_;
  }
  return true;
}

// ── route: whose request is it, and which route does it take ──────────────────────────────────────────────────────

Exchange::Next Exchange::route() {
  if (!head_) return answer_error(refusal_);
  client_ = identify_client(*head_, connection_.peer(), snapshot_->trusted, connection_.tls());
  authority_ = normal_authority(head_->authority, client_.scheme, lowered_);
  host_ = without_port(authority_);
  if (climbs(head_->path)) return answer_error(400);
  size_t found = route_of(head_->path);
  // A server would take it for another path, one that another route may guard.
  Text spelled;
  std::string_view normal = normal_path(head_->path, spelled);
  if (normal.data() != head_->path.data() && normal != head_->path && route_of(normal) != found)
    return answer_error(400);
  if (found == Router::none) return leads_nowhere();
  route_ = &snapshot_->routes[found];
  pool_ = &route_->pool;
  if (!route_->pools.empty()) pool_ = &route_->pools[choose_pool(route_->pools, client_.address)].pool;
  cache_ = snapshot_->route_caches[found].get();
  return rewrite_climbs() ? answer_error(400) : Next::more;
}

size_t Exchange::route_of(std::string_view path) {
  return snapshot_->router->match({connection_.listener().config.name, host_, path, head_->method_text, head_->query,
                                   &head_->fields, &client_.address, &country_, proxy_.places()});
}

// ── admit: may it pass ────────────────────────────────────────────────────────────────────────────────────────────

Exchange::Next Exchange::admit() {
  if (head_->method == Method::connect) {
    downstream_.close_after_answer();  // what follows may be the tunnel's bytes
    auto refusal = Respond::error(405);
    refusal->add("Allow", std::string(allowed_methods));
    return answer(std::move(refusal));
  }
  if (route_->client_certificate && !client_.identity) return refuse(Refusal::client_certificate, Respond::error(403));
  if (Next next = pass_gates(); next == Next::wait || jumped_) return next;
  if (asks_for_websocket(*head_)) head_->upgrade = websocket;
  if (!head_->upgrade.empty()) {
    if (head_->http2) upload_over_ = true;  // what comes belongs to the tunnel, once there is one
    if (!route_->to_servers() && head_->http2) return answer_error(405);
    if (!route_->to_servers()) head_->upgrade = {};
  }
  auto expect = head_->fields.find(FieldId::expect);
  if (expect && !http::equal_ignoring_case(*expect, "100-continue")) return answer_error(417);
  // RFC 9110 §7.6.2: at zero this is the last server, which for TRACE and OPTIONS means to answer itself.
  if (head_->method == Method::trace || head_->method == Method::options)
    if (head_->fields.find(FieldId::max_forwards) == "0") {
      auto answer_here = std::make_unique<Respond>(head_->method == Method::trace ? 405 : 204, "", "");
      answer_here->add("Allow", std::string(allowed_methods));
      return answer(std::move(answer_here));
    }
  return Next::more;
}

// ── choose: who answers ───────────────────────────────────────────────────────────────────────────────────────────

Exchange::Next Exchange::choose() {
  if (route_->respond)
    return answer(
        std::make_unique<Respond>(route_->respond->status, route_->respond->body, route_->respond->content_type));
  if (!route_->redirect.empty()) return answer(Respond::redirect(route_->redirect_status, redirect_to()));
  if (route_->files)
    return answer_made_here(Files::open(*route_->files, *head_, proxy_.worker().wall_ms() / 1000, proxy_.worker().rng(),
                                        proxy_.open_files(*snapshot_)));
  std::shared_ptr<Cluster> cluster = this->cluster();
  if (!cluster) return answer_error(503);
  if (route_->mirror) begin_mirror();
  OriginRequest::Ask request = ask(*cluster, false, nullptr);
  auto upstream = std::make_unique<Upstream>(proxy_, std::move(cluster), std::move(request), downstream_);
  Upstream& started = *upstream;
  Next next = answer(std::move(upstream));
  started.start();
  return next;
}

OriginRequest::Ask Exchange::ask(const Cluster& cluster, bool for_cache, const edge::Writer* writer) {
  OriginRequest::Ask request;
  request.method = head_->method;
  request.framing = head_->framing;
  request.content_length = head_->content_length;
  // [timeouts], then the listener's, the pool's and the route's: the later wins.
  request.timeouts = route_->timeouts.over(cluster.config().timeouts.over(connection_.listener().timeouts));
  request.expect_continue = head_->expect_continue;
  request.to = cluster.steer(*head_, client_.address);
  if (route_->hedge && may_hedge(*head_)) request.hedge = &*route_->hedge;
  RequestFilter filter(client_);
  filter.node = snapshot_->node;
  filter.authority = head_->authority;
  filter.framing = head_->framing;
  filter.content_length = head_->content_length;
  filter.whole = whole_;
  if (admission_) admission_->prepare(filter);
  if (!snapshot_->user_headers.empty()) filter.user_headers = &snapshot_->user_headers;
  if (cache_) tell_cached(filter);
  if (filter.authority.empty()) filter.authority = *pool_;
  std::string target;
  if (for_cache) target = cache_->forward_target(*head_);
  AppliedEdits edits;
  if (!route_->request_headers.empty()) {
    VariableSource source = variables();
    if (for_cache) source.target = target;
    edits.apply(route_->request_headers, source);
    filter.edits = &edits;
  }
  http::Fields conditionals;
  if (for_cache) {
    filter.target = target;
    filter.for_cache = true;
    filter.framing = request.framing = http::Framing::none;
    request.expect_continue = false;  // of a body that isn't there
    filter.replace_cookie = true;
    filter.cookie = cache_->filter_cookies(*head_);
    filter.accept_encoding = edge::accepted_encodings(head_->fields);
    writer->add_conditional_fields(conditionals);
    filter.extra = &conditionals;
  }
  if (route_->rewrite) {
    if (!for_cache) target.assign(head_->path).append(head_->has_query ? "?" : "").append(head_->query);
    Text path;
    rewrite_path(*route_, head_->path, path);
    target.replace(0, head_->path.size(), path.data(), path.size());
    filter.target = target;
    filter.prefix = stripped_prefix(*route_);
  }
  request.h2.scheme = cluster.tls() ? "https" : "http";
  if (auto te = head_->fields.find(FieldId::te)) request.h2.wants_trailers = http::list_has(*te, "trailers");
  if (!head_->upgrade.empty()) {
    request.upgrade = request.h2.protocol = filter.upgrade = head_->upgrade;
    if (head_->http2 && !cluster.config().http2) upgrade_.key = new_websocket_key(proxy_.worker().rng());
    filter.websocket_key = upgrade_.key;
  }
  BlockWriter out;
  write_request(out, *head_, filter);
  request.head = out.take();
  return request;
}

Exchange::Next Exchange::answer(std::unique_ptr<Source> source) {
  source_ = std::move(source);
  again(at_connect);
  return Next::more;
}

// ── connect: until the answer's head is there ─────────────────────────────────────────────────────────────────────

Exchange::Next Exchange::connect() {
  if (!upload()) return Next::more;
  send_interims();
  Answer head;
  switch (source_->head(head)) {
    case Source::Head::waiting:
      return Next::wait;
    case Source::Head::released:
      if (cached_->asked_disk()) {
        asked_disk_ = true;
        --lookups_;
      }
      let_down_ = let_down_ || cached_->let_down();
      bypass_cache_ = !cached_->retry() || lookups_ >= most_lookups;
      if (bypass_cache_ && cached_->let_down())
        return answer_error(source_->failure_status());  // no herd to the server
      if (bypass_cache_) bypass_detail_ = "collapse-miss";
      cached_ = nullptr;
      source_.reset();
      again(bypass_cache_ ? at_choose : at_lookup);
      return Next::more;
    case Source::Head::failed:
      if (stands_in(0)) return Next::more;
      only_if_cached_ = cached_ && cached_->may_not_fetch();
      return answer_error(source_->failure_status());
    case Source::Head::ready:
      break;
  }
  const bool passes_by = cache_ && !cached_;
  if (passes_by && (stands_in(head.status) || asks_whole())) return Next::more;
  if (head.status == 101) return open_tunnel(head);
  // To an extended CONNECT a 2xx would mean that there is a tunnel.
  if (head_ && head_->http2 && !head_->upgrade.empty() && head.status / 100 == 2) return answer_error(502);
  http::Fields dressed;
  if (passes_by) dress(head, dressed);
  send_head(head);
  return Next::more;
}

// RFC 9110 §7.8, RFC 8441 §5: from here on the bodies are what both sides say to each other.
Exchange::Next Exchange::open_tunnel(Answer& head) {
  std::string accept;
  if (!upgrade_.settle(*head_, *head.fields, accept)) return answer_error(502);
  if (head_->http2) head.status = 200;
  status_ = head.status;
  ResponseFilter filter;
  filter.node = snapshot_->node;
  filter.date = proxy_.date();
  filter.upgrade = head_->upgrade;
  filter.websocket_accept = accept;
  std::string cookie = source_->set_cookie(client_.scheme == "https");
  filter.set_cookie = cookie;
  filter.send_length = false;
  downstream_.send_head(head, filter);
  head_sent_ = body_follows_ = tunnel_ = true;
  upload_over_ = false;
  proxy_.count_tunnel(connection_.listener().config.name, 1);
  return Next::more;
}

void Exchange::send_interims() {
  std::string interim;
  if (downstream_.output_full()) return;
  if (!source_->take_interim(interim)) return;
  if (head_->minor_version == 1) downstream_.send_interim(interim);
}

void Exchange::send_head(const Answer& head) {
  status_ = head.status;
  Method method = head_ ? head_->method : Method::get;
  ResponseFilter filter;
  filter.http_1_0 = head_ && head_->minor_version == 0;
  filter.node = snapshot_->node;
  filter.date = proxy_.date();
  filter.hsts = connection_.listener().hsts;
  std::string cookie = source_->set_cookie(client_.scheme == "https");
  filter.set_cookie = cookie;
  if (head_ && head_->http2 && head.fields && is_grpc(*head.fields)) {
    grpc_ = true;
    grpc_status_ = grpc_status(*head.fields);
  }
  bool has_body = status_ != 204 && status_ != 304;
  body_follows_ = has_body && method != Method::head;
  if (body_follows_) {
    filter.framing = head.length ? http::Framing::length : http::Framing::chunked;
    filter.length = head.length.value_or(0);
    filter.send_length = false;
  } else {
    // A HEAD's answer says what GET's would: its own Content-Length field counts, not its empty body.
    auto said = head.fields ? head.fields->find(FieldId::content_length) : std::nullopt;
    filter.send_length = has_body && (said || (head.length && !source_->upload()));
    filter.length = said ? std::strtoull(std::string(*said).c_str(), nullptr, 10) : head.length.value_or(0);
  }
  AppliedEdits edits;
  Text location;
  if (route_ && !route_->response_headers.empty()) {
    edits.apply(route_->response_headers, variables());
    filter.edits = &edits;
  }
  if (route_ && route_->rewrite && head.fields)
    if (auto said = head.fields->find(FieldId::location))
      if (restore_location(*route_, head_->authority, *said, location)) filter.location = location;
  if (cache_ && head_) {
    if (cached_) {
      cache_status_ = cached_->cache_status();
    } else if (route_->to_servers()) {
      edge::StatusNote note;
      note.forward = forward_ == edge::Forward::none ? edge::Forward::bypass : forward_;
      note.detail = only_if_cached_ ? nullptr : bypass_detail_;
      if (only_if_cached_) note.outcome = edge::Outcome::only_if_cached_miss;
      cache_status_ = edge::cache_status(snapshot_->node, note);
    }
    filter.cache_status = cache_status_;
    filter.hide_tags = !cache_->keeps_tags();
  }
  if (head_ && !http::asks_safely(*head_)) note_unsafe(head);
  bool wont_read_request = head_ && head_->expect_continue && !upload_over_ && !source_->upload();
  if (wont_read_request) downstream_.close_after_answer();
  downstream_.send_head(head, filter);
  head_sent_ = true;
}

// ── deliver: the body, at the client's speed ──────────────────────────────────────────────────────────────────────

Exchange::Next Exchange::deliver() {
  if (!upload()) return Next::more;
  if (!source_over_) {
    Next next = relay();
    if (next != Next::done) return next;
    source_over_ = true;
  }
  if (!downstream_.output_empty()) return Next::wait;
  return Next::more;
}

Exchange::Next Exchange::relay() {
  if (!body_follows_) return Next::done;
  while (!downstream_.output_full()) {
    Body part;
    Source::Flow flow = source_->proceed(part, portion);
    bytes_out_ += part.size();
    if (adopted_) feed_adopted(part, flow);
    if (!part.empty()) downstream_.send_body(part);
    if (flow == Source::Flow::wait) return Next::wait;
    if (flow == Source::Flow::end) {
      downstream_.end_body(source_->trailers());
      return Next::done;
    }
    if (flow == Source::Flow::failed) {
      note_ = "answer cut";
      proxy_.count_cut(route_ ? route_->name : "", route_ ? *pool_ : "");
      log();
      downstream_.cut();
      return Next::wait;
    }
  }
  return Next::wait;
}

// ── the request's body, beside connect and deliver ────────────────────────────────────────────────────────────────

bool Exchange::waits_for_client() const {
  if (!head_ || upload_over_ || !source_ || tunnel_) return false;  // a tunnel has a limit of its own
  if (head_->expect_continue && bytes_in_ == 0) return false;       // it waits for the server
  OriginRequest* origin = source_->upload();
  return origin ? origin->wants_body() : !head_->expect_continue;
}

bool Exchange::upload() {
  if (!head_ || upload_over_) return true;
  OriginRequest* origin = source_->upload();
  if (!origin && head_->expect_continue) return true;  // the client waits for us: nothing will come
  uint64_t before = bytes_in_;
  while (!upload_over_) {
    bool has_body = tunnel_ || head_->framing != http::Framing::none;
    if (origin ? has_body && !origin->wants_body() : bytes_in_ > most_discarded) return true;
    if (bytes_in_ - before > upload_a_turn) {
      proxy_.worker().run_next_turn(downstream_);
      return true;
    }
    Slice bytes;
    switch (downstream_.read_body(bytes)) {
      case Downstream::Read::bytes:
        bytes_in_ += bytes.size;
        if (mirror_) mirror_->send_body(bytes);
        if (origin) origin->send_body(std::move(bytes));
        break;
      case Downstream::Read::end:
        if (mirror_) mirror_->end_body();
        if (origin) origin->end_body(downstream_.trailers());
        upload_over_ = true;
        break;
      case Downstream::Read::broken:
        upload_failed(downstream_.broken_status());
        return false;
      case Downstream::Read::wait:
        return true;
    }
  }
  return true;
}

// The request turned out to be broken amid its body. What was begun at a server ends with the source.
void Exchange::upload_failed(int status) {
  upload_over_ = true;
  downstream_.close_after_answer();
  note_ = tunnel_ ? "client left" : "broken request body";
  if (head_sent_) {
    log();
    downstream_.cut();
    again(at_finish);
    return;
  }
  answer_error(status);
}

bool Exchange::fail_slow_request() {
  if (head_sent_) return false;
  upload_over_ = true;
  downstream_.close_after_answer();
  note_ = "slow request body";
  answer_error(408);
  return true;
}

void Exchange::client_left() {
  if (status_ == 0) status_ = 499;
  if (!*note_) note_ = "client left";
  log();
}

// ── finish: what the log and the metrics say of it ────────────────────────────────────────────────────────────────

Exchange::Next Exchange::finish() {
  if (head_ && !upload_over_ && !tunnel_ && !head_->expect_continue && bytes_in_ <= most_discarded) {
    if (!upload()) return Next::more;
    if (waits_for_client() && !upload_over_ && bytes_in_ <= most_discarded) return Next::wait;
  }
  log();
  return Next::done;
}

}  // namespace portolan::proxy
