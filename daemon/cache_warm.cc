#include "daemon/cache_warm.hh"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <istream>
#include <map>
#include <optional>
#include <ostream>

#include "core/client/client.hh"
#include "core/http/semantics.hh"

namespace portolan::daemon {
namespace {

constexpr size_t most_told = 20;  // failures
constexpr int64_t draw_every_ms = 100;
constexpr int bar_width = 30;

enum class Fate : uint8_t { stored, there, passed, failed };

// What our own Cache-Status says (RFC 9211); it stands last.
Fate became(int status, std::string_view cache_status) {
  if (status >= 400) return Fate::failed;
  http::ListCursor members(cache_status);
  std::string_view last;
  for (std::string_view m; members.next(m);) last = m;
  http::ListCursor parameters(last, ';');
  for (std::string_view p; parameters.next(p);) {
    if (p == "hit") return Fate::there;
    if (p == "stored" || p == "fwd-status=304") return Fate::stored;
  }
  return Fate::passed;
}

class Warming {
 public:
  Warming(const WarmOptions& options, const std::vector<WarmUrl>& urls, std::ostream& out, std::ostream& err)
      : options_(options),
        urls_(urls),
        out_(out),
        err_(err),
        worker_(0, "warm", clock_, 1, shard_),
        timer_(worker_, this, &loop::Calls<&Warming::draw>::call) {
    loop::TlsServerConfig tls;
    tls.verify = false;  // it is this node
    tls_ = std::make_shared<loop::TlsConnector>(
        std::make_shared<loop::TlsTrust>(loop::TlsTrust{tls, {}, nullptr, nullptr}));
  }

  int run() {
    began_ms_ = worker_.now_ms();
    slots_.resize(std::min<size_t>(options_.jobs, urls_.size()));
    for (Slot& slot : slots_) next(slot);
    if (running_ > 0 && options_.bar) draw();
    if (running_ > 0) worker_.run();
    if (options_.bar) err_ << "\r\033[K";
    return tell();
  }

 private:
  // One URL after the other, each with one encoding after the other: the first stores what the others are made of.
  struct Slot {
    std::unique_ptr<client::Call> call;
    const WarmUrl* url = nullptr;
    size_t stage = 0;  // 0: without Accept-Encoding
    Fate result = Fate::failed;
  };

  void next(Slot& slot) {
    slot.stage = slot.url && slot.stage < options_.encodings.size() ? slot.stage + 1 : 0;
    if (slot.stage == 0) slot.url = next_ < urls_.size() ? &urls_[next_++] : nullptr;
    if (!slot.url) return;
    ++running_;
    slot.result = Fate::failed;
    slot.call = client::stream(worker_, request(slot), callbacks(slot));
  }

  client::Request request(const Slot& slot) const {
    client::Request r;
    r.to = slot.url->to;
    r.host = slot.url->authority;
    r.target = slot.url->target;
    r.fields.emplace_back("User-Agent", "portolan-warm");
    if (slot.stage > 0) r.fields.emplace_back("Accept-Encoding", options_.encodings[slot.stage - 1]);
    r.timeout_ms = r.idle_timeout_ms = int64_t{options_.timeout_s} * 1000;
    if (slot.url->tls) {
      r.tls = tls_;
      r.tls_host = slot.url->host;
    }
    return r;
  }

  client::StreamCallbacks callbacks(Slot& slot) {
    client::StreamCallbacks c;
    c.on_head = [this, &slot](const http::ResponseHead& head) {
      std::string status = head.fields.joined(http::FieldId::cache_status).value_or("");
      slot.result = became(head.status, status);
      if (slot.result == Fate::failed) note(*slot.url, fmt::format("answered {}", head.status));
    };
    c.on_data = [this](std::string_view bytes) { bytes_ += bytes.size(); };
    c.on_end = [this, &slot](const Status& ended) {
      if (!ended) note(*slot.url, ended.error().text);
      ++counts_[static_cast<size_t>(ended ? slot.result : Fate::failed)];
      --running_;
      next(slot);
      if (running_ == 0) worker_.stop();
    };
    return c;
  }

  void note(const WarmUrl& url, const std::string& why) {
    if (failures_.size() < most_told) failures_.push_back(fmt::format("{}: {}", url.text, why));
  }

  uint64_t of(Fate r) const { return counts_[static_cast<size_t>(r)]; }
  uint64_t all() const { return urls_.size() * (1 + options_.encodings.size()); }
  uint64_t done() const { return counts_[0] + counts_[1] + counts_[2] + counts_[3]; }

  void draw() {
    int full = static_cast<int>(done() * bar_width / all());
    err_ << fmt::format("\r\033[K[{:=<{}}{: <{}}] {}/{}, {} failed", "", full, "", bar_width - full, done(), all(),
                        of(Fate::failed))
         << std::flush;
    timer_.set(draw_every_ms);
  }

  int tell() const {
    for (const std::string& failure : failures_) err_ << "portolan: " << failure << "\n";
    if (of(Fate::failed) > failures_.size())
      err_ << "portolan: and " << of(Fate::failed) - failures_.size() << " more\n";
    double seconds = static_cast<double>(std::max<int64_t>(1, worker_.now_ms() - began_ms_)) / 1000;
    out_ << fmt::format("{} requests in {:.1f} s, {:.1f} MiB: {} stored, {} there already, {} not stored, {} failed\n",
                        done(), seconds, static_cast<double>(bytes_) / (1 << 20), of(Fate::stored), of(Fate::there),
                        of(Fate::passed), of(Fate::failed));
    return of(Fate::failed) > 0 ? 1 : 0;
  }

