#pragma once
// The command line, by itself and before a daemon's admin socket.
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/cli.hh"
#include "tests/unit/daemon/backend.hh"

namespace portolan::daemon {

class Cli : public ::testing::Test {
 protected:
  int portolan(std::initializer_list<const char*> words) {
    std::vector<const char*> argv = {"portolan"};
    argv.insert(argv.end(), words.begin(), words.end());
    out_.str("");
    err_.str("");
    return run_command(static_cast<int>(argv.size()), argv.data(), run_, out_, err_);
  }
  std::string out() { return out_.str(); }
  std::string err() { return err_.str(); }
  daemon::Run run_ = [this](const std::string& config) {
    ran_ = config;
    return 7;
  };
  std::string ran_;
  std::ostringstream out_, err_;
};

// With a daemon behind a Unix socket, in a thread of its own.
class CliWithDaemon : public Cli {
 protected:
  CliWithDaemon()
      : path_(::testing::TempDir() + "cli-" + std::to_string(getpid()) + ".sock"),
        fd_(std::move(*loop::open_listener({{}, 0, path_}))) {
    admin_.listen(fd_.get(), Admin::Door::control);
    worker_.start();
  }
  ~CliWithDaemon() override {
    worker_.stop();
    worker_.join();
    ::unlink(path_.c_str());
  }
  int remote(std::initializer_list<const char*> words) {
    std::string admin = "unix:" + path_;
    std::vector<const char*> argv = {"portolan"};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.push_back("--admin");
    argv.push_back(admin.c_str());
    out_.str("");
    err_.str("");
    return run_command(static_cast<int>(argv.size()), argv.data(), run_, out_, err_);
  }
  // Runs in the daemon's thread, and waits for it.
  void in_daemon(std::function<void()> what) {
    std::promise<void> done;
    worker_.post([&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::string path_;
  UniqueFd fd_;
  SystemClock clock_;
  metrics::Shard shard_;
  FakeBackend backend_;
  loop::Worker worker_{0, "control", clock_, 1, shard_};
  Admin admin_{worker_, backend_};
};

}  // namespace portolan::daemon
