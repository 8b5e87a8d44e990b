#include "daemon/error_pages.hh"

#include <map>

#include "daemon/files.hh"

namespace portolan::daemon {
namespace {

constexpr size_t largest_page = 1 << 20;

template <class C, class Each>
void each_page(C& config, Each each) {
  for (auto& listener : config.listeners)
    for (auto& page : listener.error_pages) each(page);
  for (auto& route : config.routes)
    for (auto& page : route.error_pages) each(page);
}

}  // namespace

std::vector<std::string> read_error_pages(Config& config) {
  std::vector<std::string> errors;
  std::map<std::string, Slice> read;  // many routes share a page
  each_page(config, [&](proxy::ErrorPage& page) {
    auto [at, fresh] = read.emplace(page.path, Slice{});
    if (fresh) {
      auto text = read_file(page.path, largest_page);
      if (text) at->second = Slice::copy_of(*text);
      if (!text) errors.push_back(page.where + ": " + text.error().text);
    }
    page.body = at->second;
  });
  return errors;
}

std::vector<std::string> error_page_files_of(const Config& config) {
  std::vector<std::string> files;
  each_page(config, [&](const proxy::ErrorPage& page) { files.push_back(page.path); });
  return files;
}

}  // namespace portolan::daemon
