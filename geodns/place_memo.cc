#include "geodns/place_memo.hh"

namespace portolan::geodns {

void PlaceMemo::begin(const View& view) {
  view_ = &view;
  size_t services = view.directory ? view.directory->services.size() * 2 : 0;
  size_t places = view.geo ? view.geo->location_count() + 1 : 0;
  chosen_.resize(services);
  bytes_ = 0;
  for (Chosen& chosen : chosen_) {
    // Those that were used keep their memory, as long as the table is of the same size.
    if (chosen.by_place.size() != places) std::vector<uint8_t>().swap(chosen.by_place);
    chosen.by_place.assign(chosen.by_place.size(), 0);
    chosen.policy = nullptr;
    bytes_ += chosen.by_place.size();
  }
}

std::optional<Choice> PlaceMemo::find(const ServiceRecord& record, bool v6, uint32_t place) const {
  const Chosen& chosen = chosen_[record.service * 2 + v6];
  if (chosen.by_place.empty() || chosen.by_place[place] == 0 || chosen.policy != record.policy) return std::nullopt;
  return Choice{chosen.by_place[place] - 2, chosen.by_location};
}

void PlaceMemo::keep(const ServiceRecord& record, bool v6, uint32_t place, const Choice& choice) {
  Chosen& chosen = chosen_[record.service * 2 + v6];
  if (!chosen.policy) chosen.policy = record.policy;
  if (chosen.policy != record.policy || choice.candidate + 2 > UINT8_MAX) return;
  if (chosen.by_place.empty()) {
    size_t places = view_->geo->location_count() + 1;
    if (bytes_ + places > most_bytes) return;
    bytes_ += places;
    chosen.by_place.resize(places);
  }
  static_assert(Choice::all == -1);
  chosen.by_place[place] = static_cast<uint8_t>(choice.candidate + 2);
  chosen.by_location = choice.by_location;
}

}  // namespace portolan::geodns
