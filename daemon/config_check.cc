#include "daemon/config_check.hh"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "core/conf/words.hh"

namespace portolan::daemon {
namespace {

using conf::Member;
using conf::Value;

// The value under a path of keys, or null.
const Value* at(const Value& root, std::initializer_list<std::string_view> keys) {
  const Value* value = &root;
  for (std::string_view key : keys) {
    const Member* member = value->find(key);
    if (!member) return nullptr;
    value = &member->value;
  }
  return value;
}

void fail(Errors& errors, const Value* where, const std::string& what) {
  errors.push_back((where ? where->where.text() : "?:1:1") + ": " + what);
}

class Addresses {
 public:
  explicit Addresses(Errors& errors) : errors_(errors) {}

  // `listen` is one address or a list of them.
  void add(const std::vector<SocketAddress>& addresses, const Value* listen, const std::string& who) {
    for (size_t i = 0; i < addresses.size(); ++i) {
      if (addresses[i] == SocketAddress{}) continue;  // told already
      const Value* place = listen && i < listen->items.size() ? &listen->items[i] : listen;
      auto [it, fresh] = taken_.emplace(addresses[i], std::pair(who, place));
      if (fresh) continue;
      fail(errors_, place,
           fmt::format("{} of {} is taken by {} at {}", addresses[i].to_string(), who, it->second.first,
                       it->second.second ? it->second.second->where.text() : "?"));
    }
  }

 private:
  Errors& errors_;
  std::map<SocketAddress, std::pair<std::string, const Value*>> taken_;
};

std::string plural(const std::string& kind) {
  return kind == "cache" ? "caches" : kind + "s";
}

}  // namespace

void check_references(const Value& root, const std::vector<conf::Binder::Reference>& references, Errors& errors) {
  std::map<std::string, std::set<std::string>> known;  // kind → names
  for (const Member& table : root.members)
    for (const Member& member : table.value.members) known[table.key].insert(member.key);
  for (const conf::Binder::Reference& r : references) {
    // A node may say where it stands without knowing the others.
    if (!known.contains(r.kind) && r.kind == "datacenter" && r.context == "[server]") continue;
    if (known[r.kind].contains(r.name)) continue;
    std::vector<std::string> names;  // in the file's order
    if (const Value* table = at(root, {r.kind}))
      for (const Member& member : table->members) names.push_back(member.key);
    std::string remedy = names.empty() ? fmt::format("; there is no [{}.{}]", r.kind, conf::key_text(r.name))
                                       : conf::remedy(r.name, names, plural(r.kind));
    errors.push_back(fmt::format("{}: {} in {} is not the name of a {}{}", r.where.text(), conf::quoted(r.name),
                                 r.context, r.kind, remedy));
  }
}

void check_addresses(const Value& root, const Config& config, Errors& errors) {
  Addresses tcp(errors);
  for (const proxy::ListenerConfig& listener : config.listeners)
    tcp.add(listener.listen, at(root, {"listener", listener.name, "listen"}),
            "[listener." + conf::key_text(listener.name) + "]");
  if (auto metrics = SocketAddress::parse(config.server.metrics))
    tcp.add({*metrics}, at(root, {"server", "metrics"}), "metrics in [server]");
  tcp.add(config.server.peers.listen, at(root, {"server", "peers", "listen"}), "peers in [server]");
  tcp.add(config.geodns.listen, at(root, {"geodns", "listen"}), "[geodns]");
  tcp.add(config.geodns.tls_listen, at(root, {"geodns", "tls_listen"}), "tls_listen in [geodns]");
  if (config.geodns.tls_listen.empty() != !config.geodns.tls)
    errors.push_back(
        fmt::format("{}: [geodns] has {}", config.geodns.where,
                    config.geodns.tls ? "tls and no tls_listen" : "tls_listen and no tls: its certificates"));
}

void check_client_certificates(const Value& root, const Config& config, Errors& errors) {
  const Value* routes = at(root, {"route"});
  for (size_t i = 0; i < config.routes.size(); ++i) {
    const proxy::RouteConfig& route = config.routes[i];
    if (!route.client_certificate) continue;
    bool asked = false;
    for (const proxy::ListenerConfig& listener : config.listeners)
      if (route.listener.empty() || route.listener == listener.name)
        asked = asked || (listener.tls && listener.tls->client_certificates != "off");
    if (asked) continue;
    const Value* place = routes && i < routes->items.size() ? at(routes->items[i], {"client_certificate"}) : nullptr;
    std::string who = route.listener.empty() ? "no listener" : "not [listener." + conf::key_text(route.listener) + "]";
    fail(errors, place,
         "client_certificate in [[route]]: " + who +
             " asks for certificates; set client_certificates = \"optional\" and client_ca in its tls");
  }
}

void check_sticky_cookies(const Config& config, Errors& errors) {
  std::map<std::pair<std::string, std::string>, const proxy::PoolConfig*> taken;
  for (const proxy::PoolConfig& pool : config.pools) {
    if (!pool.sticky) continue;
    auto [it, fresh] = taken.emplace(std::pair(pool.sticky->cookie, pool.sticky->path), &pool);
    if (fresh) continue;
    errors.push_back(fmt::format(
        "{}: the sticky cookie {} of [pool.{}] is that of [pool.{}] as well, and each would "
        "take the other's place; set sticky.cookie or sticky.path",
        pool.where, conf::quoted(pool.sticky->cookie), conf::key_text(pool.name), conf::key_text(it->second->name)));
  }
}

void check_files(const Value& root, const Config& config, Errors& errors) {
  const Value* routes = at(root, {"route"});
  for (size_t i = 0; i < config.routes.size(); ++i) {
    const auto& files = config.routes[i].files;
    if (!files || files->root.empty()) continue;
    struct stat status {};
    std::string what;
    if (::stat(files->root.c_str(), &status) != 0) {
      if (errno != ENOENT && errno != ENOTDIR) continue;
      what = "does not exist";
    } else if (!S_ISDIR(status.st_mode)) {
      what = "is not a directory";
    }
    const Value* place = routes && i < routes->items.size() ? at(routes->items[i], {"files", "root"}) : nullptr;
    if (!what.empty())
      fail(errors, place, fmt::format("root in [[route]].files: {} {}", conf::quoted(files->root), what));
  }
  const Value* databases = at(root, {"geo", "databases"});
  for (size_t i = 0; i < config.geo_databases.size(); ++i) {
    const std::string& path = config.geo_databases[i].path;
    struct stat status {};
    if (path.empty() || ::stat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR)) continue;
    const Value* place = databases && i < databases->items.size() ? &databases->items[i] : databases;
    fail(errors, place, fmt::format("databases in [geo]: {} does not exist", conf::quoted(path)));
  }
}

