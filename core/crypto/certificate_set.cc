#include "core/crypto/certificate_set.hh"

#include <cstring>

namespace portolan::crypto {
namespace {

constexpr size_t longest_name = 253;  // RFC 1035 §2.3.4

void put(Identity& identity, const Certificate& certificate) {
  const Certificate*& place = identity.by_kind[static_cast<size_t>(certificate.kind)];
  if (!place || place->not_after_s < certificate.not_after_s) place = &certificate;
}

}  // namespace

CertificateSet::CertificateSet(std::vector<CertificateRef> certificates) : certificates_(std::move(certificates)) {
  names_.reserve(certificates_.size() * 2);
  for (const CertificateRef& c : certificates_)
    for (const std::string& name : c->names) put(names_[name], *c);
  if (certificates_.empty()) return;
  // The first one's name may have a certificate of another kind too.
  const Certificate& first = *certificates_.front();
  if (!first.names.empty()) fallback_ = names_[first.names.front()];
  fallback_.by_kind[static_cast<size_t>(first.kind)] = &first;
}

const Identity* CertificateSet::find(std::string_view name) const {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > longest_name) return nullptr;
  char text[longest_name + 1];
  for (size_t i = 0; i < name.size(); ++i) {
    char c = name[i];
    text[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  std::string_view lowered(text, name.size());
  if (auto exact = names_.find(lowered); exact != names_.end()) return &exact->second;
  size_t dot = lowered.find('.');
  if (dot == std::string_view::npos || dot == 0) return nullptr;
  text[dot - 1] = '*';
  auto wildcard = names_.find(lowered.substr(dot - 1));
  return wildcard == names_.end() ? nullptr : &wildcard->second;
}

}  // namespace portolan::crypto
