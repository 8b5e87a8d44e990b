// Accept-Encoding (RFC 9110 §12.5.3).
#include "core/http/encoding.hh"

#include <gtest/gtest.h>

namespace portolan::http {
namespace {

constexpr Coding ours[] = {Coding::br, Coding::zstd, Coding::gzip};

Coding chosen(std::string_view value) {
  return AcceptedCodings(value).choose(ours);
}

TEST(AcceptEncoding, TheHighestWeightWinsAndOursAmongEquals) {
  const struct {
    const char* value;
    Coding coding;
  } rows[] = {
      {"", Coding::identity},
      {"identity", Coding::identity},
      {"gzip", Coding::gzip},
      {"GZIP", Coding::gzip},
      {"x-gzip", Coding::gzip},
      {"gzip, deflate, br, zstd", Coding::br},
      {"zstd, gzip", Coding::zstd},
      {"gzip;q=1.0, br;q=0.5", Coding::gzip},
      {"gzip ; q=0.5 , br;Q=0.7", Coding::br},
      {"br;q=0", Coding::identity},
      {"br;q=0, gzip;q=0.001", Coding::gzip},
      {"*", Coding::br},
      {"*;q=0", Coding::identity},
      {"br;q=0, *", Coding::zstd},
      {"gzip, *;q=0.1", Coding::gzip},
      {"identity, gzip;q=0.5", Coding::identity},
      {"identity;q=0.5, gzip;q=0.5", Coding::gzip},
      {"identity;q=0", Coding::identity},
      {"identity;q=0, gzip", Coding::gzip},
      {"deflate", Coding::identity},
      {",, gzip ,", Coding::gzip},
      {"gzip;q=2", Coding::identity},
      {"gzip;q=0.0001", Coding::identity},
      {"gzip;q=1.001", Coding::identity},
      {"gzip;q=", Coding::identity},
      {"gzip;q", Coding::identity},
      {"gzip;x=1", Coding::gzip},
      {"gzipx", Coding::identity},
      {"br br", Coding::identity},
  };
  for (const auto& row : rows) EXPECT_EQ(chosen(row.value), row.coding) << row.value;
}

TEST(AcceptEncoding, WithoutTheFieldThePlainBytes) {
  Fields none;
  EXPECT_EQ(AcceptedCodings(none).choose(ours), Coding::identity);
  EXPECT_TRUE(AcceptedCodings(none).takes(Coding::identity));
  EXPECT_FALSE(AcceptedCodings("identity;q=0").takes(Coding::identity));
  EXPECT_FALSE(AcceptedCodings("*;q=0").takes(Coding::identity));
}

TEST(AcceptEncoding, LinesAreOneList) {
  Fields two;
  two.add("Accept-Encoding", "gzip;q=0.5");
  two.add("Accept-Encoding", "br");
  EXPECT_EQ(AcceptedCodings(two).choose(ours), Coding::br);
}

TEST(AcceptEncoding, NothingOfferedIsIdentity) {
  EXPECT_EQ(AcceptedCodings("gzip").choose({}), Coding::identity);
}

TEST(AcceptEncoding, NamesAndSuffixes) {
  for (Coding c : ours) EXPECT_EQ(coding_of(coding_name(c)), c);
  EXPECT_EQ(coding_suffix(Coding::zstd), ".zst");
  EXPECT_FALSE(coding_of("deflate"));
}

}  // namespace
}  // namespace portolan::http
