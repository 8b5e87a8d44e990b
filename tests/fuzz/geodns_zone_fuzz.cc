// Lines of "name type value" as a zone's records: whatever is wrong is told, and where nothing is, every name is answered
// in a message that reads back.
#include <cstdlib>

#include "geodns/answer.hh"

namespace {

using namespace portolan;  // NOLINT(google-build-using-namespace)

std::string_view word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view first = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return first;
}

geodns::GeodnsConfig config_of(std::string_view text) {
  geodns::GeodnsConfig config;
  geodns::ZoneConfig zone;
  zone.name = "example.com";
  zone.nameservers = {"ns.elsewhere.test"};
  while (!text.empty() && zone.records.size() < 100) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    geodns::RecordConfig record;
    record.name = word(line);
    record.type = word(line);
    record.value = line;
    zone.records.push_back(std::move(record));
  }
  config.zones.push_back(std::move(zone));
  return config;
}

void ask(const geodns::View& view, const dns::Name& name, uint16_t type, bool tcp) {
  uint8_t query[dns::header_size + dns::max_name_size + 4] = {0, 1, 0, 0, 0, 1};
  const std::string_view wire = name.wire();
  std::copy(wire.begin(), wire.end(), query + dns::header_size);
  dns::store16(query + dns::header_size + wire.size(), type);
  dns::store16(query + dns::header_size + wire.size() + 2, dns::class_in);
  Rng rng(1);
  geodns::Answerer answerer(rng);
  geodns::AnswerInfo info;
  static uint8_t out[dns::max_message_size];
  const size_t size = answerer.answer({query, dns::header_size + wire.size() + 4}, {},
                                      tcp ? geodns::Transport::tcp : geodns::Transport::udp, view, out, info);
  if (size < dns::header_size || (!tcp && size > dns::plain_udp_size)) std::abort();
  size_t at = dns::header_size + wire.size() + 4;
  const unsigned records = dns::load16(out + 6) + dns::load16(out + 8) + dns::load16(out + 10);
  for (unsigned i = 0; i < records; i++) {
    dns::Name owner;
    if (!owner.read({out, size}, at) || at + 10 > size) std::abort();
    at += 10u + dns::load16(out + at + 8);
  }
  if (at != size) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const geodns::GeodnsConfig config = config_of({reinterpret_cast<const char*>(data), size});
  std::vector<geodns::Mistake> mistakes;
  const auto view = geodns::build_view(config, 1, mistakes);
  if (!view) return 0;
  for (const geodns::RecordConfig& record : config.zones[0].records) {
    const auto name = dns::Name::parse(record.name == "@" ? "example.com" : record.name + ".example.com");
    if (!name) continue;
    for (uint16_t type : {dns::type_a, dns::type_mx, dns::type_any, dns::type_ds, dns::type_https})
      for (bool tcp : {false, true}) ask(*view, *name, type, tcp);
  }
  return 0;
}
