#pragma once
// Where OpenSSL gets the buffers of its records from: a session takes one of 17 KB to read or write and gives it back at
// once, so that idle connections hold none. A thread keeps a few for the next, which spares the heap's slow path.

namespace portolan::crypto {

// Before anything else of OpenSSL; no effect behind that, nor under AddressSanitizer.
void reuse_record_buffers();

}  // namespace portolan::crypto
