#pragma once
// What one key alone can't say. Each appends "file:line:col: what; remedy" to `errors`.
#include <string>
#include <vector>

#include "core/conf/field.hh"
#include "daemon/config.hh"

namespace portolan::daemon {

using Errors = std::vector<std::string>;

// Names of pools, caches, listeners, services and datacentres that don't exist.
void check_references(const conf::Value& root, const std::vector<conf::Binder::Reference>& references, Errors& errors);
// One address for two listeners, or for one of them and metrics, peers or DNS.
void check_addresses(const conf::Value& root, const Config& config, Errors& errors);
// Routes for clients with a certificate, where nobody is asked for one: no request could ever take them.
void check_client_certificates(const conf::Value& root, const Config& config, Errors& errors);
// Pools whose clients would lose the one's cookie to the other's.
void check_sticky_cookies(const Config& config, Errors& errors);
// Directories and files that are not there.
void check_files(const conf::Value& root, const Config& config, Errors& errors);
// Two caches with one directory.
void check_disks(const conf::Value& root, const Config& config, Errors& errors);
// Countries that no database is there for.
void check_countries(const conf::Value& root, const Config& config, Errors& errors);
// Names routes that have none, and finds names used twice.
void name_routes(std::vector<proxy::RouteConfig>& routes, Errors& errors);
// Two routes that match the same request with equal rank.
void check_ties(const std::vector<proxy::RouteConfig>& routes, Errors& errors);
// What the machine lacks for a start: the user, the directories of the logs. Another machine may have them, so that
// loading a file doesn't ask; looks, and touches nothing.
void check_machine(const Config& config, Errors& errors);
// Mistakes in zones and services, as the DNS server finds them; what it builds where there are none.
std::shared_ptr<geodns::View> check_zones(const Config& config, uint32_t serial, Errors& errors);

}  // namespace portolan::daemon
