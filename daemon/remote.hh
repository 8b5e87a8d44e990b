#pragma once
// What the command line asks of a running daemon. Each call is one request over the admin socket,
// says what came of it on `out` or `err`, and returns the exit code: 0, or 1.
#include <iosfwd>
#include <string>

#include "daemon/cache_verify.hh"
#include "daemon/cache_warm.hh"
#include "daemon/explain.hh"
#include "daemon/purge_order.hh"
#include "daemon/signed_routes.hh"
#include "geodns/explain.hh"

namespace portolan::daemon {

class Remote {
 public:
  // `admin`: "unix:/path" as in the configuration.
  Remote(std::string admin, std::ostream& out, std::ostream& err) : admin_(std::move(admin)), out_(out), err_(err) {}
  int status(bool json, bool peers) const;
  int reload() const;
  int drain_server(const std::string& pool, const std::string& address, bool drain) const;
  int drain_node(bool drain) const;
  int drain_datacenter(const std::string& name, bool drain) const;
  int purge(const PurgeOrder& order) const;
  int cache_dump(const std::string& cache, unsigned most, const std::string& file) const;  // "-": to `out`
  int warm(const WarmOptions& options) const;
  int maintenance(const std::string& route, bool on) const;  // empty: every route that has it
  int explain(const ExplainRequest& request) const;
  int explain_dns(const geodns::ExplainDnsRequest& request) const;
  int cache_stats(bool json, bool segments) const;
  int cache_verify(
      const VerifyOptions& options) const;  // the exit code: see exit_code(); 2, too, when nothing came of it
  int cache_top(unsigned most, bool json) const;
  int cache_inspect(const ExplainRequest& request, bool json) const;

 private:
  // The signed URLs in their place: of what arrives at one listener.
  Result<std::vector<std::string>> sign(const SignOrder& order) const;
  // The body of a 200. Otherwise says why not and returns false.
  bool ask(const std::string& method, const std::string& target, const std::string& body, std::string& answer) const;
  bool complain(const std::string& what) const;

  std::string admin_;
  std::ostream& out_;
  std::ostream& err_;
};

}  // namespace portolan::daemon
