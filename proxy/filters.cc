#include "proxy/filters.hh"

#include <algorithm>

#include "edge/cache.hh"

namespace portolan::proxy {
namespace {

using http::FieldId;

// For caches whose key holds these.
constexpr std::string_view device_header = "X-Device-Class";
constexpr std::string_view country_header = "X-Country-Code";
constexpr std::string_view unknown_country = "ZZ";  // ISO 3166-1 leaves it to its users

std::string_view connection_value(const http::Fields& fields, std::string& joined) {
  if (fields.count(FieldId::connection) < 2) return fields.find(FieldId::connection).value_or("");
  joined = *fields.joined(FieldId::connection);
  return joined;
}

// "1.2.3.4", "1.2.3.4:80", "[::1]:80" and "::1".
Result<IpAddress> parse_node(std::string_view text) {
  if (text.starts_with('[')) return IpAddress::parse(text.substr(1, text.find(']') - 1));
  size_t colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos)
    text = text.substr(0, colon);
  return IpAddress::parse(text);
}

// The senders a request names, the nearest last.
std::vector<std::string> named_senders(const http::RequestHead& head) {
  std::vector<std::string> senders;
  std::string_view element;
  if (auto list = head.fields.joined(FieldId::x_forwarded_for)) {
    for (http::ListCursor cursor(*list); cursor.next(element);) senders.emplace_back(element);
    return senders;
  }
  auto list = head.fields.joined(FieldId::forwarded);
  if (!list) return senders;
  for (http::ListCursor cursor(*list); cursor.next(element);) {
    std::string_view pair;
    for (http::ListCursor pairs(element, ';'); pairs.next(pair);) {
      http::Parameter p = http::split_parameter(pair);
      if (http::equal_ignoring_case(p.name, "for") && p.value)
        senders.push_back(http::unquote(*p.value).value_or(std::string(*p.value)));
    }
  }
  return senders;
}

bool replaced_for_server(FieldId id) {
  switch (id) {
    case FieldId::host:
    case FieldId::content_length:
    case FieldId::expect:
    case FieldId::via:
    case FieldId::forwarded:
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_port:
    case FieldId::x_forwarded_proto:
    case FieldId::x_real_ip:
    case FieldId::proxy_authorization:
      return true;
    default:
      return false;
  }
}

// RFC 9110 §7.6.2. Zero never comes here: it is answered by us.
bool counts_down(http::Method method) {
  return method == http::Method::trace || method == http::Method::options;
}

void write_identity(http::BlockHeadWriter& writer, const crypto::PeerIdentity& identity) {
  writer.field("Client-Cert", identity.certificate);
  writer.field("X-Client-Cert-Subject", identity.subject);
  writer.field("X-Client-Cert-Serial", identity.serial);
  writer.field("X-Client-Cert-SHA256", identity.sha256);
}

void write_forwarded(http::BlockHeadWriter& writer, const http::RequestHead& head, const RequestFilter& filter) {
  const Client& client = filter.client;
  auto ours = [&filter](std::string_view name) { return !filter.edits || !filter.edits->replaces(name); };
  char text[IpAddress::text_capacity];
  std::string_view peer(text, client.peer.print(text));
  // What may be cached learns of addresses that we know, and of no text beside them.
  if (client.through_trusted && filter.cache) {
    char behind[IpAddress::text_capacity];
    std::string list(behind, client.address.print(behind));
    if (client.address != client.peer) list.append(", ").append(peer);
    if (ours("X-Forwarded-For")) writer.field("X-Forwarded-For", list);
  } else if (client.through_trusted) {
    auto before = head.fields.joined(FieldId::x_forwarded_for);
    std::string list = before ? *before + ", " : std::string();
    if (ours("X-Forwarded-For")) writer.field("X-Forwarded-For", list.append(peer));
    if (auto forwarded = head.fields.joined(FieldId::forwarded)) {
      forwarded->append(client.peer.is_v6() ? ", for=\"[" : ", for=").append(peer);
      if (ours("Forwarded")) writer.field("Forwarded", forwarded->append(client.peer.is_v6() ? "]\"" : ""));
    }
  } else if (ours("X-Forwarded-For")) {
    writer.field("X-Forwarded-For", peer);
  }
  if (client.through_trusted) peer = {text, client.address.print(text)};
  if (ours("X-Real-IP")) writer.field("X-Real-IP", peer);
  if (ours("X-Forwarded-Proto")) writer.field("X-Forwarded-Proto", client.scheme);
  std::string_view host = filter.authority;
  auto said = client.through_trusted ? head.fields.find(FieldId::x_forwarded_host) : std::nullopt;
  if (said && !(filter.cache && filter.cache->withholds({"X-Forwarded-Host", *said, FieldId::x_forwarded_host})))
    host = *said;
  if (ours("X-Forwarded-Host")) writer.field("X-Forwarded-Host", host);
  if (!filter.prefix.empty() && ours("X-Forwarded-Prefix")) writer.field("X-Forwarded-Prefix", filter.prefix);
}

// A client's field in whose place the route, or the proxy for its sake, sends another or none.
bool gives_way(std::string_view name, const RequestFilter& filter) {
  return (filter.edits && filter.edits->replaces(name)) ||
         (!filter.prefix.empty() && http::equal_ignoring_case(name, "x-forwarded-prefix"));
}

// Whether a client may say something under this name. CGI-like servers read a_b and a-b alike: it could pass off one for
// the other.
bool may_say(std::string_view name, const RequestFilter& filter) {
  if (name.find('_') != std::string_view::npos) return false;
  bool trusted = filter.client.through_trusted;
  if ((filter.client.identity || !trusted) && names_client_certificate(name)) return false;
  if (!trusted && http::equal_ignoring_case(name, "x-forwarded-prefix")) return false;
  if (!filter.device.empty() && http::equal_ignoring_case(name, device_header)) return false;
  if (filter.tells_country && http::equal_ignoring_case(name, country_header)) return false;
  if (!filter.user_headers) return true;
  return std::none_of(filter.user_headers->begin(), filter.user_headers->end(),
                      [name](const std::string& ours) { return http::equal_ignoring_case(name, ours); });
}

// "Via: 1.1 edge-1", written where the writer stands.
void write_via(BlockWriter& out, std::string_view version, std::string_view node) {
  char* to = out.room(node.size() + 11);
  char* at = copy_short(copy_short(to, "Via: "), version);
  *at++ = ' ';
  at = copy_short(at, node);
  at = copy_short(at, "\r\n");
  out.advance(static_cast<size_t>(at - to));
}

}  // namespace

