#include "plugin/registry/single_flight_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "tests/unit/registry/registry_fixture.h"

namespace paceline::registry {
namespace {

using Cache = SingleFlightCache<int>;

TEST(SingleFlightCache, MakesOnceForAllWhoAskMeanwhile) {
  ManualClock clock;
  Cache cache(clock);
  std::atomic<int> made = 0;
  std::latch started(1);
  std::latch go(1);
  const auto make = [&]() -> Result<Cache::Made> {
    started.count_down();
    go.wait();
    return Cache::Made{++made, clock.now() + std::chrono::seconds(10)};
  };
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  threads.emplace_back([&] { right += cache.get("key", make).value() == 1; });
  started.wait();
  for (int i = 0; i < 7; ++i) threads.emplace_back([&] { right += cache.get("key", make).value() == 1; });
  go.count_down();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 8);
  EXPECT_EQ(made, 1);
}

TEST(SingleFlightCache, MakesAnewWhenExpiredDroppedOrFailed) {
  ManualClock clock;
  Cache cache(clock);
  int made = 0;
  const auto make = [&]() -> Result<Cache::Made> {
    return Cache::Made{++made, clock.now() + std::chrono::seconds(10)};
  };
  EXPECT_EQ(cache.get("a", make).value(), 1);
  EXPECT_EQ(cache.get("b", make).value(), 2);
  EXPECT_EQ(cache.get("a", make).value(), 1);
  clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(cache.get("a", make).value(), 3);
  cache.drop([](const std::string&, int value) { return value == 3; });
  EXPECT_EQ(cache.get("a", make).value(), 4);
  const auto broken = [&]() -> Result<Cache::Made> { return fail(Code::kUnavailable, "down"); };
  EXPECT_EQ(cache.get("c", broken).error().code, Code::kUnavailable);
  EXPECT_EQ(cache.get("c", make).value(), 5);
}

}  // namespace
}  // namespace paceline::registry
