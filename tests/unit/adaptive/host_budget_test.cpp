#include "adaptive/host_budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace paceline::adaptive {
namespace {

using std::chrono::milliseconds;

/// Starts whatever may start.
void fill(HostBudget& b) {
  while (const auto pull = b.next()) b.started(*pull);
}

void add(HostBudget& b, PullId pull, PullClass c) {
  b.add(pull, c);
  b.wants(pull, true);
}

TEST(HostBudget, OnePullGetsEverything) {
  HostBudget b(6);
  EXPECT_FALSE(b.next());
  b.add(1, PullClass::kForeground);
  EXPECT_FALSE(b.next()) << "it wants nothing yet";
  b.wants(1, true);
  fill(b);
  EXPECT_EQ(b.running(1), 6U);
  b.set_limit(8);
  fill(b);
  EXPECT_EQ(b.running(), 8U);
}

TEST(HostBudget, EqualsGetEqualStreams) {
  HostBudget b(7);
  for (PullId p : {1, 2, 3}) add(b, p, PullClass::kForeground);
  fill(b);
  std::vector<unsigned> running{b.running(1), b.running(2), b.running(3)};
  std::sort(running.begin(), running.end());
  EXPECT_EQ(running, (std::vector<unsigned>{2, 2, 3}));
}

TEST(HostBudget, EveryForegroundPullGetsOneBeforeAnybodyGetsTwo) {
  HostBudget b(4);
  add(b, 1, PullClass::kForeground);
  fill(b);
  for (PullId p : {2, 3, 4}) add(b, p, PullClass::kForeground);
  for (PullId p : {2, 3, 4}) {
    b.finished(1, 1'000'000);
    ASSERT_EQ(b.next(), std::optional<PullId>(p));
    b.started(p);
  }
  for (PullId p : {1, 2, 3, 4}) EXPECT_EQ(b.running(p), 1U);
}

TEST(HostBudget, PrefetchHasTheHostAloneAndYieldsAtOnce) {
  HostBudget b(12);
  for (PullId p : {1, 2, 3}) add(b, p, PullClass::kPrefetch);
  fill(b);
  EXPECT_EQ(b.running(), 12U);
  EXPECT_TRUE(b.preempt().empty());
  add(b, 9, PullClass::kForeground);
  EXPECT_EQ(b.prefetch_share(), 1U);
  const std::vector<PullId> victims = b.preempt();
  EXPECT_EQ(victims.size(), 11U);
  for (PullId p : victims) b.finished(p, 1000);
  EXPECT_TRUE(b.preempt().empty());
  fill(b);
  EXPECT_EQ(b.running(9), 11U);
  b.finished(1, 0);  // whichever it was: the foreground takes what is free
  fill(b);
  EXPECT_GE(b.running(9), 11U);
  EXPECT_EQ(b.running(), 12U);
}

TEST(HostBudget, ANewcomerGetsItsPartAtOnce) {
  HostBudget b(8);
  add(b, 1, PullClass::kForeground);
  fill(b);
  add(b, 2, PullClass::kForeground);
  EXPECT_EQ(b.preempt(), (std::vector<PullId>{1, 1, 1, 1}));
  for (int i = 0; i < 4; ++i) b.finished(1, 1000);
  fill(b);
  EXPECT_EQ(b.running(1), 4U);
  EXPECT_EQ(b.running(2), 4U);
  EXPECT_TRUE(b.preempt().empty());
}

TEST(HostBudget, WhoHasAStreamWaitsForMoreUntilRangesEnd) {
  HostBudget b(8);
  add(b, 1, PullClass::kForeground);
  fill(b);
  add(b, 2, PullClass::kForeground);
  b.finished(1, 1000);
  fill(b);
  ASSERT_EQ(b.running(2), 1U);
  EXPECT_TRUE(b.preempt().empty());
}

TEST(HostBudget, ManyNewcomersTakeNobodysLastStream) {
  HostBudget b(4);
  for (PullId p : {1, 2}) add(b, p, PullClass::kForeground);
  fill(b);
  for (PullId p : {3, 4, 5, 6, 7}) add(b, p, PullClass::kForeground);
  const auto victims = b.preempt();
  EXPECT_EQ(victims.size(), 2U);
  for (PullId p : victims) b.finished(p, 1000);
  fill(b);
  for (PullId p : {1, 2}) EXPECT_EQ(b.running(p), 1U);
  EXPECT_EQ(b.running(), 4U);
  EXPECT_TRUE(b.preempt().empty());
}

TEST(HostBudget, PrefetchUsesLittleOfWhatTheForegroundLeaves) {
  HostBudget b(24);
  add(b, 1, PullClass::kForeground);
  add(b, 2, PullClass::kPrefetch);
  b.started(1);
  b.wants(1, false);  // its tail
  fill(b);
  EXPECT_EQ(b.running(2), 2U);
  b.finished(1, 1);
  fill(b);
  EXPECT_EQ(b.running(2), 24U);
}

TEST(HostBudget, PrefetchPausesBehindAQueueAndOnSmallN) {
  HostBudget b(24);
  add(b, 1, PullClass::kForeground);
  b.set_queue_delay(milliseconds(26));
  EXPECT_EQ(b.prefetch_share(), 0U);
  b.set_queue_delay(milliseconds(25));
  EXPECT_EQ(b.prefetch_share(), 2U);
  b.set_limit(128);
  EXPECT_EQ(b.prefetch_share(), 2U);
  b.set_limit(16);
  EXPECT_EQ(b.prefetch_share(), 1U);
  b.set_limit(11);
  EXPECT_EQ(b.prefetch_share(), 0U);
  b.remove(1);
  b.set_queue_delay(milliseconds(500));
  EXPECT_EQ(b.prefetch_share(), 11U) << "alone, its own queue is nobody's trouble";
}

TEST(HostBudget, APrefetchSomebodyAsksForBecomesForeground) {
  HostBudget b(8);
  add(b, 1, PullClass::kPrefetch);
  add(b, 2, PullClass::kPrefetch);
  fill(b);
  b.reclass(1, PullClass::kForeground);
  EXPECT_EQ(b.preempt(), (std::vector<PullId>{2, 2, 2, 2}));
  b.add(2, PullClass::kForeground);
  EXPECT_TRUE(b.preempt().empty());
}

TEST(HostBudget, ALowerLimitStopsPrefetchesButNotTheForeground) {
  HostBudget b(8);
  add(b, 1, PullClass::kPrefetch);
  fill(b);
  b.set_limit(5);
  EXPECT_EQ(b.preempt().size(), 3U);
  HostBudget f(8);
  add(f, 1, PullClass::kForeground);
  fill(f);
  f.set_limit(5);
  EXPECT_TRUE(f.preempt().empty());
  f.finished(1, 1000);
  EXPECT_FALSE(f.next()) << "still above";
}

TEST(HostBudget, ShareIsTheNForTheRangeSize) {
  HostBudget b(12);
  EXPECT_EQ(b.share(1), 1U);
  add(b, 1, PullClass::kForeground);
  EXPECT_EQ(b.share(1), 12U);
  add(b, 2, PullClass::kForeground);
  add(b, 3, PullClass::kPrefetch);
  EXPECT_EQ(b.share(1), 6U);
  EXPECT_EQ(b.share(3), 1U);
}

/// All pulls want for ever; all streams run at about the same rate and end with their ranges. Bytes per pull; the
/// ranges of even pulls are eight times as large, pull 1 brings nothing at all if it `fails`.
std::map<PullId, double> simulate(HostBudget& b, unsigned pulls, unsigned rounds, bool fails = false) {
  struct Stream {
    PullId pull;
    std::uint64_t size, left;
  };
  std::mt19937 random(1);
  std::map<PullId, double> bytes;
  std::vector<Stream> streams;
  for (PullId p = 1; p <= pulls; ++p) add(b, p, PullClass::kForeground);
  for (unsigned i = 0; i < rounds; ++i) {
    while (const auto pull = b.next()) {
      b.started(*pull);
      std::uint64_t size = (500'000 + random() % 1'000'000) * (*pull % 2 == 0 ? 8 : 1);
      if (fails && *pull == 1) size = 0;
      streams.push_back({*pull, size, size});
    }
    EXPECT_LE(b.running(), b.limit());
    for (Stream& s : streams) {
      const std::uint64_t got = std::min<std::uint64_t>(s.left, 100'000 + random() % 50'000);
      s.left -= got;
      bytes[s.pull] += static_cast<double>(got);
      if (s.left == 0) b.finished(s.pull, s.size);
    }
    std::erase_if(streams, [](const Stream& s) { return s.left == 0; });
  }
  return bytes;
}

TEST(HostBudget, FiftyEqualPullsStayFair) {
  HostBudget b(8);
  std::map<PullId, std::uint64_t> bytes;
  std::mt19937 random(3);
  for (PullId p = 1; p <= 50; ++p) add(b, p, PullClass::kForeground);
  std::vector<std::pair<PullId, std::uint64_t>> streams;
  for (int i = 0; i < 20'000; ++i) {
    while (const auto pull = b.next()) {
      b.started(*pull);
      streams.emplace_back(*pull, (200'000 + random() % 400'000) * (*pull % 2 == 0 ? 8 : 1));
    }
    const std::size_t which = random() % streams.size();
    const auto [pull, size] = streams[which];
    streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(which));
    b.finished(pull, size);
    bytes[pull] += size;
  }
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  for (PullId p = 1; p <= 50; ++p) {
    least = std::min(least, bytes[p]);
    most = std::max(most, bytes[p]);
  }
  EXPECT_LE(static_cast<double>(most), 1.05 * static_cast<double>(least))
      << "although ranges differ by a factor of eight";
}

TEST(HostBudget, TwoPullsSideBySideShareTheStreamsEvenly) {
  HostBudget b(5);
  const auto bytes = simulate(b, 2, 5000);
  EXPECT_NEAR(bytes.at(1) / bytes.at(2), 1, 0.25);
}

TEST(HostBudget, APullThatAlwaysFailsStarvesNobody) {
  HostBudget b(2);
  const auto bytes = simulate(b, 4, 5000, true);
  for (PullId p : {2, 3, 4}) EXPECT_GT(bytes.at(p), 1e7);
}

TEST(HostBudget, WhoComesLateOrSleptHasNoClaimOnThePast) {
  HostBudget b(1);
  add(b, 1, PullClass::kForeground);
  for (int i = 0; i < 100; ++i) {
    b.started(*b.next());
    b.finished(1, 10'000'000);
  }
  add(b, 2, PullClass::kForeground);
  int second = 0;
  for (int i = 0; i < 20; ++i) {
    const PullId p = *b.next();
    second += p == 2 ? 1 : 0;
    b.started(p);
    b.finished(p, 10'000'000);
  }
  EXPECT_GE(second, 9);
  EXPECT_LE(second, 11);
}

TEST(HostBudget, RandomCallsKeepTheInvariants) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::mt19937 random(seed);
    HostBudget b(1 + random() % 16);
    std::vector<PullId> streams;
    for (int i = 0; i < 3000; ++i) {
      const PullId pull = random() % 12;
      const auto c = random() % 2 == 0 ? PullClass::kForeground : PullClass::kPrefetch;
      switch (random() % 8) {
        case 0:
          b.add(pull, c);
          break;
        case 1:
          b.wants(pull, random() % 3 != 0);
          break;
        case 2:
          b.reclass(pull, c);
          break;
        case 3:
          if (random() % 10 == 0) {
            b.remove(pull);
            std::erase(streams, pull);
          }
          break;
        case 4:
          if (random() % 20 == 0) b.set_limit(random() % 17);
          break;
        case 5:
          for (const PullId victim : b.preempt()) {
            const auto it = std::find(streams.begin(), streams.end(), victim);
            ASSERT_NE(it, streams.end());
            streams.erase(it);
            b.finished(victim, random() % 1000);
          }
          ASSERT_TRUE(b.preempt().empty());
          break;
        case 6:
          if (!streams.empty()) {
            b.finished(streams.back(), random() % 10'000'000);
            streams.pop_back();
          }
          break;
        default:
          if (const auto next = b.next()) {
            ASSERT_LT(b.running(), b.limit());
            b.started(*next);
            streams.push_back(*next);
          }
      }
      ASSERT_EQ(b.running(), streams.size());
    }
  }
}

}  // namespace
}  // namespace paceline::adaptive
