#include "geodns/chaos.hh"

namespace portolan::geodns {
namespace {

constexpr std::string_view version_names[] = {{"\7version\4bind\0", 14}, {"\7version\6server\0", 16}};
constexpr std::string_view id_names[] = {{"\2id\6server\0", 11}, {"\10hostname\4bind\0", 15}};

template <size_t n>
bool is_one_of(std::string_view name, const std::string_view (&list)[n]) {
  for (std::string_view known : list)
    if (name == known) return true;
  return false;
}

}  // namespace

uint16_t answer_chaos(const dns::Query& query, const ServerIdentity* identity, dns::Composer& composer) {
  const std::string_view name = query.key.wire();
  std::string_view text;
  if (identity && is_one_of(name, version_names)) text = identity->version;
  if (identity && is_one_of(name, id_names)) text = identity->nsid;
  if (text.empty()) return dns::refused;
  if (query.type != dns::type_txt && query.type != dns::type_any) return dns::noerror;
  uint8_t rdata[256];
  text = text.substr(0, 255);
  rdata[0] = static_cast<uint8_t>(text.size());
  std::copy(text.begin(), text.end(), rdata + 1);
  composer.add(dns::Section::answer, name, dns::type_txt, 0, {reinterpret_cast<char*>(rdata), text.size() + 1},
               dns::class_ch);
  return dns::noerror;
}

}  // namespace portolan::geodns
