#include <algorithm>
#include <cstring>

#include "core/http/chars.hh"
#include "core/http/semantics.hh"

namespace portolan::http {
namespace {

constexpr std::string_view day_names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr int64_t day_s = 86400;

struct Civil {
  int64_t year;
  int month, day;  // from 1
};

// Days since 1970 to a Gregorian date and back, counted in eras of 400 years.
Civil civil_of(int64_t days) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * day_of_year + 2) / 153;  // month from March
  int day = static_cast<int>(day_of_year - (153 * shifted + 2) / 5 + 1);
  int month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  return {year_of_era + era * 400 + (month <= 2), month, day};
}

int64_t days_of(const Civil& c) {
  int64_t year = c.year - (c.month <= 2);
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

bool is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int days_in(const Civil& c) {
  constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return lengths[c.month - 1] + (c.month == 2 && is_leap(c.year));
}

void put(char* to, int64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

// Takes parts of a date off the front; `good` turns false at the first that doesn't fit.
struct Reader {
  std::string_view text;
  bool good = true;

  void literal(std::string_view s) {
    good = good && equal_ignoring_case(text.substr(0, s.size()), s);
    if (good) text.remove_prefix(s.size());
  }
  int number(size_t digits, bool space_padded = false) {
    int value = 0;
    good = good && text.size() >= digits;
    for (size_t i = 0; good && i < digits; ++i) {
      if (space_padded && i == 0 && digits > 1 && text[0] == ' ') continue;
      good = is_class(text[i], char_digit);
      value = value * 10 + (text[i] - '0');
    }
    if (good) text.remove_prefix(digits);
    return value;
  }
  int month() {
    size_t at = 0;
    while (at < months.size() && !equal_ignoring_case(months.substr(at, 3), text.substr(0, 3))) at += 3;
    good = good && at < months.size();
    if (good) text.remove_prefix(3);
    return good ? static_cast<int>(at / 3) + 1 : 1;
  }
  int64_t time_of_day() {
    int hour = number(2);
    literal(":");
    int minute = number(2);
    literal(":");
    int second = number(2);
    good = good && hour < 24 && minute < 60 && second <= 60;
    return hour * 3600 + minute * 60 + second;
  }
};

int64_t full_year(int two_digits, int64_t now_s) {
  if (now_s == 0) return two_digits + (two_digits < 70 ? 2000 : 1900);
  int64_t this_year = civil_of(now_s / day_s).year;
  int64_t year = this_year / 100 * 100 + two_digits;
  return year > this_year + 50 ? year - 100 : year;
}

}  // namespace

void write_date(char* to, int64_t time_s) {
  int64_t days = time_s / day_s - (time_s % day_s < 0);
  int64_t second = time_s - days * day_s;
  Civil c = civil_of(days);
  std::memcpy(to, "Sun, 00 Jan 0000 00:00:00 GMT", date_size);
  auto weekday = static_cast<size_t>(((days + 4) % 7 + 7) % 7);
  std::memcpy(to, day_names[weekday].data(), 3);
  put(to + 5, c.day, 2);
  std::memcpy(to + 8, months.data() + (c.month - 1) * 3, 3);
  put(to + 12, std::clamp<int64_t>(c.year, 0, 9999), 4);
  put(to + 17, second / 3600, 2);
  put(to + 20, second / 60 % 60, 2);
  put(to + 23, second % 60, 2);
}

std::string format_date(int64_t time_s) {
  std::string out(date_size, ' ');
  write_date(out.data(), time_s);
  return out;
}

std::optional<int64_t> parse_date(std::string_view text, int64_t now_s) {
  auto named = [&](auto matches) { return std::any_of(std::begin(day_names), std::end(day_names), matches); };
  size_t comma = text.find(',');
  Reader r{text};
  Civil c{1970, 1, 1};
  int64_t time = 0;
  if (comma == std::string_view::npos) {  // asctime: "Sun Nov  6 08:49:37 1994"
    r.good = named([&](std::string_view d) { return equal_ignoring_case(d.substr(0, 3), text.substr(0, 3)); });
    r.text.remove_prefix(std::min<size_t>(3, text.size()));
    r.literal(" ");
    c.month = r.month();
    r.literal(" ");
    c.day = r.number(2, true);
    r.literal(" ");
    time = r.time_of_day();
    r.literal(" ");
    c.year = r.number(4);
  } else {
    bool fixdate = comma == 3;  // "Sun, 06 Nov 1994 …"; else "Sunday, 06-Nov-94 …"
    r.good = named(
        [&](std::string_view d) { return equal_ignoring_case(fixdate ? d.substr(0, 3) : d, text.substr(0, comma)); });
    r.text.remove_prefix(comma + 1);
    r.literal(" ");
    c.day = r.number(2);
    r.literal(fixdate ? " " : "-");
    c.month = r.month();
    r.literal(fixdate ? " " : "-");
    c.year = fixdate ? r.number(4) : full_year(r.number(2), now_s);
    r.literal(" ");
    time = r.time_of_day();
    r.literal(" GMT");
  }
  if (!r.good || !r.text.empty() || c.day < 1 || c.day > days_in(c)) return std::nullopt;
  return days_of(c) * day_s + time;
}

}  // namespace portolan::http
