#include "adaptive/fixed_streams.h"

#include <gtest/gtest.h>

namespace paceline::adaptive {
namespace {

using std::chrono::milliseconds;

TEST(FixedStreams, StaysWhateverHappens) {
  FixedStreams c(7, Limits{});
  EXPECT_EQ(c.initial(PathFacts{}).streams, 7U);
  Observation o;
  for (int i = 0; i < 100; ++i) {
    o.now += milliseconds(50);
    o.bytes += 50'000;
    o.throttled += i % 10 == 0 ? 1 : 0;
    const Decision d = c.tick(o);
    EXPECT_EQ(d.streams, 7U);
    EXPECT_EQ(d.reason, Reason::kFixed);
    EXPECT_FALSE(d.changed);
  }
  EXPECT_NEAR(c.snapshot().goodput, 1e6, 1e4);
  EXPECT_EQ(c.learned(5).streams, 0U);
}

TEST(FixedStreams, KeepsTheLimit) {
  EXPECT_EQ(FixedStreams(100, Limits{16}).streams(), 16U);
  EXPECT_EQ(FixedStreams(0, Limits{16}).streams(), 1U);
}

TEST(MakeController, ChoosesThePolicy) {
  EXPECT_EQ(make_controller(std::nullopt, Limits{})->snapshot().policy, "adaptive");
  EXPECT_EQ(make_controller(3, Limits{})->snapshot().policy, "fixed");
}

TEST(TickInterval, IsAnRttWithinBounds) {
  EXPECT_EQ(tick_interval(milliseconds(0)), Duration(milliseconds(20)));
  EXPECT_EQ(tick_interval(milliseconds(100)), Duration(milliseconds(100)));
  EXPECT_EQ(tick_interval(milliseconds(900)), Duration(milliseconds(250)));
}

}  // namespace
}  // namespace paceline::adaptive
