// health = { tcp = true }: the server is good when it accepts a connection, and its TLS where the pool has it.
#include "core/client/client.hh"
#include "core/health/probe.hh"
#include "core/loop/stream.hh"
#include "core/loop/tls_connector.hh"

namespace portolan::health {

namespace {

class TcpRun final : public ProbeRun, public loop::StreamHandler, public loop::Runnable {
 public:
  TcpRun(loop::Worker& worker, const SocketAddress& server, const CheckConfig& check, Probe::Done done)
      : done_(std::move(done)) {
    if (check.tls) tls_ = check.tls->connect(check.tls.get(), check.tls_host);
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
    loop::Io io = stream_->connected();
    if (io == loop::Io::done && tls_) stream_->start_tls(std::move(tls_));
    if (io == loop::Io::done && stream_->tls()) io = stream_->handshake();
    if (io == loop::Io::would_block) return;
    if (io == loop::Io::done) {
      // A check leaves no half-closed connection behind in either kernel.
      stream_->reset_on_close();
      return finish({true, "connected"});
    }
    if (stream_->tls()) return finish({false, "TLS: " + stream_->tls()->failure()});
    finish({false, client::describe_errno(stream_->error())});
  }

 private:
  void finish(Verdict verdict) {
    auto done = std::move(done_);
    done_ = nullptr;
    done(std::move(verdict));  // may destroy this
  }
  Probe::Done done_;
  std::unique_ptr<loop::TlsSession> tls_;  // until the socket is connected
  std::unique_ptr<loop::Stream> stream_;
  Error error_;
};

const Registration<Probe> registered{{"tcp",
                                      [](loop::Worker& worker, const SocketAddress& server, const CheckConfig& check,
                                         Probe::Done done) -> std::unique_ptr<ProbeRun> {
                                        return std::make_unique<TcpRun>(worker, server, check, std::move(done));
                                      }}};

}  // namespace

}  // namespace portolan::health
