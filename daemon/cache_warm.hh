#pragma once
// `portolan cache warm FILE`: asks this node's own listeners for each URL of a list, as a client would, so that what may be
// stored is. Says what became of them; runs in the command line's thread.
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "daemon/signed_routes.hh"
#include "daemon/status.hh"

namespace portolan::daemon {

struct WarmOptions {
  std::string file;                    // one URL a line; '#' begins a comment; "-": standard input
  unsigned jobs = 8;                   // URLs at once
  std::vector<std::string> encodings;  // each URL is also asked for with these as Accept-Encoding
  unsigned timeout_s = 60;             // of one URL: to its answer, and without progress of it
  bool bar = false;                    // of progress, on `err`
};

// Signs what arrives at one listener, where that is asked for: one URL for each. Told why it can't be, nothing is asked for.
using SignUrls = std::function<Result<std::vector<std::string>>(const SignOrder& order)>;

// 0: every URL was answered; 1: some failed (a status of 400 or more, no answer, a body cut short); 2: the list is wrong, or names what no listener
// speaks.
int warm_cache(const std::vector<StatusReport::Listener>& listeners, const WarmOptions& options, const SignUrls& sign,
               std::istream& list, std::ostream& out, std::ostream& err);

// "http://host:8080/path?query" taken apart; an error says what is wrong.
struct WarmUrl {
  bool tls = false;
  std::string authority;  // as written
  std::string host;       // without the port and the brackets
  uint16_t port = 0;
  std::string target;
  std::string text;
  SocketAddress to = {};  // the listener
  std::string listener;   // its name
};
Result<WarmUrl> parse_warm_url(std::string_view text);
// The listener's address that a client of this node would reach with it: the port as in the URL, or else the first that
// speaks the same.
Status find_listener(const std::vector<StatusReport::Listener>& listeners, WarmUrl& url);
// Accept-Encoding that means something to a cache: br, gzip, zstd, identity, with weights or without, parted by commas.
// The error says which isn't.
Status check_encoding(std::string_view value);

}  // namespace portolan::daemon