// RFC 9440, and the same in fields that need no decoding. What clients send under these names never passes, unless the
// client is a proxy that is trusted and ended TLS itself.
bool names_client_certificate(std::string_view name) {
  constexpr std::string_view ours = "x-client-cert", standard = "client-cert";
  auto begins = [name](std::string_view with) {
    return name.size() >= with.size() && http::equal_ignoring_case(name.substr(0, with.size()), with);
  };
  return begins(standard) || begins(ours);
}

Client identify_client(const http::RequestHead& head, const IpAddress& peer, const std::vector<IpNetwork>& trusted,
                       const loop::TlsSession* tls) {
  Client client;
  if (tls) {
    client.scheme = "https";
    client.identity = tls->peer();
  }
  client.peer = client.address = peer.unmapped();
  client.through_trusted = contains(trusted, client.peer);
  if (!client.through_trusted) return client;
  std::vector<std::string> senders = named_senders(head);
  for (auto sender = senders.rbegin(); sender != senders.rend(); ++sender) {
    auto address = parse_node(*sender);
    if (!address) break;
    client.address = address->unmapped();
    if (!contains(trusted, client.address)) break;
  }
  if (auto scheme = head.fields.find(FieldId::x_forwarded_proto))
    client.scheme = http::equal_ignoring_case(*scheme, "https") ? "https" : "http";
  return client;
}

