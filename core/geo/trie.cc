#include "core/geo/trie.hh"

namespace portolan::geo {

Result<Trie::Ref> Trie::leaf(const Location& location) {
  if (!location.known()) return Ref{nothing};
  const uint32_t fresh = static_cast<uint32_t>(locations_.size());
  const uint32_t id =
      ids_.number_of(LocationHash{}(location), fresh, [&](uint32_t known) { return locations_[known] == location; });
  if (id != fresh) return Ref{leaf_bit | id};
  if (fresh >= alias_id) {
    overflowed_ = true;
    return Error{"more than 16777214 distinct locations"};
  }
  locations_.push_back(location);
  return Ref{leaf_bit | id};
}

Trie::Ref Trie::only(const IpNetwork& network, Ref leaf) {
  Ref ref = leaf;
  for (unsigned i = network.length; i-- > 0;) ref = network.address.bit(i) ? join(nothing, ref) : join(ref, nothing);
  return ref;
}

Result<Trie::Roots> Trie::overlay(const Roots& under, const Roots& over) {
  Roots r;
  r.v4 = overlay(under.v4, over.v4, under, over);
  r.v6 = overlay(under.v6, over.v6, under, over);
  if (overflowed_) return Error{"more than 16777214 distinct locations"};
  return r;
}

// Recursion is bounded by the 128 bits of an address.
Trie::Ref Trie::overlay(Ref under, Ref over, const Roots& under_roots, const Roots& over_roots) {
  if (over == nothing || under == over) return under;
  if (under == nothing) return over;
  // An alias meets other data: from here on the IPv4 trie stands in its place.
  if (under == alias) under = under_roots.v4;
  if (over == alias) over = over_roots.v4;
  if (is_leaf(under) && is_leaf(over)) return overlay_leaves(under, over);
  Ref left = overlay(child(under, false), child(over, false), under_roots, over_roots);
  Ref right = overlay(child(under, true), child(over, true), under_roots, over_roots);
  return join(left, right);
}

Trie::Ref Trie::overlay_leaves(Ref under, Ref over) {
  if (over == nothing) return under;
  if (under == nothing) return over;
  auto [at, fresh] = combined_.try_emplace(uint64_t{under} << 32 | over, nothing);
  if (!fresh) return at->second;
  auto both = leaf(combine(locations_[id(under)], locations_[id(over)]));
  if (both) at->second = *both;
  return at->second;
}

}  // namespace portolan::geo
