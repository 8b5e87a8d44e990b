#pragma once
// Parts that register themselves: one .cc with a static Registration<T> and no list anywhere else. Rooms are OBJECT
// libraries, so the linker never drops one. No allocation before main: the list is intrusive.
#include <algorithm>
#include <string_view>
#include <vector>

namespace portolan {

// Part needs a `std::string_view name`. `static const Registration<Part> registered{{...}};`
template <class Part>
class Registration {
 public:
  explicit Registration(Part part) : part_(part), next_(head()) { head() = this; }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  static const Part* find(std::string_view name) {
    for (Registration* r = head(); r; r = r->next_)
      if (r->part_.name == name) return &r->part_;
    return nullptr;
  }
  // Sorted by name: the linker's order means nothing.
  static std::vector<const Part*> all() {
    std::vector<const Part*> parts;
    for (Registration* r = head(); r; r = r->next_) parts.push_back(&r->part_);
    std::sort(parts.begin(), parts.end(), [](const Part* a, const Part* b) { return a->name < b->name; });
    return parts;
  }

 private:
  static Registration*& head() {
    static Registration* first = nullptr;
    return first;
  }
  Part part_;
  Registration* next_;
};

}  // namespace portolan
