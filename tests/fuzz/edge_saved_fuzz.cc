// Heads of stored answers as a disk has them: whatever is read is written the same way again.
#include <cstdint>
#include <cstdlib>

#include "edge/saved.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::optional<edge::Saved> saved = edge::read_saved(text);
  if (!saved) return 0;
  std::string again = edge::save(*saved);
  std::optional<edge::Saved> read = edge::read_saved(again);
  if (!read || edge::save(*read) != again || read->key != saved->key || read->lines != saved->lines) std::abort();
  http::Fields fields;
  if (!edge::read_lines(saved->lines, fields)) return 0;
  size_t bytes = 0;
  for (const http::Field& f : fields) bytes += f.name.size() + f.value.size() + 4;
  if (bytes != saved->lines.size()) std::abort();
  return 0;
}
