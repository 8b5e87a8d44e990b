#include "core/loop/kernel_tls.hh"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "core/base/fd.hh"

namespace portolan::loop {
namespace {

bool probe() {
#ifdef OPENSSL_NO_KTLS
  return false;
#else
  UniqueFd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* at = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (!listening || !fd || ::bind(listening.get(), at, size) != 0 || ::listen(listening.get(), 1) != 0) return false;
  if (::getsockname(listening.get(), at, &size) != 0 || ::connect(fd.get(), at, size) != 0) return false;
  return ::setsockopt(fd.get(), IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0;
#endif
}

}  // namespace

bool kernel_has_tls() {
  static const bool has = probe();
  return has;
}

}  // namespace portolan::loop
