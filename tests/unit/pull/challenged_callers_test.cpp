#include "plugin/pull/challenged_callers.h"

#include <gtest/gtest.h>

namespace paceline::pull {
namespace {

TimePoint at(int seconds) { return TimePoint(std::chrono::seconds(seconds)); }

TEST(ChallengedCallers, TheFirstRefusalCountsAndIsForgottenWithTheReturn) {
  ChallengedCallers callers;
  callers.refused("host/app", at(100), at(101));
  callers.refused("host/app", at(102), at(103));
  EXPECT_FALSE(callers.returned("host/other", at(104)));
  const auto wait = callers.returned("host/app", at(105));
  ASSERT_TRUE(wait);
  EXPECT_EQ(wait->began, at(100));
  EXPECT_EQ(wait->answered, at(101));
  EXPECT_FALSE(callers.returned("host/app", at(106)));
}

TEST(ChallengedCallers, WhoGaveUpInBetweenBeginsAnew) {
  ChallengedCallers callers;
  callers.refused("host/app", at(100), at(101));
  callers.refused("host/app", at(116), at(117));
  const auto wait = callers.returned("host/app", at(118));
  ASSERT_TRUE(wait);
  EXPECT_EQ(wait->began, at(116));
}

TEST(ChallengedCallers, WhoComesMuchLaterBeginsAnew) {
  ChallengedCallers callers;
  callers.refused("host/app", at(100), at(101));
  EXPECT_FALSE(callers.returned("host/app", at(1000)));
}

}  // namespace
}  // namespace paceline::pull
