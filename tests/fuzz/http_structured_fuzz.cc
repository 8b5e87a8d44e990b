// Any bytes as a structured field: what is read holds what its type allows, and goes on being read when more follows.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/http/semantics.hh"
#include "core/http/structured.hh"

using namespace portolan::http;

namespace {

void require(bool good) {
  if (!good) std::abort();
}

void check(const SfItem& item) {
  constexpr int64_t most = 999'999'999'999'999;
  bool number =
      item.type == SfItem::Type::integer || item.type == SfItem::Type::decimal || item.type == SfItem::Type::date;
  if (number) require(item.integer >= -most && item.integer <= most);
  if (item.type == SfItem::Type::string)
    for (char c : item.text) require(c >= 0x20 && c <= 0x7e);
  if (item.type == SfItem::Type::token) require(!item.text.empty());
  for (const SfItem& inner : item.items) {
    require(inner.type != SfItem::Type::list);
    check(inner);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if (auto list = parse_sf_list(text)) {
    for (const SfItem& item : *list) check(item);
    auto more = parse_sf_list(text + (list->empty() ? "z" : ", z"));
    require(list->size() == 1024 || (more && more->size() == list->size() + 1));
  }
  auto members = parse_sf_dictionary(text);
  if (members) {
    for (const SfMember& m : *members) {
      require(!m.key.empty());
      check(m.value);
    }
    auto more = parse_sf_dictionary(text + (members->empty() ? "z" : ", z"));
    require(members->size() == 1024 || (more && more->size() - members->size() <= 1));
  }
  if (auto d = parse_targeted_cache_control(text)) require(members && !members->empty());
  parse_cache_control(text);
  return 0;
}
