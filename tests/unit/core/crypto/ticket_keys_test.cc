#include "core/crypto/ticket_keys.hh"

#include <gtest/gtest.h>

namespace portolan::crypto {
namespace {

TEST(TicketKeyRings, AddAKeyEveryPeriodAndForgetTheOldest) {
  TicketKeys keys = TicketKeys::fresh(1000);
  bool rotated = true;
  TicketKeys same = keys.at(1000 + TicketKeys::period_s - 1, rotated);
  EXPECT_FALSE(rotated);
  EXPECT_EQ(same.all().size(), 1u);
  TicketKeys next = keys.at(1000 + TicketKeys::period_s, rotated);
  EXPECT_TRUE(rotated);
  ASSERT_EQ(next.all().size(), 2u);
  EXPECT_EQ(next.all()[1].name, keys.newest().name);
  EXPECT_NE(next.newest().name, keys.newest().name);
  int64_t now = 1000;
  for (int i = 0; i < 10; ++i) keys = keys.at(now += TicketKeys::period_s, rotated);
  EXPECT_EQ(keys.all().size(), TicketKeys::most_keys);
  // What slept through all of them opens nothing any more.
  TicketKeys late = keys.at(now + 10 * TicketKeys::period_s, rotated);
  EXPECT_EQ(late.all().size(), 1u);
  EXPECT_EQ(late.find(keys.newest().name.data()), nullptr);
  // Made under a clock that was ahead.
  EXPECT_EQ(TicketKeys::fresh(99'999).at(5, rotated).all().size(), 1u);
  EXPECT_TRUE(rotated);
}

TEST(TicketKeyRings, AreReadAsTheyWereWritten) {
  bool rotated = false;
  TicketKeys keys = TicketKeys::fresh(1000).at(1000 + TicketKeys::period_s, rotated);
  std::string bytes = keys.write();
  auto read = TicketKeys::read(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->write(), bytes);
  EXPECT_TRUE(read->is_newest(*read->find(keys.newest().name.data())));
  for (size_t cut = 0; cut < bytes.size(); ++cut)
    if (cut != bytes.size() - (bytes.size() - 19) / 2) EXPECT_FALSE(TicketKeys::read(bytes.substr(0, cut))) << cut;
  EXPECT_FALSE(TicketKeys::read(bytes + bytes));
}

}  // namespace
}  // namespace portolan::crypto
