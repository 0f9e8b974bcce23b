#include <gtest/gtest.h>

#include "adaptive/host_silence.h"
#include "adaptive/rate_cap.h"

namespace paceline::adaptive {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using Seconds = std::chrono::seconds;

TEST(HostSilence, HonoursRetryAfter) {
  HostSilence s;
  EXPECT_FALSE(s.silent(Seconds(0)));
  s.throttled(Seconds(10), Seconds(7));
  EXPECT_TRUE(s.silent(Seconds(16)));
  EXPECT_EQ(s.left(Seconds(16)), Duration(Seconds(1)));
  EXPECT_FALSE(s.silent(Seconds(17)));
  s.throttled(Seconds(11), Seconds(1));
  EXPECT_EQ(s.until(), Time(Seconds(17))) << "a shorter one does not shorten";
}

TEST(HostSilence, BelievesFiveMinutesAtMost) {
  HostSilence s;
  s.throttled(Seconds(0), hours(24));
  EXPECT_EQ(s.until(), Time(minutes(5)));
}

TEST(HostSilence, NamelessPausesDoubleUntilASuccess) {
  HostSilence s;
  Time now{0};
  for (int pause : {1, 2, 4, 8, 16, 32, 32}) {
    s.throttled(now, Duration{0});
    s.throttled(now + milliseconds(1), Duration{0});  // of the same burst
    EXPECT_EQ(s.until() - now, Duration(Seconds(pause)));
    now = s.until();
  }
  s.succeeded();
  s.throttled(now, Duration{0});
  EXPECT_EQ(s.until() - now, Duration(Seconds(1)));
}

TEST(RateCap, NoCapNeverWaits) {
  RateCap cap;
  cap.take(1ULL << 40U, Seconds(0));
  EXPECT_EQ(cap.wait(Seconds(0)), Duration{0});
}

TEST(RateCap, HoldsTheRateOverTime) {
  RateCap cap(1'000'000);
  Time now{0};
  std::uint64_t taken = 0;
  while (now < Seconds(60)) {
    now += cap.wait(now) + milliseconds(1);
    cap.take(50'000, now);
    taken += 50'000;
  }
  EXPECT_NEAR(static_cast<double>(taken), 60e6, 0.4e6);
}

TEST(RateCap, IdleTimeIsNotSavedUp) {
  RateCap cap(1'000'000);
  cap.take(1, Seconds(0));
  cap.take(100'000, hours(1));
  EXPECT_EQ(cap.wait(hours(1)), Duration{0});
  cap.take(1'000'000, hours(1));
  EXPECT_EQ(cap.wait(hours(1)), Duration(Seconds(1)));
}

TEST(RateCap, ADebtKeepsItsTimeWhenTheRateChanges) {
  RateCap cap(10'000'000);
  cap.take(11'000'000, Seconds(0));  // one second of debt beyond the burst
  EXPECT_EQ(cap.wait(Seconds(0)), Duration(Seconds(1)));
  cap.set_rate(100'000, Seconds(0));
  EXPECT_EQ(cap.wait(Seconds(0)), Duration(Seconds(1)));
  cap.set_rate(0, Seconds(0));
  EXPECT_EQ(cap.wait(Seconds(0)), Duration{0});
}

TEST(RateCap, AClockThatStepsBackIsHarmless) {
  RateCap cap(1'000'000);
  cap.take(500'000, Seconds(100));
  EXPECT_EQ(cap.wait(Seconds(50)), Duration(milliseconds(400)));
}

}  // namespace
}  // namespace paceline::adaptive
