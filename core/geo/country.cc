#include "core/geo/country.hh"

#include <fmt/format.h>

#include "core/conf/types.hh"
#include "core/conf/words.hh"

namespace portolan::geo {
namespace {

// ISO 3166-1 alpha-2, and XK as the databases write Kosovo.
constexpr std::string_view countries =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA "
    "CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA "
    "GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP "
    "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS "
    "MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS "
    "RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW ";

// What people write instead.
std::string_view meant(std::string_view code) {
  if (code == "UK" || code == "EN") return "GB";
  if (code == "EL") return "GR";
  return {};
}

}  // namespace

conf::Type<std::string> country() {
  conf::Type<std::string> t = conf::string("\"DE\"");
  t.name = "country";
  t.read = [read = t.read](conf::Binder& binder, const conf::Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    for (char& c : out)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (out.size() == 2 && out.find(' ') == std::string::npos && countries.find(out + " ") != std::string_view::npos)
      return true;
    std::string_view near = meant(out);
    return binder.must_be(
        value, near.empty() ? std::string("a country's two letters (ISO 3166-1), such as \"DE\"")
                            : fmt::format("a country's two letters (ISO 3166-1), such as {}", conf::quoted(near)));
  };
  return t;
}

}  // namespace portolan::geo
