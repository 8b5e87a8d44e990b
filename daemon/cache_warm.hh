#pragma once
// `portolan cache warm FILE`: asks this node's own listeners for each URL of a list, as a client would, so that what may be
// stored is. Says what became of them; runs in the command line's thread.
#include <iosfwd>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "daemon/status.hh"

namespace portolan::daemon {

struct WarmOptions {
  std::string file;                    // one URL a line; '#' begins a comment; "-": standard input
  unsigned jobs = 8;                   // URLs at once
  std::vector<std::string> encodings;  // each URL is also asked for with these as Accept-Encoding
  unsigned timeout_s = 60;             // of one URL: to its answer, and without progress of it
  bool bar = false;                    // of progress, on `err`
};

// 0: every URL was answered; 1: some failed (a status of 400 or more, no answer, a body cut short); 2: the list is wrong, or names what no listener
// speaks.
int warm_cache(const std::vector<StatusReport::Listener>& listeners, const WarmOptions& options, std::istream& list,
               std::ostream& out, std::ostream& err);

// "http://host:8080/path?query" taken apart; an error says what is wrong.
struct WarmUrl {
  bool tls = false;
  std::string authority;  // as written
  std::string host;       // without the port and the brackets
  uint16_t port = 0;
  std::string target;
  std::string text;
  SocketAddress to = {};  // the listener
};
Result<WarmUrl> parse_warm_url(std::string_view text);
// The listener's address that a client of this node would reach with it: the port as in the URL, or else the first that
// speaks the same.
Result<SocketAddress> listener_for(const std::vector<StatusReport::Listener>& listeners, const WarmUrl& url);

}  // namespace portolan::daemon
