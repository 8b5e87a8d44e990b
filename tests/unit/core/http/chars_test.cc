#include "core/http/chars.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace portolan::http {
namespace {

// What looks at many bytes at once says the same as a look at each, wherever an odd byte stands.
template <class Check>
void with_each_byte_at_each_place(Check check) {
  for (size_t size : {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40})
    for (size_t at = 0; at < size; ++at)
      for (int c = 0; c < 256; ++c) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(c);
        check(text);
      }
}

TEST(Chars, SpansOfValuesAreThoseOfTheirClass) {
  with_each_byte_at_each_place([](const std::string& text) {
    ASSERT_EQ(span_of_value(text.data(), text.size()), span_of_class(text.data(), text.size(), char_value)) << text;
  });
}

TEST(Chars, SpansOfTargetsAreThoseOfTheirClass) {
  with_each_byte_at_each_place([](const std::string& text) {
    ASSERT_EQ(span_of_target(text.data(), text.size()), span_of_class(text.data(), text.size(), char_target)) << text;
  });
}

TEST(Chars, UsualNamesAreLettersDigitsAndHyphens) {
  auto usual = [](char c) { return is_class(c, char_alpha | char_digit) || c == '-'; };
  with_each_byte_at_each_place([&](const std::string& text) {
    size_t n = span_of_usual_name(text.data(), text.size());
    ASSERT_LE(n, text.size());
    ASSERT_TRUE(std::all_of(text.begin(), text.begin() + static_cast<long>(n), usual)) << text;
    if (n % 16 != 0) {
      ASSERT_FALSE(usual(text[n])) << text;
    }
  });
}

TEST(Chars, LowersUpToTheStop) {
  with_each_byte_at_each_place([](std::string text) {
    for (char& c : text)
      if (c == 'a') c = 'Q';
    size_t stop = std::min(text.find(':'), text.size());
    std::string expected = text;
    for (size_t i = 0; i < stop; ++i) expected[i] = lower(expected[i]);
    ASSERT_EQ(lower_until(text.data(), text.data() + text.size(), ':'), text.data() + stop);
    ASSERT_EQ(text, expected);
  });
}

}  // namespace
}  // namespace portolan::http
