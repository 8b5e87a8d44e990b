// A users file: whatever it holds is read, or told by file and line.
#include <cstdlib>

#include "core/crypto/password.hh"
#include "proxy/admit/users.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> errors;
  auto users = proxy::Users::parse(text, "users", errors);
  for (const std::string& error : errors)
    if (!error.starts_with("users:")) std::abort();
  if (errors.empty() && users->size() == 0) std::abort();
  for (size_t colon = text.find(':'), begin = 0; colon != std::string_view::npos; colon = text.find(':', begin)) {
    std::string_view name = text.substr(begin, colon - begin);
    if (const std::string* hash = users->find(name); hash && !crypto::check_hash(*hash)) std::abort();
    size_t line = text.find('\n', colon);
    if (line == std::string_view::npos) break;
    begin = line + 1;
  }
  return 0;
}
