// What is remembered of a place gives the same bytes as what is worked out anew.
#include "geodns/answer.hh"
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

class Memory : public ::testing::Test {
 protected:
  // The answer with and without what `answerer` remembers.
  void same(const std::string& subnet, uint16_t type) {
    test::Ask question;
    question.name = "www.example.com";
    question.type = type;
    question.edns = true;
    question.options = test::subnet_option(subnet);
    const test::Packet packet = make(question);
    test::Packet with(1232), without(1232);
    AnswerInfo info, plain_info;
    Answerer plain(world.rng);
    with.resize(answerer.answer(packet, world.client, Transport::udp, *world.view, with, info));
    without.resize(plain.answer(packet, world.client, Transport::udp, *world.view, without, plain_info));
    ASSERT_EQ(info.datacenter, plain_info.datacenter) << subnet;
    // Where all are down they are answered from a random one on: the sizes agree then.
    if (info.datacenter == AnswerInfo::every_datacenter) {
      ASSERT_EQ(with.size(), without.size());
    } else {
      ASSERT_EQ(with, without) << subnet;
    }
  }
  void everywhere() {
    for (int round = 0; round < 2; ++round)
      for (const char* subnet : {"10.0.0.0/24", "10.1.2.0/24", "10.2.3.0/25", "10.2.3.128/25", "198.51.100.0/24",
                                 "203.0.113.0/24", "2001:db8:f::/56", "2001:db8:1::/56"})
        for (uint16_t type : {dns::type_a, dns::type_aaaa}) same(subnet, type);
  }
  test::World world;
  Answerer answerer{world.rng};
};

TEST_F(Memory, AnswersAsWithoutIt) {
  answerer.begin(*world.view);
  everywhere();
}

TEST_F(Memory, EndsWithItsView) {
  answerer.begin(*world.view);
  everywhere();
  const auto before = world.view;  // alive, so that no other view takes its place
  for (State us : {State::down, State::up})
    for (State eu : {State::down, State::up})
      for (State jp : {State::down, State::up}) {
        world.states(us, eu, jp);
        everywhere();  // another view: nothing is taken from what is remembered
        answerer.begin(*world.view);
        everywhere();
      }
}

}  // namespace
}  // namespace portolan::geodns
