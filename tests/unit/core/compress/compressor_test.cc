// What is compressed here is what the libraries' own decoders give back.
#include "core/compress/compressor.hh"

#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/clock.hh"

namespace portolan::compress {
namespace {

using http::Coding;

std::string inflated(const std::string& bytes, size_t size) {
  std::string out(size + 1, '\0');
  z_stream s{};
  inflateInit2(&s, 15 + 16);  // gzip alone
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  s.avail_in = static_cast<uInt>(bytes.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data());
  s.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&s, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(s.avail_in, 0u);
  out.resize(s.total_out);
  inflateEnd(&s);
  return out;
}

std::string decoded(Coding coding, const std::string& bytes, size_t size) {
  if (coding == Coding::gzip) return inflated(bytes, size);
  std::string out(size + 1, '\0');
  size_t n = out.size();
  if (coding == Coding::br) {
    auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
    EXPECT_EQ(BrotliDecoderDecompress(bytes.size(), in, &n, reinterpret_cast<uint8_t*>(out.data())),
              BROTLI_DECODER_RESULT_SUCCESS);
  } else {
    n = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
    EXPECT_FALSE(ZSTD_isError(n)) << ZSTD_getErrorName(n);
  }
  out.resize(n);
  return out;
}

std::string words(size_t size) {
  std::string out;
  for (unsigned i = 0; out.size() < size; ++i) out += "word" + std::to_string(i * 7919 % 1000) + (i % 9 ? " " : "\n");
  out.resize(size);
  return out;
}

std::string noise(size_t size) {
  Rng rng(1);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

std::string compressed(Coding coding, std::string_view bytes, size_t step, Levels levels = {}) {
  auto compressor = make_compressor(coding, levels, bytes.size());
  EXPECT_TRUE(compressor);
  std::string out;
  size_t at = 0;
  do {
    std::string_view part = bytes.substr(at, step);
    at += part.size();
    EXPECT_TRUE(compressor->add(part, at == bytes.size(), out));
  } while (at < bytes.size());
  return out;
}

constexpr Coding all[] = {Coding::gzip, Coding::br, Coding::zstd};

TEST(Compressor, GivesBackWhatItGotHoweverSplit) {
  for (Coding coding : all) {
    for (size_t size : {0u, 1u, 100u, 70'000u, 1'000'000u})
      for (size_t step : {size_t{7'777}, size_t{2'000'000}}) {
        std::string plain = words(size);
        EXPECT_EQ(decoded(coding, compressed(coding, plain, step), size), plain) << coding_name(coding) << size;
      }
    std::string little = words(300);
    EXPECT_EQ(decoded(coding, compressed(coding, little, 1), 300), little) << "a byte at a time";
  }
}

TEST(Compressor, TextGetsSmallAndNoiseNeverLargerThanTold) {
  for (Coding coding : all) {
    EXPECT_LT(compressed(coding, words(200'000), 65'536).size(), 70'000u) << coding_name(coding);
    for (size_t size : {0u, 1u, 1000u, 3'000'000u})
      EXPECT_LE(compressed(coding, noise(size), 65'536).size(), largest_output(size)) << coding_name(coding);
  }
}

TEST(Compressor, HigherLevelsTakeTheirTimeAndGetSmaller) {
  std::string plain = words(300'000);
  EXPECT_LT(compressed(Coding::gzip, plain, 65'536, {9, 9, 19}).size(),
            compressed(Coding::gzip, plain, 65'536, {1, 1, 1}).size());
  EXPECT_LT(compressed(Coding::br, plain, 65'536, {9, 11, 19}).size(),
            compressed(Coding::br, plain, 65'536, {1, 1, 1}).size());
  EXPECT_LT(compressed(Coding::zstd, plain, 65'536, {9, 9, 19}).size(),
            compressed(Coding::zstd, plain, 65'536, {1, 1, 1}).size());
}

TEST(Compressor, IdentityIsNone) {
  EXPECT_FALSE(make_compressor(Coding::identity, {}, 1));
}

}  // namespace
}  // namespace portolan::compress
