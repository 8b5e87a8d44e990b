#include "daemon/tls_files.hh"

#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "core/base/log.hh"
#include "core/loop/kernel_tls.hh"
#include "daemon/files.hh"

namespace portolan::daemon {
namespace {

constexpr size_t largest_file = 4 << 20;  // of certificates
constexpr size_t worth_threads = 64;      // files to read
constexpr size_t most_threads = 4;

bool is_pattern(const std::string& path) {
  return path.find_first_of("*?[") != std::string::npos;
}

std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return paths;
}

// The bundle that Debian and its kin keep.
std::string system_roots() {
  const char* named = std::getenv("SSL_CERT_FILE");
  return named && *named ? named : "/etc/ssl/certs/ca-certificates.crt";
}

// One certificate to have, and who wants it.
struct Wanted {
  std::string certificate, key, where;
  TlsFiles::Pair pair;
  bool unchanged = false;
  std::string error;
};

void read_pair(Wanted& w) {
  auto pem = read_file(w.certificate, largest_file);
  if (!pem) {
    w.error = pem.error().text;
    return;
  }
  std::string key_pem;
  if (w.key != w.certificate) {
    auto text = read_file(w.key, largest_file);
    if (!text) {
      w.error = text.error().text;
      return;
    }
    key_pem = std::move(*text);
  }
  auto read = crypto::read_certificate(*pem, w.key == w.certificate ? *pem : key_pem, w.certificate, w.key);
  if (read) {
    w.pair.certificate = std::move(*read);
  } else {
    w.error = read.error().text;
  }
}

// Decoding a certificate takes a tenth of a millisecond: thousands are shared out.
void read_pairs(std::vector<Wanted*>& wanted) {
  size_t threads =
      wanted.size() < worth_threads ? 1 : std::min<size_t>(most_threads, std::thread::hardware_concurrency());
  std::vector<std::thread> others;
  auto work = [&wanted, threads](size_t first) {
    for (size_t i = first; i < wanted.size(); i += threads) read_pair(*wanted[i]);
  };
  for (size_t t = 1; t < threads; ++t) others.emplace_back(work, t);
  work(0);
  for (std::thread& other : others) other.join();
}

class Reader {
 public:
  Reader(const Config& config, const TlsFiles& before) : config_(config), before_(before) {}

  TlsReading read() {
    gather();
    read_pairs(stale_);
    take();
    for (const proxy::ListenerConfig& listener : config_.listeners)
      if (listener.tls) add_listener(listener.name, *listener.tls, listener.where, web_protocols(listener));
    if (config_.geodns.tls) add_listener(dns_listener, *config_.geodns.tls, config_.geodns.where, {"dot"});
    for (const proxy::PoolConfig& pool : config_.pools) add_pool(pool);
    for (const geodns::ServiceConfig& service : config_.geodns.services)
      for (const auto& [datacenter, site] : service.sites) add_site(service.name, datacenter, site.health);
    return std::move(out_);
  }

 private:
  using PairName = std::pair<std::string, std::string>;

  void fail(const std::string& where, const std::string& what) {
    out_.errors.push_back(where.empty() ? what : where + ": " + what);
  }

  void want(const std::string& certificate, const std::string& key, const std::string& where) {
    PairName name{certificate, key.empty() ? certificate : key};
    auto [it, fresh] = wanted_.try_emplace(name);
    if (!fresh) return;
    it->second.certificate = name.first;
    it->second.key = name.second;
    it->second.where = where;
  }

  static std::vector<std::string> web_protocols(const proxy::ListenerConfig& listener) {
    if (listener.http2) return {"h2", "http/1.1"};
    return {"http/1.1"};
  }

  void want_all(const loop::TlsListenerConfig& tls) {
    for (const loop::CertificateFile& file : tls.certificates) {
      if (!is_pattern(file.certificate)) {
        want(file.certificate, file.key, file.where);
        continue;
      }
      auto found = matches(file.certificate);
      if (found.empty()) fail(file.where, "no file matches " + file.certificate);
      for (const std::string& path : found) want(path, file.key, file.where);
    }
  }

