#include "daemon/ocsp_keeper.hh"

#include <algorithm>
#include <unordered_set>

#include "core/base/log.hh"
#include "core/client/url.hh"

namespace portolan::daemon {
namespace {

constexpr int64_t look_every_ms = 100;
constexpr int asked_at_once = 4;
constexpr int read_at_once = 20;  // certificates looked into, a turn: each costs tens of microseconds
constexpr int64_t timeout_ms = 10'000;
constexpr int64_t first_retry_s = 60, longest_retry_s = 3600;
constexpr int64_t longest_refresh_s = 12 * 3600, shortest_refresh_s = 60;
constexpr size_t largest_answer = 64 * 1024;

}  // namespace

struct OcspKeeper::Watched {
  crypto::CertificateRef certificate;
  std::optional<crypto::OcspQuestion> question;
  bool looked_into = false;
  int64_t due_s = 0;
  int failures = 0;
  std::optional<crypto::Staple> staple;
  std::unique_ptr<loop::Resolver::Ticket> name;
  std::unique_ptr<client::Call> call;
  bool busy() const { return name || call; }
};

OcspKeeper::OcspKeeper(loop::Worker& control, loop::Resolver& resolver, Publish publish)
    : control_(control),
      resolver_(resolver),
      publish_(std::move(publish)),
      timer_(control, this, &loop::Calls<&OcspKeeper::look>::call) {}

OcspKeeper::~OcspKeeper() = default;

void OcspKeeper::watch(const TlsFiles& files) {
  std::unordered_set<crypto::CertificateRef> wanted;
  for (const auto& [name, identity] : files.listeners) {
    if (!identity->config.ocsp) continue;
    for (const crypto::CertificateRef& c : identity->certificates->all()) wanted.insert(c);
  }
  size_t before = watched_.size();
  std::erase_if(watched_, [&](const auto& w) { return wanted.erase(w->certificate) == 0; });
  changed_ = changed_ || watched_.size() != before;
  for (const crypto::CertificateRef& c : wanted) {
    watched_.push_back(std::make_unique<Watched>());
    watched_.back()->certificate = c;
  }
  if (!watched_.empty() || changed_) look();
}

void OcspKeeper::look() {
  int64_t now_s = control_.wall_ms() / 1000, next_s = INT64_MAX;
  int reading = read_at_once;
  auto busy = std::count_if(watched_.begin(), watched_.end(), [](const auto& w) { return w->busy(); });
  for (auto& w : watched_) {
    if (!w->looked_into && reading-- > 0) {
      w->looked_into = true;
      w->question = crypto::ocsp_question(*w->certificate);
    }
    if (!w->looked_into || (w->question && w->due_s <= now_s && !w->busy() && busy >= asked_at_once)) next_s = now_s;
    if (w->staple && w->staple->until_s <= now_s) {
      w->staple.reset();
      changed_ = true;
    }
    if (w->staple) next_s = std::min(next_s, w->staple->until_s);
    if (!w->question || w->busy()) continue;
    if (w->due_s <= now_s && busy < asked_at_once) {
      ++busy;
      ask(*w);
    }
    next_s = std::min(next_s, w->due_s);
  }
  if (std::exchange(changed_, false)) publish();
  if (next_s != INT64_MAX) timer_.set(std::clamp((next_s - now_s) * 1000, look_every_ms, int64_t{60'000}));
}

void OcspKeeper::ask(Watched& w) {
  auto url = client::parse_url(w.question->url);
  if (!url) return take(w, url.error());
  if (auto ip = IpAddress::parse(url->endpoint.host)) return send(w, {*ip, url->endpoint.port, {}});
  w.name = resolver_.resolve(url->endpoint.host, [this, &w, port = url->endpoint.port](Result<loop::Resolution> found) {
    auto ticket = std::move(w.name);
    if (!found) return take(w, found.error());
    send(w, {found->addresses.front(), port, {}});
  });
}

void OcspKeeper::send(Watched& w, const SocketAddress& to) {
  auto url = client::parse_url(w.question->url);
  client::Request request;
  request.to = to;
  request.method = "POST";
  request.host = url->authority;
  request.target = url->target;
  request.fields = {{"Content-Type", "application/ocsp-request"}, {"Accept", "application/ocsp-response"}};
  request.body = w.question->request;
  request.timeout_ms = timeout_ms;
  request.max_body_bytes = largest_answer;
  w.call = client::send(control_, std::move(request), [this, &w](Result<client::Response> answer) {
    auto call = std::move(w.call);
    if (!answer) return take(w, answer.error());
    if (answer->status != 200) return take(w, Error{"HTTP " + std::to_string(answer->status)});
    take(w, crypto::read_ocsp_answer(w.certificate, answer->body, control_.wall_ms() / 1000));
  });
}

void OcspKeeper::take(Watched& w, const Result<crypto::Staple>& staple) {
  int64_t now_s = control_.wall_ms() / 1000;
  if (staple) {
    w.failures = 0;
    w.staple = *staple;
    // Half of what it holds leaves as long again for a responder that is away.
    w.due_s = now_s + std::clamp((staple->until_s - now_s) / 2, shortest_refresh_s, longest_refresh_s);
    changed_ = true;
  } else {
    w.due_s = now_s + std::min(longest_retry_s, first_retry_s << std::min(w.failures, 6));
    if (++w.failures == 1)
      log::warning(
          "no OCSP answer to staple",
          {{"certificate", w.certificate->file}, {"responder", w.question->url}, {"reason", staple.error().text}});
  }
  timer_.set(look_every_ms);
}

void OcspKeeper::publish() {
  auto staples = std::make_shared<crypto::Staples>();
  for (const auto& w : watched_)
    if (w->staple) staples->emplace(w->certificate.get(), *w->staple);
  publish_(std::move(staples));
}

}  // namespace portolan::daemon
