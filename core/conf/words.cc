#include "core/conf/words.hh"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace portolan::conf {
namespace {

constexpr size_t longest_word = 64;
constexpr size_t shortest_start = 3;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> before, above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t cost = lower(a[i - 1]) != lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + cost});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    std::swap(above, row);
  }
  return above[b.size()];
}

// The length of the well-formed UTF-8 sequence at the front of `text`, or 0.
size_t sequence(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  size_t length = byte(0) < 0x80 ? 1 : byte(0) >> 5 == 6 ? 2 : byte(0) >> 4 == 14 ? 3 : byte(0) >> 3 == 30 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if (byte(i) >> 6 != 2) return 0;
  return length;
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    if (i >= 80) {
      out += "…";
      break;
    }
    auto c = static_cast<unsigned char>(text[i]);
    size_t length = sequence(text.substr(i));
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i++];
    } else if (c < 0x20 || c == 0x7f || length == 0) {
      out += fmt::format("\\x{:02x}", c);
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out + '"';
}

std::string key_text(std::string_view key) {
  bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return bare ? std::string(key) : quoted(key);
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > longest_word) return {};
  if (word.size() >= shortest_start) {
    const auto begins = [word](const std::string& c) {
      return edits(word, std::string_view(c).substr(0, word.size())) == 0;
    };
    const auto begun = std::find_if(candidates.begin(), candidates.end(), begins);
    if (begun != candidates.end() && std::find_if(begun + 1, candidates.end(), begins) == candidates.end())
      return *begun;
  }
  std::string best;
  size_t fewest = word.size() <= 2 ? 1 : 2 + word.size() / 8;
  ++fewest;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest_word) continue;
    size_t n = edits(word, candidate);
    if (n < fewest && n < std::max(word.size(), candidate.size())) {
      fewest = n;
      best = candidate;
    }
  }
  // Two edits in four letters are another word.
  return fewest * 2 >= std::max<size_t>(word.size(), 3) ? std::string() : best;
}

std::string remedy(std::string_view word, const std::vector<std::string>& candidates, std::string_view label) {
  if (candidates.empty()) return {};
  if (std::string near = nearest(word, candidates); !near.empty())
    return fmt::format("; did you mean {}?", quoted(near));
  std::string list;
  for (size_t i = 0; i < candidates.size() && i < 20; ++i) list += (i ? ", " : "") + key_text(candidates[i]);
  if (candidates.size() > 20) list += ", …";
  return fmt::format("; {}: {}", label, list);
}

}  // namespace portolan::conf
