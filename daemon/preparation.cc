#include "daemon/preparation.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/base/clock.hh"
#include "daemon/assembly.hh"
#include "daemon/config_check.hh"
#include "daemon/cores.hh"
#include "daemon/error_pages.hh"
#include "daemon/sticky_keys.hh"

namespace portolan::daemon {

constexpr size_t largest_secrets_file = 64 << 10;

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

std::vector<struct stat> stat_files(const std::vector<geo::Database>& databases) {
  std::vector<struct stat> list;
  for (const geo::Database& database : databases) {
    struct stat& file = list.emplace_back();
    if (::stat(database.path.c_str(), &file) != 0) file = {};
  }
  return list;
}

GeoFiles read_geo(const std::vector<geo::Database>& databases, const GeoFiles& before,
                  std::vector<std::string>& errors) {
  GeoFiles now;
  now.databases = databases;
  if (databases.empty()) return now;
  // Looked at before they are read: what changes meanwhile is read again next time.
  now.files = stat_files(databases);
  const bool same = before.table && before.databases == databases &&
                    std::equal(now.files.begin(), now.files.end(), before.files.begin(), before.files.end(),
                               [](const auto& a, const auto& b) { return a.st_ino != 0 && same_file(a, b); });
  if (same) {
    now.table = before.table;
    now.built_s = before.built_s;
    now.read_ms = before.read_ms;
    return now;
  }
  std::vector<geo::Flaw> flaws;
  geo::Loaded loaded = geo::load(databases, flaws);
  now.table = std::move(loaded.table);
  now.built_s = std::move(loaded.built_s);
  now.read_ms = SystemClock().wall_ms();
  for (const geo::Flaw& flaw : flaws)
    errors.push_back(fmt::format("{}: databases in [geo]: {}", databases[flaw.database].where, flaw.error.text));
  return now;
}

namespace {

Result<std::shared_ptr<const geodns::CookieJar>> read_cookies(const geodns::GeodnsConfig& config,
                                                              const crypto::MacKey& node_key) {
  std::shared_ptr<const geodns::CookieJar> jar;
  if (!config.cookies) return jar;
  std::vector<crypto::HashKey> secrets(1);
  if (config.cookie_secrets.empty()) {
    const crypto::Mac derived = crypto::mac(node_key, "dns cookies");
    std::memcpy(&secrets[0], derived.data(), sizeof secrets[0]);
  } else {
    auto text = read_file(config.cookie_secrets, largest_secrets_file);
    if (!text) return text.error();
    auto read = geodns::CookieJar::read_secrets(*text);
    if (!read) return Error{config.cookie_secrets + ": " + read.error().text};
    secrets = std::move(*read);
  }
  jar = std::make_shared<geodns::CookieJar>(std::move(secrets));
  return jar;
}

}  // namespace

Preparation prepare(LoadResult loaded, const GeoFiles& before, const TlsFiles& tls, uint32_t serial,
                    const GateParts& gates, const crypto::MacKey& sticky_key, const geodns::View* view) {
  Preparation p;
  p.errors = std::move(loaded.errors);
  p.config = std::move(loaded.config);
  if (!p.errors.empty()) return p;
  const auto add = [&p](std::vector<std::string> more) {
    std::move(more.begin(), more.end(), back_inserter(p.errors));
  };
  p.geo = read_geo(p.config.geo_databases, before, p.errors);
  TlsReading reading = read_tls(p.config, tls);
  add(std::move(reading.errors));
  GateReading gate = read_gates(p.config, gates);
  add(std::move(gate.errors));
  p.purge_tokens = read_purge_tokens(p.config.server.purge, p.errors);
  add(read_error_pages(p.config));
  p.view = loaded.serial == serial ? std::move(loaded.view) : nullptr;
  if (!p.view) p.view = check_zones(p.config, serial, p.errors);
  auto cookies = read_cookies(p.config.geodns, sticky_key);
  if (!cookies) p.errors.push_back(p.config.geodns.where + ": cookie_secrets: " + cookies.error().text);
  add(give_sticky_keys(p.config, sticky_key));
  if (!p.errors.empty()) {
    Preparation refused;
    refused.errors = std::move(p.errors);
    refused.config = std::move(p.config);
    return refused;
  }
  p.tls = std::move(reading.files);
  p.kept = std::move(reading.kept);
  p.gates = std::move(gate.parts);
  p.cookies = std::move(*cookies);
  geodns::give_places(*p.view, p.geo.table, view);
  p.monitor = assemble_monitor(p.config);
  p.snapshot = assemble_snapshot(p.config);
  p.snapshot->geo = p.geo.table;
  p.snapshot->listener_tls = p.tls.listeners;
  p.snapshot->pool_tls = p.tls.pools;
  p.snapshot->route_gates = std::move(gate.routes);
  p.snapshot->listener_gates = std::move(gate.listeners);
  return p;
}

std::vector<std::string> waits_for_restart(const ProcessConfig& running, size_t workers, const ProcessConfig& next) {
  std::vector<std::string> notes;
  auto note = [&notes](std::string_view key, const std::string& now, const std::string& then) {
    if (now == then) return;
    notes.push_back(fmt::format("server.{} takes effect at the next start: {} until then, {} in the file", key,
                                now.empty() ? "none" : now, then.empty() ? "none" : then));
  };
  size_t next_workers = next.workers > 0 ? static_cast<size_t>(next.workers) : usable_cores();
  note("workers", std::to_string(workers), std::to_string(next_workers));
  note("user", running.user, next.user);
  note("state", running.state, next.state);
  return notes;
}

}  // namespace portolan::daemon