  void gather() {
    for (const proxy::ListenerConfig& listener : config_.listeners)
      if (listener.tls) want_all(*listener.tls);
    if (config_.geodns.tls) want_all(*config_.geodns.tls);
    for (const proxy::PoolConfig& pool : config_.pools)
      for (const auto& tls : {pool.tls, pool.health.own_tls})
        if (tls && !tls->certificate.empty()) want(tls->certificate, tls->key, pool.where);
    for (auto& [name, w] : wanted_) {
      // Looked at before they are read: what changes meanwhile is read again next time.
      w.pair.certificate_stamp = FileStamp::of(w.certificate);
      w.pair.key_stamp = FileStamp::of(w.key);
      auto old = before_.pairs.find(name);
      w.unchanged = old != before_.pairs.end() && old->second.certificate_stamp == w.pair.certificate_stamp &&
                    old->second.key_stamp == w.pair.key_stamp;
      if (w.unchanged) {
        w.pair.certificate = old->second.certificate;
      } else {
        stale_.push_back(&w);
      }
    }
  }

  void take() {
    for (auto& [name, w] : wanted_) {
      if (!w.error.empty()) {
        auto old = before_.pairs.find(name);
        if (old == before_.pairs.end()) {
          fail(w.where, w.error);
          continue;
        }
        out_.kept.push_back(w.error + "; the certificate that was read before stays");
        w.pair = old->second;
        w.pair.certificate_stamp.size = -1;  // so that it is looked at again next time
      }
      share_chain(w);
      out_.files.pairs[name] = w.pair;
    }
  }

  // Thousands of certificates come with the same few intermediates.
  void share_chain(Wanted& w) {
    if (w.unchanged || !w.error.empty() || !w.pair.certificate) return;
    std::string all;
    for (const std::string& der : *w.pair.certificate->chain) all += der;
    auto& kept = chains_[all];
    if (!kept) kept = w.pair.certificate->chain;
    // Nobody else has seen it yet.
    const_cast<crypto::Certificate&>(*w.pair.certificate).chain = kept;
  }

  crypto::TrustRef authority(const std::string& path, const std::string& where) {
    if (auto read = out_.files.authorities.find(path); read != out_.files.authorities.end()) return read->second.trust;
    auto old = before_.authorities.find(path);
    auto pem = read_file(path, largest_file);
    if (pem && old != before_.authorities.end() && old->second.pem == *pem)
      return (out_.files.authorities[path] = old->second).trust;
    std::string error = pem ? "" : pem.error().text;
    if (pem) {
      auto trust = crypto::TrustStore::from_pem(*pem, path);
      if (trust) return (out_.files.authorities[path] = {*pem, *trust}).trust;
      error = trust.error().text;
    }
    if (old == before_.authorities.end()) {
      fail(where, error);
      return nullptr;
    }
    out_.kept.push_back(error + "; the authorities that were read before stay");
    return (out_.files.authorities[path] = old->second).trust;
  }

  crypto::CertificateRef certificate(const std::string& file, const std::string& key) const {
    auto found = out_.files.pairs.find({file, key.empty() ? file : key});
    return found == out_.files.pairs.end() ? nullptr : found->second.certificate;
  }

  void add_listener(const std::string& name, const loop::TlsListenerConfig& tls, const std::string& where,
                    std::vector<std::string> protocols) {
    auto identity = std::make_shared<loop::TlsIdentity>();
    identity->listener = name;
    identity->config = tls;
    identity->protocols = std::move(protocols);
    std::vector<crypto::CertificateRef> certificates;
    for (const loop::CertificateFile& file : tls.certificates) {
      std::vector<std::string> paths{file.certificate};
      if (is_pattern(file.certificate)) paths = matches(file.certificate);
      for (const std::string& path : paths)
        if (auto c = certificate(path, file.key)) certificates.push_back(std::move(c));
    }
    if (!tls.client_ca.empty()) identity->client_ca = authority(tls.client_ca, where);
    if (tls.client_certificates == "off") identity->client_ca = nullptr;
    auto old = before_.listeners.find(name);
    if (old != before_.listeners.end() && old->second->config == identity->config &&
        old->second->protocols == identity->protocols && old->second->client_ca == identity->client_ca &&
        old->second->certificates->all() == certificates) {
      out_.files.listeners[name] = old->second;
      return;
    }
    identity->kernel_seals = tls.ktls && loop::kernel_has_tls();
    if (tls.ktls && !identity->kernel_seals)
      log::warning("ktls is on, and this kernel has none: TLS goes on without it",
                   {{"listener", name}, {"remedy", "modprobe tls, then restart"}});
    identity->certificates = std::make_shared<crypto::CertificateSet>(std::move(certificates));
    out_.files.listeners[name] = std::move(identity);
  }