  const WarmOptions& options_;
  const std::vector<WarmUrl>& urls_;
  std::ostream& out_;
  std::ostream& err_;
  SystemClock clock_;
  metrics::Shard shard_;
  loop::Worker worker_;
  loop::Timer timer_;
  std::shared_ptr<loop::TlsConnector> tls_;
  std::vector<Slot> slots_;
  size_t next_ = 0;
  size_t running_ = 0;
  uint64_t counts_[4] = {};
  uint64_t bytes_ = 0;
  int64_t began_ms_ = 0;
  std::vector<std::string> failures_;
};

std::string_view trimmed(std::string_view line) {
  size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

Result<WarmUrl> parse_warm_url(std::string_view text) {
  WarmUrl url;
  url.text = text;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
  } else if (!rest.starts_with("http://")) {
    return Error{"is no URL; it begins with http:// or https://"};
  }
  rest.remove_prefix(url.tls ? 8 : 7);
  for (char c : rest)
    if (c <= ' ' || c == 0x7f) return Error{"has a space or control character"};
  rest = rest.substr(0, rest.find('#'));
  size_t end = std::min(rest.find_first_of("/?"), rest.size());
  url.authority = rest.substr(0, end);
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target = "/" + url.target;
  if (url.authority.find('@') != std::string::npos) return Error{"has a user; leave it out"};
  url.host = url.authority;
  url.port = url.tls ? 443 : 80;
  size_t colon = url.authority.rfind(':');
  if (colon != std::string::npos && url.authority.find(']', colon) == std::string::npos) {
    const char* last = url.authority.data() + url.authority.size();
    auto [at, wrong] = std::from_chars(url.authority.data() + colon + 1, last, url.port);
    if (wrong != std::errc{} || at != last || url.port == 0) return Error{"has no port behind the \":\""};
    url.host.resize(colon);
  }
  if (url.host.size() > 2 && url.host.front() == '[') url.host = url.host.substr(1, url.host.size() - 2);
  if (url.host.empty()) return Error{"has no host"};
  return url;
}

Status find_listener(const std::vector<StatusReport::Listener>& listeners, WarmUrl& url) {
  std::optional<SocketAddress> to;
  for (const StatusReport::Listener& listener : listeners) {
    auto address = SocketAddress::parse(listener.address);
    if (listener.tls != url.tls || listener.proxy_protocol || !address || address->is_unix()) continue;
    if (to && (to->port == url.port || address->port != url.port)) continue;
    to = *address;
    url.listener = listener.name;
  }
  if (!to) return Error{url.tls ? "no listener speaks TLS" : "no listener speaks plain HTTP"};
  // "Any address" is none to go to.
  if (to->ip == *IpAddress::parse("0.0.0.0")) to->ip = *IpAddress::parse("127.0.0.1");
  if (to->ip == *IpAddress::parse("::")) to->ip = *IpAddress::parse("::1");
  url.to = *to;
  return {};
}

Status check_encoding(std::string_view value) {
  http::ListCursor members(value);
  for (std::string_view m; members.next(m);) {
    const std::string coding(trimmed(m.substr(0, m.find(';'))));
    if (coding != "br" && coding != "gzip" && coding != "zstd" && coding != "identity")
      return Error{"a cache knows no encoding " + coding + "; there are br, gzip, zstd and identity"};
  }
  return {};
}

namespace {

// In pieces that a request to the daemon may have.
Status sign_all(std::vector<WarmUrl>& urls, const SignUrls& sign) {
  std::map<std::string, std::vector<WarmUrl*>> by_listener;
  for (WarmUrl& url : urls) by_listener[url.listener].push_back(&url);
  for (auto& [listener, all] : by_listener)
    for (size_t next = 0; next < all.size();) {
      SignOrder order{{}, listener};
      const size_t first = next;
      for (size_t bytes = 0; next < all.size() && (next == first || bytes < SignOrder::most_bytes); ++next) {
        order.urls.push_back(all[next]->text);
        bytes += all[next]->text.size() + 8;
      }
      auto made = sign(order);
      if (!made) return made.error();
      for (size_t i = first; i < next; ++i) {
        const std::string& url = (*made)[i - first];
        if (url == all[i]->text) continue;
        auto parsed = parse_warm_url(url);
        if (!parsed) return parsed.error();
        all[i]->target = parsed->target;
      }
    }
  return {};
}

}  // namespace

int warm_cache(const std::vector<StatusReport::Listener>& listeners, const WarmOptions& options, const SignUrls& sign,
               std::istream& list, std::ostream& out, std::ostream& err) {
  std::vector<WarmUrl> urls;
  size_t number = 0;
  bool good = true;
  for (std::string line; std::getline(list, line);) {
    ++number;
    std::string_view text = trimmed(line);
    if (text.empty() || text[0] == '#') continue;
    auto url = parse_warm_url(text);
    if (url) {
      Status found = find_listener(listeners, *url);
      if (found) {
        urls.push_back(std::move(*url));
        continue;
      }
      err << options.file << ":" << number << ": " << text << ": " << found.error().text << "\n";
    } else {
      err << options.file << ":" << number << ": " << text << " " << url.error().text << "\n";
    }
    good = false;
  }
  if (!good) return 2;
  if (Status done = sign_all(urls, sign); !done) {
    if (!done.error().text.empty()) err << "portolan: " << done.error().text << "\n";
    return 1;
  }
  return Warming(options, urls, out, err).run();
}

}  // namespace portolan::daemon
