#pragma once
// What a start or a reload makes of a file before anything changes: everything that takes time and touches nothing of
// the running process. Runs off the loops.
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "core/crypto/mac.hh"
#include "core/health/spec.hh"
#include "daemon/config.hh"
#include "daemon/gates.hh"
#include "daemon/purge_access.hh"
#include "daemon/tls_files.hh"
#include "geodns/cookies.hh"
#include "geodns/view.hh"
#include "proxy/snapshot.hh"

namespace portolan::daemon {

// The table of the databases and what they were when it was read: unchanged files are not read again.
struct GeoFiles {
  std::vector<geo::Database> databases;
  std::vector<struct stat> files;
  std::vector<int64_t> built_s;             // as their publisher says, seconds since 1970; 0: it doesn't
  int64_t read_ms = 0;                      // when, since 1970
  std::shared_ptr<const geo::Table> table;  // null: no databases
};

bool same_file(const struct stat& a, const struct stat& b);
// All zeroes for one that isn't there.
std::vector<struct stat> stat_files(const std::vector<geo::Database>& databases);
// Reads them if they are others than `before`. Takes a second for a worldwide one. What is wrong with each that can't be
// used is appended to `errors`, with its place; there is no table then.
GeoFiles read_geo(const std::vector<geo::Database>& databases, const GeoFiles& before,
                  std::vector<std::string>& errors);

struct Preparation {
  std::vector<std::string> errors;  // complete sentences; with one, only the configuration is there
  Config config;                    // but its routes, which the snapshot has
  GeoFiles geo;
  TlsFiles tls;
  GateParts gates;
  std::shared_ptr<const PurgeTokens> purge_tokens;  // null: nobody purges by token
  std::vector<std::string> kept;  // complete sentences: files that can't be used any more, so that what was read stays
  std::shared_ptr<geodns::View> view;                // without states
  std::shared_ptr<const geodns::CookieJar> cookies;  // null: DNS gives none
  std::shared_ptr<proxy::Snapshot> snapshot;         // without version and caches
  health::MonitorSpec monitor;
};

// `geo`, `tls`, `gates`: what was read last. `serial`: of zones that name none, seconds since 1970. `sticky_key`: of
// pools that name no file. `view`: the last one, whose plans may be kept.
Preparation prepare(LoadResult loaded, const GeoFiles& geo, const TlsFiles& tls, uint32_t serial,
                    const GateParts& gates = {}, const crypto::MacKey& sticky_key = {},
                    const geodns::View* view = nullptr);

// What a reload of `next` leaves as it is until the process is started anew: a sentence each, for people. `running`: what it
// was started with.
std::vector<std::string> waits_for_restart(const ProcessConfig& running, size_t workers, const ProcessConfig& next);

}  // namespace portolan::daemon
