#include "daemon/gates.hh"

#include <fmt/format.h>

namespace portolan::daemon {
namespace {

using proxy::Gate;

constexpr size_t largest_users_file = 16 << 20;
constexpr size_t largest_keys_file = 1 << 20;
constexpr size_t largest_page = 1 << 20;
constexpr const char* plain_page = "503 Service Unavailable: down for maintenance\n";

class Builder {
 public:
  Builder(const Config& config, const GateParts& before) : config_(config), before_(before) {}

  GateReading build() {
    for (const proxy::LimitConfig& limit : config_.limits) limiter(fmt::format("limit {}", limit.name), limit);
    out_.routes.resize(config_.routes.size());
    bool any = false;
    for (size_t i = 0; i < config_.routes.size(); ++i) {
      const proxy::RouteConfig& route = config_.routes[i];
      if (route.admit.empty()) continue;
      any = true;
      out_.routes[i] = gate(fmt::format("route {}", route.name), route.name, route.admit);
    }
    if (!any) out_.routes.clear();
    for (const proxy::ListenerConfig& listener : config_.listeners)
      if (!listener.admit.empty())
        out_.listeners[listener.name] = gate(fmt::format("listener {}", listener.name), "", listener.admit);
    return std::move(out_);
  }

 private:
  std::shared_ptr<const Gate> gate(const std::string& owner, const std::string& route,
                                   const proxy::AdmitConfig& config) {
    auto g = std::make_shared<Gate>();
    g->access = {proxy::AccessList(config.allow), proxy::AccessList(config.deny)};
    for (size_t i = 0; i < config.limits.size(); ++i) {
      const proxy::LimitConfig& limit = config.limits[i];
      if (limit.shared.empty()) {
        g->limits.push_back(limiter(fmt::format("{} {}", owner, i), limit));
      } else {
        g->limits.push_back(out_.parts.limiters.at(fmt::format("limit {}", limit.shared)));
      }
    }
    if (config.maintenance) g->maintenance = maintenance(route, *config.maintenance);
    if (config.signed_urls) g->url_keys = url_keys(*config.signed_urls);
    if (config.basic_auth) g->basic_auth = basic_auth(*config.basic_auth);
    return g;
  }

  std::shared_ptr<proxy::Limiter> limiter(const std::string& owner, const proxy::LimitConfig& config) {
    auto& made = out_.parts.limiters[owner];
    auto old = before_.limiters.find(owner);
    if (old != before_.limiters.end() && old->second->config().same_counts(config)) {
      made = old->second;
    } else {
      made = std::make_shared<proxy::Limiter>(config);
    }
    return made;
  }

  Gate::Maintenance maintenance(const std::string& route, const proxy::MaintenanceConfig& config) {
    auto& operator_says = out_.parts.switches[route];
    auto old = before_.switches.find(route);
    operator_says = old != before_.switches.end() ? old->second : std::make_shared<proxy::MaintenanceSwitch>();
    Gate::Maintenance m;
    m.enabled = config.enabled;
    m.operator_says = operator_says;
    m.body = config.body;
    m.content_type = config.content_type;
    m.retry_after = std::to_string(config.retry_after_s);
    m.allow = proxy::AccessList(config.allow);
    if (!config.body_file.empty()) {
      auto page = read_file(config.body_file, largest_page);
      if (page) m.body = std::move(*page);
      if (!page) out_.errors.push_back(config.where + ": " + page.error().text);
    }
    if (!m.body.empty()) return m;
    m.body = plain_page;
    m.content_type = "text/plain; charset=utf-8";
    return m;
  }

  Gate::BasicAuth basic_auth(const proxy::BasicAuthConfig& config) {
    Gate::BasicAuth auth;
    auth.users = users(config.users_file, config.where);
    // RFC 7617 §2.1: names and passwords are UTF-8.
    auth.challenge = fmt::format("Basic realm=\"{}\", charset=\"UTF-8\"", config.realm);
    auth.user_header = config.user_header;
    auth.pass_authorization = config.pass_authorization;
    return auth;
  }

  std::shared_ptr<const proxy::Users> users(const std::string& path, const std::string& where) {
    if (auto read = out_.parts.users.find(path); read != out_.parts.users.end()) return read->second.users;
    GateParts::UsersFile& file = out_.parts.users[path];
    // Looked at before it is read: what changes meanwhile is read again next time.
    file.stamp = FileStamp::of(path);
    if (auto old = before_.users.find(path); old != before_.users.end() && old->second.stamp == file.stamp) {
      file.users = old->second.users;
      return file.users;
    }
    auto text = read_file(path, largest_users_file);
    if (!text) {
      out_.errors.push_back(where + ": " + text.error().text);
      return nullptr;
    }
    return file.users = proxy::Users::parse(*text, path, out_.errors);
  }

  std::shared_ptr<const proxy::UrlKeys> url_keys(const proxy::SignedUrlsConfig& config) {
    auto [at, fresh] = out_.parts.url_keys.emplace(config.keys_file, nullptr);
    if (!fresh) return at->second;
    auto text = read_file(config.keys_file, largest_keys_file);
    if (text)
      at->second = proxy::UrlKeys::parse(*text, config.keys_file, out_.errors);
    else
      out_.errors.push_back(config.where + ": " + text.error().text);
    return at->second;
  }

  const Config& config_;
  const GateParts& before_;
  GateReading out_;
};

}  // namespace

GateReading read_gates(const Config& config, const GateParts& before) {
  return Builder(config, before).build();
}

std::vector<std::string> gate_files_of(const Config& config) {
  std::vector<std::string> files;
  for (const proxy::RouteConfig& route : config.routes) {
    if (route.admit.basic_auth) files.push_back(route.admit.basic_auth->users_file);
    if (route.admit.signed_urls) files.push_back(route.admit.signed_urls->keys_file);
    if (route.admit.maintenance && !route.admit.maintenance->body_file.empty())
      files.push_back(route.admit.maintenance->body_file);
  }
  return files;
}

}  // namespace portolan::daemon
