#include "adaptive/path_profile.h"

#include <gtest/gtest.h>

namespace paceline::adaptive {
namespace {

using std::chrono::milliseconds;
constexpr std::int64_t kDay = std::int64_t{24} * 3600;

PathProfile profile(unsigned streams, std::int64_t at) {
  PathProfile p;
  p.streams = streams;
  p.rtt_min = milliseconds(40);
  p.goodput = 1e7;
  p.stream_rate = 1e7 / streams;
  p.ranges_ok = true;
  p.observed_at = at;
  return p;
}

TEST(PathProfile, ConfidenceFallsToColdInSevenDays) {
  const PathProfile p = profile(12, 1000);
  EXPECT_DOUBLE_EQ(p.aged(1000).confidence, 1);
  EXPECT_NEAR(p.aged(1000 + 7 * kDay / 2).confidence, 0.5, 1e-9);
  const PathProfile cold = p.aged(1000 + 7 * kDay);
  EXPECT_TRUE(cold.cold());
  EXPECT_EQ(cold.streams, 0U);
  EXPECT_FALSE(cold.ranges_ok.has_value());
}

TEST(PathProfile, AClockSetBackLeavesItFresh) { EXPECT_DOUBLE_EQ(profile(12, 1000).aged(0).confidence, 1); }

TEST(PathProfile, ExtremeTimesAreHarmless) {
  PathProfile p = profile(12, INT64_MIN);
  EXPECT_TRUE(p.aged(INT64_MAX).cold());
  p.observed_at = INT64_MAX;
  EXPECT_DOUBLE_EQ(p.aged(INT64_MIN).confidence, 1);
}

TEST(PathProfile, ThrottleCeilingRisesAndGoes) {
  PathProfile p = profile(5, 0);
  p.throttle_ceiling = 5;
  p.throttled_at = 0;
  EXPECT_EQ(p.aged(0).throttle_ceiling, 5U);
  EXPECT_EQ(p.aged(7 * kDay / 2).throttle_ceiling, 10U);
  EXPECT_EQ(p.aged(7 * kDay).throttle_ceiling, 0U);
}

TEST(PathProfile, ThrottleCeilingAgesOnItsOwnAcrossPulls) {
  PathProfile p = profile(5, 0);
  p.throttle_ceiling = 5;
  for (int day = 1; day <= 7; ++day) p = p.merged(profile(5, day * kDay));
  EXPECT_EQ(p.aged(7 * kDay).throttle_ceiling, 0U);
  EXPECT_DOUBLE_EQ(p.aged(7 * kDay).confidence, 1);
}

TEST(PathProfile, ALaterPullReplacesWhatItMeasured) {
  PathProfile later = profile(8, kDay);
  later.rtt_min = milliseconds(30);
  later.goodput = 2e7;
  later.ranges_ok = false;
  const PathProfile p = profile(12, 0).merged(later);
  EXPECT_EQ(p.streams, 8U);
  EXPECT_EQ(p.rtt_min, Duration(milliseconds(30)));
  EXPECT_DOUBLE_EQ(p.goodput, 2e7);
  EXPECT_EQ(p.ranges_ok, std::optional<bool>(false));
  EXPECT_EQ(p.observed_at, kDay);
}

TEST(PathProfile, APullTooShortToSettleKeepsTheOldMemory) {
  PathProfile later;
  later.rtt_min = milliseconds(60);
  later.observed_at = 100;
  const PathProfile p = profile(12, 0).merged(later);
  EXPECT_EQ(p.streams, 12U);
  EXPECT_EQ(p.observed_at, 0) << "and does not make it look fresh";
  EXPECT_LT(p.rtt_min, Duration(milliseconds(41)));
  EXPECT_EQ(p.ranges_ok, std::optional<bool>(true));
}

TEST(PathProfile, AnOldRttMinimumGivesWay) {
  PathProfile later = profile(12, 6 * kDay);
  later.rtt_min = milliseconds(80);
  const PathProfile p = profile(12, 0).merged(later);
  EXPECT_GT(p.rtt_min, Duration(milliseconds(70)));
}

TEST(PathProfile, AfterAWeekItStartsOver) {
  const PathProfile later = profile(6, 20 * kDay);
  EXPECT_EQ(profile(12, 0).merged(later), later);
}

}  // namespace
}  // namespace paceline::adaptive