  using Trusts = std::map<std::string, std::shared_ptr<const loop::TlsTrust>, std::less<>>;

  void add_pool(const proxy::PoolConfig& pool) {
    std::vector<std::string> protocols;
    if (pool.http2) protocols = {"h2"};
    if (pool.tls) add_trust(pool.name, pool.where, *pool.tls, protocols, before_.pools, out_.files.pools);
    const auto& check = pool.health;
    bool own = check.speaks_tls.value_or(false) && (check.own_tls || !pool.tls);
    if (own)
      add_trust(pool.name, pool.where, check.own_tls.value_or(loop::TlsServerConfig()), {}, before_.checks,
                out_.files.checks);
  }

  void add_site(const std::string& service, const std::string& datacenter, const geodns::ServiceHealth& health) {
    for (const geodns::ServiceHealth& part : health.all) add_site(service, datacenter, part);
    if (!health.http.starts_with("https://")) return;
    add_trust(site_tls_key(service, datacenter, health), health.where, health.tls.value_or(loop::TlsServerConfig()), {},
              before_.sites, out_.files.sites);
  }

  void add_trust(const std::string& name, const std::string& where, const loop::TlsServerConfig& tls,
                 std::vector<std::string> protocols, const Trusts& before, Trusts& now) {
    auto trust = std::make_shared<loop::TlsTrust>();
    trust->config = tls;
    trust->protocols = std::move(protocols);
    if (tls.verify) trust->trust = authority(tls.ca.empty() ? system_roots() : tls.ca, where);
    if (!tls.certificate.empty()) trust->certificate = certificate(tls.certificate, tls.key);
    auto old = before.find(name);
    bool same = old != before.end() && old->second->config == trust->config && old->second->trust == trust->trust &&
                old->second->certificate == trust->certificate && old->second->protocols == trust->protocols;
    now[name] = same ? old->second : trust;
  }

  const Config& config_;
  const TlsFiles& before_;
  TlsReading out_;
  std::map<PairName, Wanted> wanted_;
  std::vector<Wanted*> stale_;
  std::unordered_map<std::string, std::shared_ptr<const crypto::Chain>> chains_;
};

}  // namespace

TlsReading read_tls(const Config& config, const TlsFiles& before) {
  return Reader(config, before).read();
}

std::vector<std::string> tls_files_of(const Config& config) {
  std::vector<std::string> files;
  auto add = [&files](const std::string& path) {
    if (!path.empty()) files.push_back(path);
  };
  auto add_listener = [&add](const loop::TlsListenerConfig& tls) {
    add(tls.client_ca);
    for (const loop::CertificateFile& file : tls.certificates) {
      for (const std::string& path :
           is_pattern(file.certificate) ? matches(file.certificate) : std::vector<std::string>{file.certificate})
        add(path);
      add(file.key);
    }
  };
  for (const proxy::ListenerConfig& listener : config.listeners)
    if (listener.tls) add_listener(*listener.tls);
  if (config.geodns.tls) add_listener(*config.geodns.tls);
  for (const proxy::PoolConfig& pool : config.pools) {
    for (const auto& tls : {pool.tls, pool.health.own_tls})
      if (tls)
        for (const std::string& path : {tls->ca, tls->certificate, tls->key}) add(path);
  }
  const auto add_site = [&add](const geodns::ServiceHealth& health) {
    if (health.tls)
      for (const std::string& path : {health.tls->ca, health.tls->certificate, health.tls->key}) add(path);
  };
  for (const geodns::ServiceConfig& service : config.geodns.services)
    for (const auto& [datacenter, site] : service.sites) {
      add_site(site.health);
      for (const geodns::ServiceHealth& part : site.health.all) add_site(part);
    }
  return files;
}

std::string site_tls_key(const std::string& service, const std::string& datacenter,
                         const geodns::ServiceHealth& health) {
  return service + "/" + datacenter + "/" + health.http;
}

}  // namespace portolan::daemon