void write_request(BlockWriter& out, const http::RequestHead& head, const RequestFilter& filter) {
  http::BlockHeadWriter writer(out);
  if (filter.target.empty()) {
    writer.request_line(head.method_text, head.path, head.query, head.has_query);
  } else {
    writer.request_line(head.method_text, filter.target);
  }
  bool edited = filter.edits || !filter.prefix.empty();
  writer.field("Host", filter.edits && !filter.edits->host().empty() ? filter.edits->host() : filter.authority);
  std::string joined;
  std::string_view connection = connection_value(head.fields, joined);
  for (const http::Field& f : head.fields) {
    if (replaced_for_server(f.id) || http::is_hop_by_hop(f, connection)) continue;
    if (filter.for_cache && edge::drop_for_fetch(f.id)) continue;
    if (filter.whole && (f.id == FieldId::range || f.id == FieldId::if_range)) continue;
    if (filter.cache && filter.cache->withholds(f)) continue;
    if (filter.replace_cookie && f.id == FieldId::cookie) continue;
    if (!filter.pass_authorization && f.id == FieldId::authorization) continue;
    if (!filter.user_header.empty() && http::equal_ignoring_case(f.name, filter.user_header)) continue;
    if (f.id == FieldId::max_forwards && counts_down(head.method)) {
      if (auto hops = http::parse_delta_seconds(f.value); hops && *hops > 0) {
        writer.field(f.name, uint64_t{*hops - 1});
        continue;
      }
    }
    if (f.id == FieldId::other && !may_say(f.name, filter)) continue;
    if (edited && gives_way(f.name, filter)) continue;
    writer.field(f.name, f.value);
  }
  if (filter.replace_cookie && filter.cookie && !(edited && gives_way("Cookie", filter)))
    writer.field("Cookie", *filter.cookie);
  if (filter.accept_encoding && !(edited && gives_way("Accept-Encoding", filter)))
    writer.field("Accept-Encoding", *filter.accept_encoding);
  if (head.expect_continue && !filter.for_cache) writer.field("Expect", "100-continue");
  write_forwarded(writer, head, filter);
  if (filter.client.identity) write_identity(writer, *filter.client.identity);
  if (!filter.device.empty()) writer.field(device_header, filter.device);
  if (filter.tells_country) writer.field(country_header, filter.country.empty() ? unknown_country : filter.country);
  if (!filter.user_header.empty()) writer.field(filter.user_header, filter.user);
  for (const http::Field& f : head.fields)
    if (f.id == FieldId::via) writer.field("Via", f.value);
  write_via(out, head.http2 ? "2.0" : head.minor_version == 1 ? "1.1" : "1.0", filter.node);
  if (!filter.upgrade.empty()) {
    writer.field("Connection", "Upgrade");
    writer.field("Upgrade", filter.upgrade);
    if (!filter.websocket_key.empty()) writer.field("Sec-WebSocket-Key", filter.websocket_key);
  }
  if (filter.extra)
    for (const http::Field& f : *filter.extra) writer.field(f.name, f.value);
  if (filter.edits) out.append(filter.edits->lines());
  writer.framing(filter.framing, filter.content_length);
  writer.end();
}

namespace {

// What describes the body that a 304 doesn't have; but for what tells caches which one is meant (RFC 9110 §15.4.5).
bool describes_the_body(const http::Field& f, bool has_etag) {
  switch (f.id) {
    case FieldId::content_encoding:
    case FieldId::content_language:
    case FieldId::content_type:
    case FieldId::content_range:
      return true;
    case FieldId::last_modified:
      return has_etag;
    case FieldId::other:
      break;
    default:
      return false;
  }
  for (std::string_view name : {"content-digest", "repr-digest", "digest", "content-md5"})
    if (http::equal_ignoring_case(f.name, name)) return true;
  return false;
}

// True when there was a Date among them.
bool write_fields(http::BlockHeadWriter& writer, const Answer& answer, const ResponseFilter& filter) {
  bool has_date = false;
  std::string joined;
  std::string_view connection = connection_value(*answer.fields, joined);
  const bool has_etag = answer.fields->has(FieldId::etag);
  for (const http::Field& f : *answer.fields) {
    if (answer.validates && describes_the_body(f, has_etag)) continue;
    if (f.id == FieldId::content_length || http::is_hop_by_hop(f, connection)) continue;
    if (f.id == FieldId::age && answer.age_s) continue;
    if (f.id == FieldId::date) has_date = true;
    if (!filter.upgrade.empty() && http::equal_ignoring_case(f.name, "sec-websocket-accept")) continue;
    if (filter.edits && filter.edits->replaces(f.name)) continue;
    if (filter.hide_tags && edge::is_tag_field(f)) continue;
    if (f.id == FieldId::location && !filter.location.empty()) {
      writer.field(f.name, filter.location);
      continue;
    }
    writer.field(f.name, f.value);
  }
  return has_date;
}

}  // namespace

