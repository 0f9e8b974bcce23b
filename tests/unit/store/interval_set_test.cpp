#include "plugin/store/interval_set.h"

#include <gtest/gtest.h>

#include <random>

namespace paceline::store {
namespace {

using Ranges = std::vector<ByteRange>;

TEST(IntervalSet, MergesNeighboursAndOverlaps) {
  IntervalSet set;
  set.add(10, 20);
  set.add(30, 40);
  EXPECT_EQ(set.ranges(), (Ranges{{10, 20}, {30, 40}}));
  set.add(20, 30);
  EXPECT_EQ(set.ranges(), (Ranges{{10, 40}}));
  set.add(5, 5);
  set.add(0, 50);
  EXPECT_EQ(set.ranges(), (Ranges{{0, 50}}));
}

TEST(IntervalSet, PrefixStartsAtZero) {
  IntervalSet set;
  EXPECT_EQ(set.prefix(), 0U);
  set.add(1, 5);
  EXPECT_EQ(set.prefix(), 0U);
  set.add(0, 1);
  EXPECT_EQ(set.prefix(), 5U);
}

TEST(IntervalSet, NamesTheGaps) {
  IntervalSet set;
  EXPECT_EQ(set.missing(0), Ranges{});
  EXPECT_EQ(set.missing(9), (Ranges{{0, 9}}));
  set.add(2, 4);
  set.add(6, 8);
  EXPECT_EQ(set.missing(9), (Ranges{{0, 2}, {4, 6}, {8, 9}}));
  EXPECT_EQ(set.missing(3, 7), (Ranges{{4, 6}}));
  EXPECT_EQ(set.missing(2, 4), Ranges{});
  EXPECT_EQ(set.missing(8, 12), (Ranges{{8, 12}}));
  EXPECT_EQ(set.missing(0, 1), (Ranges{{0, 1}}));
}

TEST(IntervalSet, AgreesWithOneFlagAByte) {
  constexpr std::size_t kSize = 64;
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    IntervalSet set;
    std::vector<bool> flags(kSize);
    for (int i = 0; i < 12; ++i) {
      const std::size_t first = random() % kSize;
      const std::size_t end = first + random() % (kSize - first + 1);
      set.add(first, end);
      for (std::size_t at = first; at < end; ++at) flags[at] = true;
      std::size_t covered = 0;
      for (const bool flag : flags) covered += flag ? 1 : 0;
      ASSERT_EQ(set.covered(), covered);
      std::vector<bool> gaps(kSize);
      for (const auto& gap : set.missing(7, 50)) {
        for (std::size_t at = gap.first; at < gap.end; ++at) gaps[at] = true;
      }
      for (std::size_t at = 0; at < kSize; ++at) ASSERT_EQ(gaps[at], at >= 7 && at < 50 && !flags[at]) << at;
    }
  }
}

}  // namespace
}  // namespace paceline::store
