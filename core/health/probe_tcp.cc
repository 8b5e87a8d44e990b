// health = { tcp = true }: the server is good when it accepts a connection.
#include "core/client/client.hh"
#include "core/health/probe.hh"
#include "core/loop/stream.hh"

namespace portolan::health {

namespace {

class TcpRun final : public ProbeRun, public loop::StreamHandler, public loop::Runnable {
 public:
  TcpRun(loop::Worker& worker, const SocketAddress& server, Probe::Done done) : done_(std::move(done)) {
    auto stream = loop::Stream::connect(worker, server, *this);
    if (stream)
      stream_ = std::move(*stream);
    else
      error_ = stream.error();
    worker.run_soon(*this);
  }
  void run() override { on_ready(); }
  void on_ready() override {
    if (!done_) return;
    if (!stream_) return finish({false, error_.code ? client::describe_errno(error_.code) : error_.text});
    switch (stream_->connected()) {
      case loop::Io::would_block:
        return;
      case loop::Io::done:
        // A check leaves no half-closed connection behind in either kernel.
        stream_->reset_on_close();
        return finish({true, "connected"});
      default:
        return finish({false, client::describe_errno(stream_->error())});
    }
  }

 private:
  void finish(Verdict verdict) {
    auto done = std::move(done_);
    done_ = nullptr;
    done(std::move(verdict));  // may destroy this
  }
  Probe::Done done_;
  std::unique_ptr<loop::Stream> stream_;
  Error error_;
};

const Registration<Probe> registered{{"tcp",
                                      [](loop::Worker& worker, const SocketAddress& server, const CheckConfig&,
                                         Probe::Done done) -> std::unique_ptr<ProbeRun> {
                                        return std::make_unique<TcpRun>(worker, server, std::move(done));
                                      }}};

}  // namespace

}  // namespace portolan::health
