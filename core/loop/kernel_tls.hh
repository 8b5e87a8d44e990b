#pragma once
// Whether the kernel can seal TLS records itself (kTLS, the "tls" upper layer protocol of a TCP socket).

namespace portolan::loop {

// Tried once, on a loopback connection; any thread. False as well where OpenSSL was built without it.
bool kernel_has_tls();

}  // namespace portolan::loop
