#include "daemon/cli.hh"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <ostream>

#include "core/base/clock.hh"
#include "core/geo/demo.hh"
#include "daemon/config.hh"
#include "daemon/config_check.hh"
#include "daemon/preparation.hh"
#include "daemon/purge_access.hh"
#include "daemon/remote.hh"
#include "daemon/shards_command.hh"
#include "daemon/sign_url_command.hh"
#include "daemon/version.hh"

namespace portolan::daemon {

namespace {

constexpr const char* default_config = "/etc/portolan/portolan.toml";

struct PurgeOptions {
  std::vector<std::string> urls, prefixes, hosts, tags;
  std::string cache;
  bool all = false, soft = false;
};

struct Options {
  std::string config = default_config;
  std::string admin;
  bool json = false;
  std::string pool, address, name, file = "-";
  PurgeOptions purge;
  unsigned dumped = 1000;
  ShardsOptions shards;
  SignUrlOptions sign;
  ExplainRequest explain;
  std::string type = "A";  // of a DNS question
  bool peers = false;
  bool offline = false;
  unsigned most = 10;
  WarmOptions warm;
  VerifyOptions verify;
  bool segments = false;
};

Result<PurgeOrder> order_of(const PurgeOptions& o) {
  PurgeOrder order;
  order.cache = o.cache;
  auto add = [&](edge::PurgeKind kind, const std::vector<std::string>& values) {
    for (const std::string& value : values) order.purges.push_back({kind, value, o.soft});
  };
  add(edge::PurgeKind::url, o.urls);
  add(edge::PurgeKind::prefix, o.prefixes);
  add(edge::PurgeKind::host, o.hosts);
  add(edge::PurgeKind::tag, o.tags);
  if (o.all) order.purges.push_back({edge::PurgeKind::all, "", o.soft});
  if (order.purges.empty()) return Error{"name what to purge: URLs, --prefix, --host, --tag or --all"};
  return order;
}

int check(const Options& options, std::ostream& out, std::ostream& err) {
  Preparation prepared = prepare(load(options.config), {}, {}, 1);
  check_machine(prepared.config, prepared.errors);
  for (const std::string& error : prepared.errors) err << error << "\n";
  if (!prepared.errors.empty()) return 2;
  out << options.config << ": valid\n";
  return 0;
}

int geo_demo(const Options& options, std::ostream& out, std::ostream& err) {
  Status written = geo::write_demo_database(options.file);
  if (!written) {
    err << "portolan: " << written.error().text << "\n";
    return 1;
  }
  out << options.file << ": a database of " << geo::demo_cities().size() << " cities\n";
  return 0;
}

geodns::ExplainDnsRequest dns_question(const Options& options) {
  return {options.explain.url, options.type, options.explain.from};
}

// From the file alone: nobody's state is known.
int explain_offline(const Options& options, std::ostream& out, std::ostream& err) {
  Preparation p = prepare(load(options.config), {}, {}, 1);
  for (const std::string& error : p.errors) err << error << "\n";
  if (!p.errors.empty()) return 2;
  Rng rng = Rng::from_system();
  auto lines = options.explain.method == "dns"
                   ? geodns::explain_dns(dns_question(options), *p.view, rng)
                   : explain(options.explain, {*p.snapshot, {}, p.config.caches, 0, nullptr, SystemClock().wall_ms()});
  if (!lines) {
    err << "portolan: " << lines.error().text << "\n";
    return 2;
  }
  out << *lines;
  return 0;
}

// The socket of the daemon that is meant; "" when that can't be known (said on err).
std::string admin_of(const Options& options, bool config_given, std::ostream& err) {
  if (!options.admin.empty()) return options.admin;
  if (!config_given) return ProcessConfig().admin;
  auto admin = admin_socket(options.config);
  if (!admin) {
    err << admin.error().text << "\n";
    return {};
  }
  if (*admin == "off") {
    err << "portolan: " << options.config << " says server.admin = \"off\"\n";
    return {};
  }
  return *admin;
}

class CommandLine {
 public:
  CommandLine(const Run& run, std::ostream& out, std::ostream& err) : run_(run), out_(out), err_(err) {
    app_.set_version_flag("--version", "portolan " + std::string(version));
    app_.require_subcommand(1);
    add_local();
    add_sign_url();
    add_remote();
  }

  int execute(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      return app_.exit(e, out_, err_) == 0 ? 0 : 2;
    }
    return action_();
  }

 private:
  void add_config(CLI::App* command) {
    command->add_option("-c,--config", options_.config, "the configuration file")->capture_default_str();
  }

