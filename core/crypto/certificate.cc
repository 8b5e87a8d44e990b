#include "core/crypto/certificate.hh"

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "core/crypto/openssl.hh"

namespace portolan::crypto {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  return out;
}

// The blocks of a PEM text, one after the other; what stands between them doesn't matter.
class PemReader {
 public:
  explicit PemReader(std::string_view text) : bio_(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))) {}
  ~PemReader() { drop(); }
  PemReader(const PemReader&) = delete;
  PemReader& operator=(const PemReader&) = delete;
  bool next() {
    drop();
    return PEM_read_bio(bio_.get(), &name_, &header_, &data_, &size_) == 1;
  }
  std::string_view name() const { return name_; }
  bool encrypted() const { return header_ && *header_; }
  std::string_view data() const { return {reinterpret_cast<const char*>(data_), static_cast<size_t>(size_)}; }

 private:
  void drop() {
    OPENSSL_free(name_);
    OPENSSL_free(header_);
    OPENSSL_clear_free(data_, static_cast<size_t>(size_));
    name_ = header_ = nullptr;
    data_ = nullptr;
    size_ = 0;
  }
  BioPtr bio_;
  char* name_ = nullptr;
  char* header_ = nullptr;
  unsigned char* data_ = nullptr;
  long size_ = 0;
};

X509Ptr parse(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  X509Ptr x(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (x && at != reinterpret_cast<const unsigned char*>(der.data() + der.size())) x.reset();
  return x;
}

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

std::vector<std::string> names_of(X509* x) {
  std::vector<std::string> names;
  auto* alternatives = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) names.push_back(lower(text_of(name->d.dNSName)));
  }
  GENERAL_NAMES_free(alternatives);
  if (!names.empty()) return names;
  // As browsers did before 2017, and as test certificates still are.
  X509_NAME* subject = X509_get_subject_name(x);
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) names.push_back(lower(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)))));
  return names;
}

KeyKind kind_of(X509* x) {
  const X509_ALGOR* algorithm = nullptr;
  X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, const_cast<X509_ALGOR**>(&algorithm), X509_get_X509_PUBKEY(x));
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  switch (OBJ_obj2nid(object)) {
    case NID_X9_62_id_ecPublicKey:
      return KeyKind::ecdsa;
    case NID_rsaEncryption:
      return KeyKind::rsa;
    default:
      return KeyKind::other;
  }
}

// The number that makes the public key: a curve's point, or an RSA modulus. Empty for other kinds.
std::string public_number(X509* x, KeyKind kind) {
  const ASN1_BIT_STRING* bits = X509_get0_pubkey_bitstr(x);
  std::string_view all = text_of(bits);
  if (kind == KeyKind::ecdsa) return std::string(all);
  if (kind != KeyKind::rsa) return {};
  // RSAPublicKey is a sequence of two integers, the modulus first.
  const auto* at = reinterpret_cast<const unsigned char*>(all.data());
  STACK_OF(ASN1_TYPE)* sequence = d2i_ASN1_SEQUENCE_ANY(nullptr, &at, static_cast<long>(all.size()));
  std::string modulus;
  if (sk_ASN1_TYPE_num(sequence) > 0 && sk_ASN1_TYPE_value(sequence, 0)->type == V_ASN1_INTEGER)
    modulus = text_of(sk_ASN1_TYPE_value(sequence, 0)->value.integer);
  sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
  return modulus;
}

// A private key's DER holds its public half, which is how most are matched without the half millisecond that OpenSSL
// 3.0 takes to decode one.
bool belongs(const Certificate& c, X509* x) {
  std::string number = public_number(x, c.kind);
  if (number.size() >= 32 && c.key.find(number) != std::string::npos) return true;
  const auto* at = reinterpret_cast<const unsigned char*>(c.key.data());
  KeyPtr key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(c.key.size())));
  return key && X509_check_private_key(x, key.get()) == 1;
}

// Its outermost length says how long it is: one that was cut short does not pass.
bool whole_der(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  long length = 0;
  int tag = 0, kind = 0;
  int flags = ASN1_get_object(&at, &length, &tag, &kind, static_cast<long>(der.size()));
  if (flags & 0x80 || tag != V_ASN1_SEQUENCE) return false;
  return reinterpret_cast<const char*>(at) + length == der.data() + der.size();
}

int64_t seconds_of(const ASN1_TIME* time) {
  static const std::unique_ptr<ASN1_TIME, FreeWith<ASN1_STRING_free>> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0, seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return 0;
  return int64_t{days} * 86'400 + seconds;
}

// What a server sends besides its own: not the root, which the client has or will not trust.
bool self_signed(std::string_view der) {
  X509Ptr x = parse(der);
  return x && X509_NAME_cmp(X509_get_subject_name(x.get()), X509_get_issuer_name(x.get())) == 0;
}

bool is_certificate(std::string_view name) {
  return name == "CERTIFICATE" || name == "X509 CERTIFICATE" || name == "TRUSTED CERTIFICATE";
}

}  // namespace

Certificate::~Certificate() {
  OPENSSL_cleanse(key.data(), key.size());
}

Result<std::shared_ptr<Certificate>> read_certificate(std::string_view pem, std::string_view key_pem,
                                                      const std::string& file, const std::string& key_file) {
  auto c = std::make_shared<Certificate>();
  c->file = file;
  Chain chain;
  for (PemReader reader(pem); reader.next();) {
    if (!is_certificate(reader.name())) continue;
    if (c->leaf.empty()) {
      c->leaf = reader.data();
    } else {
      chain.emplace_back(reader.data());
    }
  }
  if (c->leaf.empty()) return Error{file + ": no certificate in it; PEM is expected, the server's own first"};
  for (PemReader reader(key_pem); reader.next() && c->key.empty();) {
    if (!reader.name().ends_with("PRIVATE KEY")) continue;
    if (reader.encrypted() || reader.name().starts_with("ENCRYPTED"))
      return Error{key_file + ": the key needs a passphrase; write it without one (openssl pkey -in KEY)"};
    c->key = reader.data();
  }
  if (c->key.empty()) return Error{key_file + ": no private key in it; give it in the same file, or as key = \"FILE\""};
  X509Ptr x = parse(c->leaf);
  if (!x) return Error{file + ": the certificate is broken: " + take_error()};
  c->kind = kind_of(x.get());
  if (!whole_der(c->key) || !belongs(*c, x.get())) {
    take_error();
    return Error{key_file + ": the key is broken or doesn't belong to the certificate of " + file};
  }
  while (!chain.empty() && self_signed(chain.back())) chain.pop_back();
  for (const std::string& der : chain)
    if (!parse(der)) return Error{file + ": a certificate of the chain is broken: " + take_error()};
  c->chain = std::make_shared<const Chain>(std::move(chain));
  c->names = names_of(x.get());
  c->not_after_s = seconds_of(X509_get0_notAfter(x.get()));
  take_error();
  return c;
}

}  // namespace portolan::crypto
