#pragma once
// What the parts of the HTTP/2 session share; internal to core/http, as is nghttp2.
#include <nghttp2/nghttp2.h>

namespace portolan::http {

class H2Stream;

namespace h2 {

nghttp2_data_provider body_of(H2Stream& stream);  // what it has to send, as it comes
nghttp2_mem* memory();                            // how nghttp2 gets its memory

}  // namespace h2
}  // namespace portolan::http
