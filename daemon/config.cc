#include "daemon/config.hh"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "core/conf/load.hh"
#include "core/conf/reference.hh"
#include "core/conf/types.hh"
#include "daemon/config_check.hh"
#include "daemon/config_fields.hh"
#include "proxy/route_mark.hh"

namespace portolan::daemon {
namespace {

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || !name[0]) return "portolan";
  return name;
}

// systemd's StateDirectory=, the first of them.
std::string state_directory() {
  const char* named = std::getenv("STATE_DIRECTORY");
  std::string all = named ? named : "";
  return all.substr(0, all.find(':'));
}

bool any_about(const Errors& errors, std::initializer_list<std::string_view> parts) {
  for (const std::string& error : errors)
    for (std::string_view part : parts)
      if (error.find(part) != std::string::npos) return true;
  return false;
}

// What stands on half-read parts waits until those are mended, so that one mistake is not told
// twice.
void check(const conf::Tree& tree, const conf::Binder& binder, LoadResult& result) {
  Config& config = result.config;
  Errors& errors = result.errors;
  check_references(tree.root, binder.references, errors);
  check_addresses(tree.root, config, errors);
  check_files(tree.root, config, errors);
  check_sticky_cookies(config, errors);
  if (!any_about(errors, {"[listener.", "client_certificate"})) check_client_certificates(tree.root, config, errors);
  check_disks(tree.root, config, errors);
  check_countries(tree.root, config, errors);
  if (!any_about(binder.errors, {"[[route]]"})) check_ties(config.routes, errors);
  name_routes(config.routes, errors);
  for (proxy::RouteConfig& r : config.routes) r.mark = proxy::route_mark(r);
  if (!any_about(errors, {"[zone.", "[service.", "[datacenter."}))
    result.view = check_zones(config, result.serial, errors);
  if (errors.empty() && config.listeners.empty() && config.geodns.listen.empty() && config.server.peers.listen.empty())
    errors.push_back(tree.root.where.text() + ": nothing listens; add a [listener.NAME] or [geodns]");
}

const conf::Value* admin_in(const conf::Value& root) {
  const conf::Member* server = root.find("server");
  const conf::Member* admin = server ? server->value.find("admin") : nullptr;
  return admin && admin->value.kind == conf::Value::Kind::string ? &admin->value : nullptr;
}

std::string place_of(const conf::Value& root, std::initializer_list<std::string_view> keys) {
  const conf::Value* value = &root;
  for (std::string_view key : keys) {
    const conf::Member* member = value->find(key);
    if (!member) return {};
    value = &member->value;
  }
  return value->where.text();
}

// What stands before the line of a mistake of syntax, "file:line:col: …".
std::string sound_lines(const std::string& path, const std::string& mistake) {
  if (!mistake.starts_with(path + ":")) return {};
  const auto line = std::strtoul(mistake.c_str() + path.size() + 1, nullptr, 10);
  std::ifstream file(path);
  std::string text, next;
  for (unsigned long n = 1; n < line && std::getline(file, next); ++n) text += next + "\n";
  return text;
}

}  // namespace

int64_t PurgeConfig::depth() const {
  return burst.value_or(std::max<int64_t>(1, rate.requests * 1'000'000 / rate.period_us));
}

Result<std::string> admin_socket(const std::string& path) {
  conf::Tree tree = conf::read(path);
  if (const conf::Value* admin = admin_in(tree.root)) return admin->string;
  if (tree.errors.empty()) return ProcessConfig().admin;
  if (auto begin = conf::parse(sound_lines(path, tree.errors.front()), path))
    if (const conf::Value* admin = admin_in(*begin)) return admin->string;
  return Error{tree.errors.front() + "\nportolan: so the admin socket isn't known; `--admin unix:/path` names it"};
}

LoadResult load(const std::string& path, uint32_t serial) {
  LoadResult result;
  result.serial = serial;
  conf::Tree tree = conf::read(path);
  conf::Binder binder;
  config_fields().read(binder, tree.root, result.config);
  if (result.config.server.name.empty()) result.config.server.name = host_name();
  if (result.config.server.state.empty()) result.config.server.state = state_directory();
  result.config.places = {place_of(tree.root, {"server", "user"}), place_of(tree.root, {"log", "access", "path"}),
                          place_of(tree.root, {"log", "queries", "path"})};
  result.errors = std::move(tree.errors);
  const bool whole = result.errors.empty();  // else names may be in what could not be read
  result.errors.insert(result.errors.end(), binder.errors.begin(), binder.errors.end());
  if (whole) check(tree, binder, result);
  conf::sort_errors(result.errors, tree.files);
  return result;
}

std::string reference() {
  conf::Described include;
  include.key = "include";
  include.type = "list, each a file name or pattern";
  include.example = "[\"conf.d/*.toml\"]";
  include.help =
      "More files, relative to this one, joined in name order; a key set twice is an error that "
      "names both places.";
  std::vector<conf::Described> rows = config_fields().describe();
  rows.insert(rows.begin(), include);
  return "# Portolan's reference: every key with its help, type, bounds and default, as `portolan "
         "reference` prints it.\n"
         "# Durations are \"250ms\", \"2s\", \"5m\", \"1h\", \"7d\"; sizes \"64 KiB\", \"512 "
         "MiB\"; shares \"20%\"; addresses\n"
         "# \"host:port\", \"[v6]:port\" or \"unix:/path\". A table may be written inline where it "
         "is short, or as its own\n"
         "# [section] where it is long; both mean the same. Without the \"#\" in front of it, a "
         "line that has no space\n"
         "# behind it is ready to use; NAME stands for a name of yours.\n\n" +
         conf::print_reference(rows);
}

}  // namespace portolan::daemon
