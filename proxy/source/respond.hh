#pragma once
// An answer made here: `respond`, `redirect`, and every error.
#include "proxy/source/source.hh"

namespace portolan::proxy {

class Respond final : public Source, public Recycled {
 public:
  Respond(int status, std::string_view body, std::string_view content_type);
  // An error as a short text, with Retry-After where it may pass (429, 503).
  static std::unique_ptr<Respond> error(int status);
  static std::unique_ptr<Respond> redirect(int status, std::string location);
  void add(std::string_view name, std::string_view value);

  Head head(Answer& answer) override;
  Flow proceed(Body& out, uint64_t most) override;
  int error_status() const override { return error_ ? status_ : 0; }
  void take_page(const ErrorPage& page) override;

 private:
  int status_;
  bool error_ = false;
  Slice body_;
  std::vector<Slice, RecycledAllocator<Slice>> values_;
  http::Fields fields_;
};

}  // namespace portolan::proxy
