#include "plugin/pull/path.h"

#include <gtest/gtest.h>

namespace paceline::pull {
namespace {

const config::Concurrency kFixed{.mode = config::ConcurrencyMode::kFixed, .streams = 3, .max_streams = 16};

TEST(Path, AFixedPolicyAllowsItsNumber) {
  Path path("host:443", kFixed, std::nullopt);
  path.open_planner(1, true).add(1, 100'000'000);
  path.wake(100'000'000, 1, {}, 0);
  EXPECT_EQ(path.budget().limit(), 3U);
  EXPECT_EQ(path.snapshot(adaptive::Time{0}).policy, "fixed:3");
}

TEST(Path, AnAdaptivePolicyStartsWithinThePapersPrior) {
  Path path("host:443", {}, std::nullopt);
  path.open_planner(1, true).add(1, 100'000'000);
  path.wake(100'000'000, 1, {}, 0);
  EXPECT_GE(path.budget().limit(), 5U);
  EXPECT_LE(path.budget().limit(), 7U);
}

TEST(Path, ANewPlannerOfTheSamePullHasAnotherSerial) {
  Path path("host:443", {}, std::nullopt);
  path.open_planner(1, true).add(1, 10);
  const auto first = path.serial(1);
  path.close(1);
  EXPECT_EQ(path.serial(1), 0U);
  path.open_planner(1, true).add(1, 10);
  EXPECT_NE(path.serial(1), first);
}

TEST(Path, ExpectsTheStreamsItsLastPullEndedWith) {
  constexpr std::int64_t kNow = 1'700'000'000;
  adaptive::PathProfile profile;
  profile.streams = 12;
  profile.observed_at = kNow;
  EXPECT_EQ(Path("host:443", {}, profile).likely_streams(kNow), 12U);
  EXPECT_EQ(Path("host:443", {}, profile).likely_streams(kNow + adaptive::kProfileLifeSeconds), 1U);
  EXPECT_EQ(Path("host:443", kFixed, profile).likely_streams(kNow), 3U);
  EXPECT_EQ(Path("host:443", {}, std::nullopt).likely_streams(kNow), 1U);
}

TEST(Path, CountsWhatHappensToIt) {
  Path path("host:443", kFixed, std::nullopt);
  path.open_planner(1, true).add(1, 100'000'000);
  path.received(30, true);
  path.received(12, false);
  path.retried(Retry::kTimeout);
  path.retried(Retry::kTimeout);
  path.ranges_refused();
  const auto counts = path.snapshot(adaptive::Time{0}).counts;
  EXPECT_EQ(counts.foreground_bytes, 30U);
  EXPECT_EQ(counts.prefetch_bytes, 12U);
  EXPECT_EQ(counts.retries, (std::map<Retry, std::uint64_t>{{Retry::kTimeout, 2}}));
  EXPECT_EQ(counts.range_fallbacks, 1U);
  EXPECT_TRUE(counts.changes.empty()) << "a fixed number never changes";
}

TEST(Path, CountsTheChangesOfItsNumberOfStreams) {
  Path path("host:443", {}, std::nullopt);
  path.open_planner(1, true).add(1, 100'000'000);
  const unsigned before = path.budget().limit();
  path.wake(100'000'000, 1, {}, 0);
  ASSERT_GT(path.budget().limit(), before);
  const auto counts = path.snapshot(adaptive::Time{0}).counts;
  const std::pair key{adaptive::Reason::kInitialCold, true};
  EXPECT_EQ(counts.changes, (decltype(counts.changes){{key, 1}}));
}

TEST(Path, RemembersThatAHostServesNoRanges) {
  adaptive::PathProfile profile;
  profile.ranges_ok = false;
  EXPECT_FALSE(Path("host:443", {}, profile).ranges());
}

}  // namespace
}  // namespace paceline::pull
