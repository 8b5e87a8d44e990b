#include "core/conf/types.hh"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "core/conf/words.hh"

namespace portolan::conf {
namespace {

// A whole number at the front of `text`, which is left at what follows.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return n;
}

struct Unit {
  std::string_view name;
  uint64_t factor;
};
constexpr Unit durations[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr Unit sizes[] = {{"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}};

template <size_t N>
std::optional<uint64_t> scaled(uint64_t n, std::string_view unit, const Unit (&units)[N]) {
  for (const Unit& u : units) {
    uint64_t out = 0;
    if (u.name == unit && !__builtin_mul_overflow(n, u.factor, &out) &&
        out <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return out;
  }
  return std::nullopt;
}

template <size_t N>
std::string largest_unit(uint64_t n, const Unit (&units)[N], std::string_view space, std::string_view unit_of_zero) {
  for (const Unit& u : units)
    if (n > 0 && n % u.factor == 0) return fmt::format("\"{}{}{}\"", n / u.factor, space, u.name);
  return fmt::format("\"0{}{}\"", space, unit_of_zero);
}

bool has_control(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

// A type that T::parse reads from a string.
template <class T>
Type<T> parsed(std::string name, std::string example) {
  Type<T> t;
  t.name = name;
  t.example = std::move(example);
  t.read = [what = "a string (" + name + ")"](Binder& binder, const Value& value, T& out) {
    if (value.kind != Value::Kind::string) return binder.must_be(value, what);
    auto result = T::parse(value.string);
    if (!result) {
      binder.error(value.where,
                   binder.subject() + ": " +
                       (has_control(value.string) ? quoted(value.string) + " is not valid" : result.error().text));
      return false;
    }
    out = *result;
    return true;
  };
  t.show = [](const T& v) { return v == T{} ? std::string() : show_string(v.to_string()); };
  return t;
}

bool read_plain(Binder& binder, const Value& value, std::string& out) {
  if (value.kind != Value::Kind::string) return binder.must_be(value, "a string");
  if (value.string.empty() || has_control(value.string))
    return binder.must_be(value, "a string that is not empty and has no control characters");
  out = value.string;
  return true;
}

std::string show_unless_empty(const std::string& text) {
  return text.empty() ? std::string() : show_string(text);
}

}  // namespace

std::optional<int64_t> parse_duration_ms(std::string_view text) {
  auto n = take_number(text);
  if (!n) return std::nullopt;
  auto out = scaled(*n, text, durations);
  return out ? std::optional(static_cast<int64_t>(*out)) : std::nullopt;
}

std::optional<uint64_t> parse_size(std::string_view text) {
  auto n = take_number(text);
  if (!n) return std::nullopt;
  if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return scaled(*n, text, sizes);
}

std::optional<double> parse_share(std::string_view text) {
  double n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || std::string_view(end, text.data() + text.size()) != "%" || !std::isfinite(n))
    return std::nullopt;
  return n / 100;
}

std::string show_duration_ms(int64_t ms) {
  return largest_unit(static_cast<uint64_t>(ms), durations, "", "s");
}

std::string show_size(uint64_t bytes) {
  return largest_unit(bytes, sizes, " ", "B");
}

std::string show_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      out += c;
  }
  return out + '"';
}

namespace detail {

std::string range(std::string lowest, std::string highest) {
  return lowest + " to " + highest;
}

std::string quotes(std::string_view shown) {
  return std::string(shown.size() < 2 ? shown : shown.substr(1, shown.size() - 2));
}

bool read_integer(Binder& binder, const Value& value, int64_t lowest, int64_t highest, int64_t& out) {
  if (value.kind != Value::Kind::integer || value.integer < lowest || value.integer > highest)
    return binder.must_be(value, fmt::format("a whole number from {} to {}", lowest, highest));
  out = value.integer;
  return true;
}

bool read_duration(Binder& binder, const Value& value, int64_t lowest_ms, int64_t highest_ms, int64_t unit_ms,
                   int64_t& out_ms) {
  std::optional<int64_t> ms;
  if (value.kind == Value::Kind::string) ms = parse_duration_ms(value.string);
  if (!ms) return binder.must_be(value, "a duration such as \"250ms\", \"2s\", \"5m\" or \"1h\"");
  if (*ms < lowest_ms || *ms > highest_ms || *ms % unit_ms != 0)
    return binder.must_be(value, fmt::format("{} from {} to {}", unit_ms == 1000 ? "whole seconds" : "a duration",
                                             show_duration_ms(lowest_ms), show_duration_ms(highest_ms)));
  out_ms = *ms;
  return true;
}

bool read_size(Binder& binder, const Value& value, uint64_t lowest, uint64_t highest, uint64_t& out) {
  std::optional<uint64_t> n;
  if (value.kind == Value::Kind::string) n = parse_size(value.string);
  if (!n) return binder.must_be(value, "a size such as \"64 KiB\", \"512 MiB\" or \"2 GiB\"");
  if (*n < lowest || *n > highest)
    return binder.must_be(value, fmt::format("a size from {} to {}", show_size(lowest), show_size(highest)));
  out = *n;
  return true;
}

}  // namespace detail

Type<bool> boolean() {
  return {"true or false",
          {},
          "true",
          [](Binder& binder, const Value& value, bool& out) {
            if (value.kind != Value::Kind::boolean) return binder.must_be(value, "true or false");
            out = value.boolean;
            return true;
          },
          [](const bool& b) { return std::string(b ? "true" : "false"); }};
}

Type<std::string> text() {
  return {"string",
          {},
          "\"…\"",
          [](Binder& binder, const Value& value, std::string& out) {
            if (value.kind != Value::Kind::string) return binder.must_be(value, "a string");
            out = value.string;
            return true;
          },
          show_string};
}

Type<std::string> string(std::string example) {
  return {"string", {}, std::move(example), read_plain, show_unless_empty};
}

Type<std::string> path(std::string example) {
  return {"path", {}, std::move(example), read_plain, show_unless_empty};
}

Type<std::string> one_of(Names allowed) {
  Type<std::string> t;
  t.name = "string";
  t.bounds = [allowed] {
    std::string out;
    for (const std::string& name : allowed()) out += (out.empty() ? "" : " | ") + name;
    return out;
  };
  t.read = [allowed](Binder& binder, const Value& value, std::string& out) {
    std::vector<std::string> names = allowed();
    if (value.kind != Value::Kind::string || std::find(names.begin(), names.end(), value.string) == names.end())
      return binder.not_one_of(value, names);
    out = value.string;
    return true;
  };
  t.show = show_unless_empty;
  if (std::vector<std::string> names = allowed(); !names.empty()) t.example = show_string(names[0]);
  return t;
}

Type<std::string> one_of(std::vector<std::string> allowed) {
  return one_of(Names([allowed = std::move(allowed)] { return allowed; }));
}

Type<std::string> reference(std::string kind) {
  Type<std::string> t = string("\"NAME\"");
  t.name = "name of a " + kind;
  t.read = [kind](Binder& binder, const Value& value, std::string& out) {
    if (!read_plain(binder, value, out)) return false;
    binder.refer(kind, out, value.where);
    return true;
  };
  return t;
}

Type<double> number(double lowest, double highest) {
  Type<double> t;
  t.name = "number";
  t.bounds = [=] { return detail::range(fmt::format("{}", lowest), fmt::format("{}", highest)); };
  t.example = fmt::format("{}", lowest);
  t.read = [=](Binder& binder, const Value& value, double& out) {
    double n = value.kind == Value::Kind::integer ? static_cast<double>(value.integer)
               : value.kind == Value::Kind::real  ? value.real
                                                  : std::nan("");
    if (!(n >= lowest && n <= highest))
      return binder.must_be(value, fmt::format("a number from {} to {}", lowest, highest));
    out = n;
    return true;
  };
  t.show = [](const double& n) { return fmt::format("{}", n); };
  return t;
}

Type<double> share(double lowest, double highest) {
  Type<double> t;
  t.name = "share";
  std::string bounds = detail::range(fmt::format("{}%", lowest * 100), fmt::format("{}%", highest * 100));
  t.bounds = [bounds] { return bounds; };
  t.example = "\"20%\"";
  t.read = [=](Binder& binder, const Value& value, double& out) {
    std::optional<double> n;
    if (value.kind == Value::Kind::string) n = parse_share(value.string);
    if (!n || *n < lowest || *n > highest) return binder.must_be(value, "a share such as \"20%\", from " + bounds);
    out = *n;
    return true;
  };
  t.show = [](const double& n) { return fmt::format("\"{:g}%\"", n * 100); };
  return t;
}

Type<SocketAddress> address() {
  Type<SocketAddress> t = parsed<SocketAddress>("IP address and port", "\"127.0.0.1:8080\"");
  t.read = [read = t.read](Binder& binder, const Value& value, SocketAddress& out) {
    const bool text = value.kind == Value::Kind::string;
    if (text && (value.string.rfind("unix:", 0) == 0 || !SocketAddress::parse(value.string)))
      return binder.must_be(value, "an IP address and port such as \"127.0.0.1:8080\" or \"[::1]:8080\"");
    return read(binder, value, out);
  };
  return t;
}

Type<HostPort> host_port() {
  Type<HostPort> t = parsed<HostPort>("host and port", "\"10.0.0.11:8080\"");
  t.name = "\"host:port\", \"[v6]:port\" or \"unix:/path\"";
  return t;
}
Type<ServerAddress> server_address() {
  Type<ServerAddress> t = parsed<ServerAddress>("server", "\"10.0.0.11:8080\"");
  t.name = "\"host:port\", \"[v6]:port\", \"unix:/path\", \"srv:NAME\" or \"file:/path\"";
  return t;
}
Type<IpAddress> ip() {
  return parsed<IpAddress>("IP address", "\"192.0.2.10\"");
}
Type<IpNetwork> network() {
  return parsed<IpNetwork>("network", "\"10.0.0.0/8\"");
}

}  // namespace portolan::conf
