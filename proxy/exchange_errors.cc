// What an exchange answers when nobody else can: a short text, or the page of its route or listener for that status.
#include "proxy/connection.hh"
#include "proxy/exchange.hh"
#include "proxy/source/respond.hh"

namespace portolan::proxy {

Exchange::Next Exchange::answer_error(int status) {
  cached_ = nullptr;
  // What can't be read has no next request behind it that could be trusted.
  if (!head_) downstream_.close_after_answer();
  return answer_made_here(Respond::error(status));
}

Exchange::Next Exchange::answer_made_here(std::unique_ptr<Source> source) {
  if (int status = source->error_status()) {
    const ErrorPage* page = route_ ? find_error_page(route_->error_pages, status) : nullptr;
    if (!page) page = find_error_page(connection_.listener().config.error_pages, status);
    if (page) source->take_page(*page);
  }
  return answer(std::move(source));
}

}  // namespace portolan::proxy
