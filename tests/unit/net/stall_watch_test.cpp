#include "plugin/net/stall_watch.h"

#include <gtest/gtest.h>

namespace paceline::net {
namespace {

TEST(StallWatch, NeedsAWholeWindowBeforeItJudges) {
  StallWatch watch(1000, std::chrono::seconds(4));
  for (unsigned i = 0; i < StallWatch::kTicks; ++i) EXPECT_FALSE(watch.tick(0));
  EXPECT_TRUE(watch.tick(0));
}

TEST(StallWatch, JudgesTheMeanOfTheWindowNotOfOneTick) {
  StallWatch bursts(1000, std::chrono::seconds(4));  // 4000 bytes a window.
  std::uint64_t bytes = 0;
  for (int i = 0; i < 40; ++i) {
    if (i % 4 == 0) bytes += 4000;
    EXPECT_FALSE(bursts.tick(bytes)) << i;
  }
  StallWatch slow(1000, std::chrono::seconds(4));
  bytes = 0;
  bool stalled = false;
  for (int i = 0; i < 8; ++i) stalled = slow.tick(bytes += 900) || stalled;
  EXPECT_TRUE(stalled);
}

TEST(StallWatch, NoticesAStallAfterAFastStart) {
  StallWatch watch(1000, std::chrono::seconds(4));
  EXPECT_FALSE(watch.tick(1000000));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(watch.tick(1000000));
  EXPECT_TRUE(watch.tick(1000000));
}

}  // namespace
}  // namespace paceline::net
