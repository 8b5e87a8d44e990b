#include "proxy/country.hh"

namespace portolan::proxy {

void ClientCountry::ask(const IpAddress& client, const geo::Table* table) {
  asked_ = true;
  if (table) code_ = table->location(table->find(client).place).country;
}

}  // namespace portolan::proxy
