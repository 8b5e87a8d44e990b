#pragma once
// `portolan sign-url`: a URL that a route with signed_urls lets pass.
#include <iosfwd>
#include <string>

namespace portolan::daemon {

struct SignUrlOptions {
  std::string keys_file;
  std::string key;             // the id; empty: the newest
  std::string expires = "1h";  // from now on
  std::string prefix;          // all below it; empty: this URL alone
  std::string client;          // a network or an address; empty: anybody
  std::string url;
};

// Prints the URL with its signature. The exit code: 0; 2 for what can't be signed, told on `err`.
int sign_url(const SignUrlOptions& options, std::ostream& out, std::ostream& err);

}  // namespace portolan::daemon
