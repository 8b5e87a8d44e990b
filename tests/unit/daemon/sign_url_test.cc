#include "daemon/sign_url_command.hh"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace portolan::daemon {
namespace {

class SignUrl : public ::testing::Test {
 protected:
  SignUrl() {
    options.keys_file = ::testing::TempDir() + "keys-" + std::to_string(getpid());
    std::ofstream(options.keys_file) << "k1:0123456789abcdef0123456789abcdef\n";
  }
  ~SignUrl() override { ::unlink(options.keys_file.c_str()); }
  int sign(const std::string& url) {
    out.str("");
    err.str("");
    options.url = url;
    return sign_url(options, out, err);
  }
  SignUrlOptions options;
  std::ostringstream out, err;
};

TEST_F(SignUrl, SignsWhatCanBeAskedFor) {
  for (const char* url : {"http://a.test/v/1", "https://a.test:8443/v/1?q=1&&x", "http://a.test/v/a%20b",
                          "http://a.test", "http://a.test/v/1?", "http://a.test/v/1?sign=1"}) {
    EXPECT_EQ(sign(url), 0) << url << err.str();
    EXPECT_NE(out.str().find("sig-key=k1"), std::string::npos) << url;
  }
  options.client = "2001:db8::/32";
  options.prefix = "/v/";
  EXPECT_EQ(sign("http://a.test/v/1?q"), 0) << err.str();
}

TEST_F(SignUrl, RefusesWhatWouldNeverOpen) {
  for (const char* url :
       {"http://a.test/v/1?sig=abc", "http://a.test/v/1?q=1&sig-key=k1", "http://a.test/v/1?sig-x", "http://a.test/a b",
        "http://a.test/v/1?q=a b", "http://a.test/\xc3\xa4", "http://a.test/a\tb", "http://a.test/a/../b",
        "http://a.test/%2e%2e/b", "http://a..test/", "http://a b.test/"}) {
    EXPECT_EQ(sign(url), 2) << url;
    EXPECT_EQ(out.str(), "") << url;
    EXPECT_NE(err.str(), "") << url;
  }
}

}  // namespace
}  // namespace portolan::daemon