// Each would find the other's files in use.
void check_disks(const Value& root, const Config& config, Errors& errors) {
  std::map<std::string, std::string> caches;
  for (const edge::CacheConfig& c : config.caches) {
    if (!c.disk) continue;
    std::string path = std::filesystem::path(c.disk->path).lexically_normal().string();
    if (path.size() > 1 && path.ends_with('/')) path.pop_back();
    auto [other, fresh] = caches.emplace(std::move(path), c.name);
    if (!fresh)
      fail(errors, at(root, {"cache", c.name, "disk", "path"}),
           fmt::format("path: [cache.{}] has its disk there, too; each needs a directory of its own",
                       conf::key_text(other->second)));
  }
}

void check_countries(const Value& root, const Config& config, Errors& errors) {
  if (!config.geo_databases.empty() || at(root, {"geo", "databases"})) return;
  if (const Value* routes = at(root, {"route"}))
    for (const Value& route : routes->items)
      if (const Value* country = at(route, {"country"}))
        fail(errors, country, "country in [[route]] needs a database of places; set databases in [geo]");
  for (const edge::CacheConfig& c : config.caches)
    if (c.key_country)
      fail(errors, at(root, {"cache", c.name, "key", "country"}),
           fmt::format("country in [cache.{}].key needs a database of places; set databases in [geo]",
                       conf::key_text(c.name)));
  auto look = [&errors](const std::vector<proxy::AccessEntry>& entries, const std::string& where, const char* key) {
    for (const proxy::AccessEntry& e : entries)
      if (!e.country.empty()) {
        errors.push_back(fmt::format("{}: {} names country:{}, and there are no databases in [geo] to find it in",
                                     where, key, e.country));
        return;
      }
  };
  for (const proxy::RouteConfig& r : config.routes) {
    look(r.admit.allow, r.where, "allow in [[route]]");
    look(r.admit.deny, r.where, "deny in [[route]]");
    if (r.admit.maintenance)
      look(r.admit.maintenance->allow, r.admit.maintenance->where, "allow in [[route]].maintenance");
  }
  for (const proxy::ListenerConfig& l : config.listeners) {
    std::string context = "[listener." + conf::key_text(l.name) + "]";
    look(l.admit.allow, l.where, ("allow in " + context).c_str());
    look(l.admit.deny, l.where, ("deny in " + context).c_str());
  }
}

}  // namespace portolan::daemon