  void add_local() {
    auto* run = app_.add_subcommand("run", "run the daemon in the foreground");
    run->add_option("FILE,-c,--config", options_.config, "the configuration file")->capture_default_str();
    run->callback([this] { action_ = [this] { return run_(options_.config); }; });

    auto* checks = app_.add_subcommand("check", "check a configuration file: 0, or 2 and every mistake");
    checks->add_option("FILE,-c,--config", options_.config, "the configuration file")->capture_default_str();
    checks->callback([this] { action_ = [this] { return check(options_, out_, err_); }; });

    auto* reference_ = app_.add_subcommand("reference", "print every key with type, default and bounds");
    reference_->callback([this] {
      action_ = [this] {
        out_ << reference();
        return 0;
      };
    });

    auto* demo = app_.add_subcommand("geo-demo", "write a small database of made-up networks");
    demo->add_option("FILE", options_.file, "where to")->required();
    demo->callback([this] { action_ = [this] { return geo_demo(options_, out_, err_); }; });

    auto* shards = app_.add_subcommand("shards", "servers that each own some of the keys");
    shards->require_subcommand(1);
    auto* plan = shards->add_subcommand("plan", "show which slots move when a server comes or goes, and the new map");
    add_config(plan);
    plan->add_option("POOL", options_.shards.pool, "the pool's name")->required();
    auto* add = plan->add_option("--add", options_.shards.add, "the server that comes");
    plan->add_option("--remove", options_.shards.remove, "the server that goes")->excludes(add);
    plan->callback([this] { action_ = [this] { return plan_shards(options_.config, options_.shards, out_, err_); }; });
  }

  void add_sign_url() {
    auto* command = app_.add_subcommand("sign-url", "sign a URL for a route with signed_urls");
    command->add_option("--keys", options_.sign.keys_file, "the route's keys_file")->required();
    command->add_option("--key", options_.sign.key, "the key's id; left out: the first in the file");
    command->add_option("--expires", options_.sign.expires, "how long it is good")->capture_default_str();
    command->add_option("--prefix", options_.sign.prefix, "\"/videos/\": good for everything below it");
    command->add_option("--client", options_.sign.client, "the network or address it is good for");
    command->add_option("URL", options_.sign.url, "http://host/path?query")->required();
    command->callback([this] { action_ = [this] { return sign_url(options_.sign, out_, err_); }; });
  }

  // A command that talks to the running daemon.
  CLI::App* remote(CLI::App& parent, const std::string& name, const std::string& help,
                   std::function<int(const Remote&)> what, const char* file = "-c,--config") {
    CLI::App* command = parent.add_subcommand(name, help);
    command->add_option("--admin", options_.admin, "the daemon's admin socket, \"unix:/path\"");
    CLI::Option* config =
        command->add_option(file, options_.config, "take the admin socket from this configuration file");
    command->callback([this, config, what = std::move(what)] {
      bool config_given = config->count() > 0;
      action_ = [this, config_given, what] {
        std::string admin = admin_of(options_, config_given, err_);
        return admin.empty() ? 2 : what(Remote{admin, out_, err_});
      };
    });
    return command;
  }

  void add_remote() {
    auto* status = remote(app_, "status", "show listeners, pools, services and caches",
                          [this](const Remote& r) { return r.status(options_.json, options_.peers); });
    status->add_flag("--json", options_.json, "as JSON");
    status->add_flag("--peers", options_.peers, "what the other nodes say of the services, beside what this one sees");
    remote(
        app_, "reload", "apply the changed configuration file in place", [](const Remote& r) { return r.reload(); },
        "FILE,-c,--config");
    add_drain("drain", "stop sending anything new to a server, a datacenter or this node", true);
    add_drain("enable", "undo a drain", false);
    add_maintenance("on", true);
    add_maintenance("off", false);
    add_purge();
    add_explain();
    add_cache();
  }

