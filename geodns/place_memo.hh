#pragma once
// What was chosen for each place, for policies that go by place: chosen once a View, then read from one byte. One a
// worker, used by its thread. At most 16 MiB; what finds no room is chosen anew for every query.
#include <cstdint>
#include <optional>
#include <vector>

#include "geodns/view.hh"

namespace portolan::geodns {

class PlaceMemo {
 public:
  // Forgets everything: from now on it is of `view`, which outlives its use.
  void begin(const View& view);
  bool is_of(const View& view) const { return view_ == &view; }

  // What was kept for a place of the view's table; nullopt: nothing yet. The candidates are those of the service's
  // sites with addresses of the family.
  std::optional<Choice> find(const ServiceRecord& record, bool v6, uint32_t place) const;
  void keep(const ServiceRecord& record, bool v6, uint32_t place, const Choice& choice);

 private:
  struct Chosen {
    const PolicyPart* policy = nullptr;  // whose choices they are: the first one's that asked
    std::vector<uint8_t> by_place;       // 0: not yet; 1: all of them; from 2 on: the candidate
    bool by_location = false;            // the same for every place: the sites decide that
  };
  static constexpr size_t most_bytes = 16 << 20;
  const View* view_ = nullptr;
  size_t bytes_ = 0;
  std::vector<Chosen> chosen_;  // by service and family
};

}  // namespace portolan::geodns