void write_response(BlockWriter& out, const Answer& answer, const ResponseFilter& filter) {
  http::BlockHeadWriter writer(out);
  writer.status_line(answer.status, answer.reason);
  bool has_date = false;
  auto ours = [&filter](std::string_view name) { return !filter.edits || !filter.edits->replaces(name); };
  if (!answer.wire.empty() && !filter.edits && filter.location.empty()) {
    out.append(answer.wire);
    has_date = true;
  } else if (answer.fields) {
    has_date = write_fields(writer, answer, filter);
  }
  if (!has_date) writer.field("Date", filter.date);
  if (!answer.content_range.empty()) writer.field("Content-Range", answer.content_range);
  if (answer.age_s && ours("Age")) writer.field("Age", static_cast<uint64_t>(std::max<int64_t>(0, *answer.age_s)));
  if (ours("Via")) write_via(out, "1.1", filter.node);
  if (!filter.hsts.empty() && ours("Strict-Transport-Security") &&
      !(answer.fields && answer.fields->find("strict-transport-security")))
    writer.field("Strict-Transport-Security", filter.hsts);
  if (!filter.cache_status.empty() && ours("Cache-Status")) writer.field("Cache-Status", filter.cache_status);
  if (!filter.set_cookie.empty()) writer.field("Set-Cookie", filter.set_cookie);
  if (filter.edits) out.append(filter.edits->lines());
  if (filter.framing != http::Framing::none) {
    writer.framing(filter.framing, filter.length);
  } else if (filter.send_length) {
    writer.field("Content-Length", filter.length);
  }
  if (!filter.upgrade.empty()) {
    writer.field("Connection", "Upgrade");
    writer.field("Upgrade", filter.upgrade);
    if (!filter.websocket_accept.empty()) writer.field("Sec-WebSocket-Accept", filter.websocket_accept);
  } else if (filter.close) {
    writer.field("Connection", "close");
  } else if (filter.http_1_0) {
    writer.field("Connection", "keep-alive");
  }
  writer.end();
}

void write_interim(std::string& out, const http::ResponseHead& head) {
  http::HeadWriter writer(out);
  writer.status_line(head.status, head.reason);
  std::string joined;
  std::string_view connection = connection_value(head.fields, joined);
  for (const http::Field& f : head.fields)
    if (!http::is_hop_by_hop(f, connection) && f.id != FieldId::content_length) writer.field(f.name, f.value);
  writer.end();
}

bool may_be_trailer(const http::Field& field) {
  switch (field.id) {
    case FieldId::other: {
      constexpr std::string_view forwarded = "x-forwarded-";
      return !field.name.empty() && !names_client_certificate(field.name) &&
             !http::equal_ignoring_case(field.name.substr(0, forwarded.size()), forwarded);
    }
    case FieldId::etag:
    case FieldId::server:
      return true;
    default:
      return false;
  }
}

void copy_fields(const http::Fields& from, BlockRef& storage, http::Fields& to) {
  to.clear();
  size_t bytes = 0;
  for (const http::Field& f : from) bytes += f.name.size() + f.value.size();
  if (bytes == 0) return;
  storage = BlockRef::make(bytes);
  char* at = storage->data();
  auto put = [&at](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    std::string_view copied(at, text.size());
    at += text.size();
    return copied;
  };
  for (const http::Field& f : from) {
    std::string_view name = put(f.name);
    to.add({name, put(f.value), f.id});
  }
}

}  // namespace portolan::proxy
