#pragma once
// A certificate and its key for tests: fixed.example and *.fixed.example, good for a hundred years, trusted by nobody.
namespace portolan::crypto {

inline constexpr const char* test_certificate = R"(-----BEGIN CERTIFICATE-----
MIIBsjCCAVigAwIBAgIURuIHPZWkgbaUv8XEAb7B7WtgBAgwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNZml4ZWQuZXhhbXBsZTAgFw0yNjExMjYyMDU5MjRaGA8yMTI2
MTEwMjIwNTkyNFowGDEWMBQGA1UEAwwNZml4ZWQuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABM4PWGB0PdFlg45T6ZLeXU0wQsLzEtjrhpuGSUhMznb0
96cv8n1qECQCWXhz0K9gRqZRXHRqs+TV9k7+5HpeThyjfjB8MB0GA1UdDgQWBBRT
93EjGbvgS7Or5nM9EnGaPf8ZkTAfBgNVHSMEGDAWgBRT93EjGbvgS7Or5nM9EnGa
Pf8ZkTAPBgNVHRMBAf8EBTADAQH/MCkGA1UdEQQiMCCCDWZpeGVkLmV4YW1wbGWC
DyouRml4ZWQuZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiAIuiHswK77oNJiiuAO
cccaNE4UsFL1h04fXf+zibnYOAIhANHWXchkr4pNtb8kFPq+QtTyqeC3MxYgW/8A
/h0H8tKu
-----END CERTIFICATE-----
)";
inline constexpr const char* test_key = R"(-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIGaVuY+UZV2Z9U8xg3EndqaTV+LLi658T3av6drvWgpcoAoGCCqGSM49
AwEHoUQDQgAEzg9YYHQ90WWDjlPpkt5dTTBCwvMS2OuGm4ZJSEzOdvT3py/yfWoQ
JAJZeHPQr2BGplFcdGqz5NX2Tv7kel5OHA==
-----END EC PRIVATE KEY-----
)";

}  // namespace portolan::crypto