  void add_purge() {
    PurgeOptions& o = options_.purge;
    auto* purge = remote(app_, "purge", "take out of the caches what is named", [this](const Remote& r) {
      auto order = order_of(options_.purge);
      if (order) return r.purge(*order);
      err_ << "portolan: " << order.error().text << "\n";
      return 2;
    });
    auto many = [](CLI::Option* option) { option->allow_extra_args(false); };
    purge->add_option("URL", o.urls, "http://host/path?query; as many as there are");
    many(purge->add_option("--prefix", o.prefixes, "host/path: all below it; \"host/pa*\": all that begins so"));
    many(purge->add_option("--host", o.hosts, "all of a host"));
    many(purge->add_option("--tag", o.tags, "all whose Surrogate-Key or Cache-Tag names it"));
    purge->add_flag("--all", o.all, "everything");
    purge->add_flag("--soft", o.soft,
                    "make it stale: it is validated before its next use, and may stand in for errors");
    purge->add_option("--cache", o.cache, "in this cache only");

    auto* token = app_.add_subcommand("purge-token",
                                      "make a token for server.purge: it is told on the error output, "
                                      "the line for tokens_file on the output");
    token->add_option("NAME", options_.name, "whose it is, for the log")->required();
    token->callback([this] {
      action_ = [this] {
        if (!is_token_name(options_.name)) {
          err_ << "portolan: a name has letters, digits, \".\", \"-\" and \"_\", at most 64\n";
          return 2;
        }
        NewPurgeToken made = new_purge_token(options_.name);
        err_ << "token of " << options_.name << ", which nobody will tell again: " << made.token << "\n";
        out_ << made.line << "\n";
        return 0;
      };
    });
  }

