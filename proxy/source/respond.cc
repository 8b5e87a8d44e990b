#include "proxy/source/respond.hh"

#include "proxy/error_pages.hh"

namespace portolan::proxy {

Respond::Respond(int status, std::string_view body, std::string_view content_type)
    : status_(status), body_(Slice::copy_of(body)) {
  add("Server", "Portolan");
  if (!body.empty()) add("Content-Type", content_type);
}

std::unique_ptr<Respond> Respond::error(int status) {
  std::string text = std::to_string(status) + " " + std::string(http::reason_phrase(status)) + "\n";
  auto answer = std::make_unique<Respond>(status, text, "text/plain; charset=utf-8");
  answer->error_ = true;
  answer->add("Cache-Control", "no-store");
  if (status == 503) answer->add("Retry-After", "5");
  return answer;
}

std::unique_ptr<Respond> Respond::redirect(int status, std::string location) {
  auto answer = std::make_unique<Respond>(status, "", "");
  answer->add("Location", location);
  return answer;
}

void Respond::add(std::string_view name, std::string_view value) {
  values_.push_back(Slice::copy_of(value));
  fields_.add(name, values_.back().view());
}

void Respond::take_page(const ErrorPage& page) {
  body_ = page.body;
  fields_.remove(http::FieldId::content_type);
  add("Content-Type", page.content_type);
}

Source::Head Respond::head(Answer& answer) {
  answer.status = status_;
  answer.reason = http::reason_phrase(status_);
  answer.fields = &fields_;
  answer.length = body_.size;
  return Head::ready;
}

Source::Flow Respond::proceed(Body& out, uint64_t) {
  out.append(std::move(body_));
  body_ = Slice{};
  return Flow::end;
}

}  // namespace portolan::proxy
