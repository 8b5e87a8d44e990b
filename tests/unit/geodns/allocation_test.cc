// The answer path takes nothing from the heap: every operator new in this program is counted.
#include "tests/unit/allocations.hh"
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

TEST(Allocation, NoneOnTheAnswerPath) {
  test::World world;
  std::vector<test::Packet> packets;
  for (const char* name : {"www.example.com", "beta.example.com", "db.example.com", "chain.example.com",
                           "q.wild.example.com", "gone.example.com", "example.com", "elsewhere.org", "big.example.com"})
    for (uint16_t type : {dns::type_a, dns::type_aaaa, dns::type_mx, dns::type_ns, dns::type_txt, dns::type_any}) {
      test::Ask question;
      question.name = name;
      question.type = type;
      question.edns = true;
      question.options = test::subnet_option("10.1.2.0/24");
      packets.push_back(make(question));
    }
  test::Packet out(65535);
  Answerer answerer(world.rng);
  const long before = portolan::test::allocations.load();
  for (const auto& packet : packets)
    answerer.answer(packet, world.client, Transport::udp, *world.view, out, world.info);
  EXPECT_EQ(portolan::test::allocations.load(), before);
  ::operator delete(::operator new(1));  // not a new-expression: those may be optimised away
  EXPECT_GT(portolan::test::allocations.load(), before) << "the count must count";
}

}  // namespace
}  // namespace portolan::geodns