  void add_dump(CLI::App& cache) {
    auto* dump =
        remote(cache, "dump", "write the URLs that are asked for most, the first the most: a list for load",
               [this](const Remote& r) { return r.cache_dump(options_.purge.cache, options_.dumped, options_.file); });
    dump->add_option("FILE", options_.file, "where to; \"-\" or nothing: standard output");
    dump->add_option("--most", options_.dumped, "how many of a cache")
        ->capture_default_str()
        ->check(CLI::Range(1u, 100'000u));
    dump->add_option("--cache", options_.purge.cache, "of this cache only");
  }

  void add_cache() {
    CLI::App* cache = app_.add_subcommand("cache", "look inside the caches and fill them");
    cache->require_subcommand(1);
    auto json = [this](CLI::App* command) { command->add_flag("--json", options_.json, "as JSON"); };
    auto* stats = remote(*cache, "stats", "what is stored, and what became of requests",
                         [this](const Remote& r) { return r.cache_stats(options_.json, options_.segments); });
    stats->add_flag("--segments", options_.segments, "the segments of the disk tiers, and what is how old");
    json(stats);
    auto* top = remote(*cache, "top", "the keys that are asked for most",
                       [this](const Remote& r) { return r.cache_top(options_.most, options_.json); });
    top->add_option("N", options_.most, "how many")->capture_default_str()->check(CLI::Range(1u, 1000u));
    json(top);
    auto* inspect = remote(*cache, "inspect", "what is stored for a URL, and what a request for it would get",
                           [this](const Remote& r) { return r.cache_inspect(options_.explain, options_.json); });
    inspect->add_option("URL", options_.explain.url, "http://host/path?query")->required();
    add_headers(*inspect);
    inspect->add_option("--method", options_.explain.method, "GET or another")->capture_default_str();
    inspect->add_option("--from", options_.explain.from, "the address that is connected")->capture_default_str();
    inspect->add_option("--listener", options_.explain.listener, "where it arrives, if its port doesn't say");
    json(inspect);
    add_warm(*cache, "warm", "ask for each URL of a list, so that it is stored");
    add_warm(*cache, "load", "the same: of a list that dump wrote");
    add_dump(*cache);
    add_verify(*cache);
  }

  void add_verify(CLI::App& cache) {
    VerifyOptions& verify = options_.verify;
    auto* command = cache.add_subcommand(
        "verify",
        "check every record on the disks: 0, all are whole; 1, some are damaged; 2, nothing could be checked");
    auto* admin = command->add_option("--admin", options_.admin, "the daemon's admin socket, \"unix:/path\"");
    auto* config =
        command->add_option("-c,--config", options_.config, "take the admin socket from this configuration file");
    auto* name = command->add_option("--cache", verify.cache, "of this cache only");
    command->add_option("--store", verify.store, "this directory, which no daemon has open")
        ->excludes(admin)
        ->excludes(config)
        ->excludes(name);
    command->add_flag("--sizes", verify.sizes, "tell how many records are how large, too");
    command->add_flag("--json", verify.json, "as JSON, with each segment");
    command->callback([this, &verify, config] {
      action_ = [this, &verify, config_given = config->count() > 0] {
        verify.bar = ::isatty(STDERR_FILENO) == 1;
        if (!verify.store.empty()) return verify_directory(verify, out_, err_);
        std::string socket = admin_of(options_, config_given, err_);
        return socket.empty() ? 2 : Remote{socket, out_, err_}.cache_verify(verify);
      };
    });
  }

  void add_headers(CLI::App& command) {
    command.add_option("--header", options_.explain.headers, "\"Name: value\"; as often as there are headers")
        ->allow_extra_args(false);
  }

  void add_warm(CLI::App& cache, const std::string& name, const std::string& help) {
    WarmOptions& warm = options_.warm;
    auto* command = remote(cache, name, help, [this, &warm](const Remote& r) {
      for (const std::string& encoding : warm.encodings)
        if (Status known = check_encoding(encoding); !known) {
          err_ << "portolan: " << known.error().text << "\n";
          return 2;
        }
      warm.bar = ::isatty(STDERR_FILENO) == 1;
      return r.warm(warm);
    });
    command->add_option("FILE", warm.file, "one URL a line, \"#\" begins a comment; \"-\": standard input")->required();
    command->add_option("--jobs", warm.jobs, "URLs at once")->capture_default_str()->check(CLI::Range(1u, 256u));
    command
        ->add_option("--encoding", warm.encodings,
                     "ask with this Accept-Encoding too: br, gzip, zstd; as often as needed")
        ->allow_extra_args(false);
    command->add_option("--timeout", warm.timeout_s, "seconds an answer may take, and may be silent")
        ->capture_default_str()
        ->check(CLI::Range(1u, 3600u));
  }

  void add_explain() {
    CLI::App* command =
        app_.add_subcommand("explain", "tell which route, pool and server a request would get, and why");
    command->add_option("--admin", options_.admin, "the daemon's admin socket, \"unix:/path\"");
    CLI::Option* config = command->add_option("-c,--config", options_.config, "the configuration file");
    command->callback([this, config] {
      bool config_given = config->count() > 0;
      action_ = [this, config_given] {
        if (options_.offline) return explain_offline(options_, out_, err_);
        std::string admin = admin_of(options_, config_given, err_);
        if (admin.empty()) return 2;
        const Remote remote{admin, out_, err_};
        return options_.explain.method == "dns" ? remote.explain_dns(dns_question(options_))
                                                : remote.explain(options_.explain);
      };
    });
    command->add_option("METHOD", options_.explain.method, "GET, POST, …; or dns, to be told how a name is answered")
        ->required();
    command->add_option("URL", options_.explain.url, "http://host/path?query; after dns a name")->required();
    command->add_option("TYPE", options_.type, "after dns: A, MX, HTTPS, … or TYPE123")->capture_default_str();
    add_headers(*command);
    command
        ->add_option("--from", options_.explain.from,
                     "the address that is connected; after dns also a network, 192.0.2.0/24")
        ->capture_default_str();
    command->add_option("--listener", options_.explain.listener, "where it arrives, if its port doesn't say");
    command->add_flag("--offline", options_.offline, "from the file of --config, without a daemon");
  }

  void add_maintenance(const std::string& word, bool on) {
    if (!maintenance_) {
      maintenance_ = app_.add_subcommand("maintenance", "turn the maintenance page of routes on or off");
      maintenance_->require_subcommand(1);
    }
    auto* command = remote(*maintenance_, word, on ? "answer with the page" : "serve again",
                           [this, on](const Remote& r) { return r.maintenance(options_.name, on); });
    command->add_option("ROUTE", options_.name, "the route's name; left out: every route with maintenance");
  }

  void add_drain(const std::string& name, const std::string& help, bool drain) {
    CLI::App* command = app_.add_subcommand(name, help);
    command->require_subcommand(1);
    auto* server = remote(*command, "server", "a server of a pool", [this, drain](const Remote& r) {
      return r.drain_server(options_.pool, options_.address, drain);
    });
    server->add_option("POOL", options_.pool, "the pool's name")->required();
    server->add_option("ADDRESS", options_.address, "as in the file or in `portolan status`")->required();
    auto* datacenter = remote(*command, "datacenter", "a whole datacenter",
                              [this, drain](const Remote& r) { return r.drain_datacenter(options_.name, drain); });
    datacenter->add_option("NAME", options_.name, "the datacenter's name")->required();
    remote(*command, "node", "this node: /ready fails, so that its clients are sent elsewhere; it goes on serving",
           [drain](const Remote& r) { return r.drain_node(drain); });
  }

  const Run& run_;
  std::ostream& out_;
  std::ostream& err_;
  Options options_;
  CLI::App* maintenance_ = nullptr;
  CLI::App app_{"Portolan: reverse proxy, edge cache and GeoDNS with one truth about health", "portolan"};
  std::function<int()> action_;
};

}  // namespace

int run_command(int argc, const char* const* argv, const Run& run, std::ostream& out, std::ostream& err) {
  return CommandLine(run, out, err).execute(argc, argv);
}

}  // namespace portolan::daemon
