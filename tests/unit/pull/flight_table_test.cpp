#include "plugin/pull/flight_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace paceline::pull {
namespace {

const Digest kBlob = sha256("blob");

TEST(FlightTable, OneFlightADigest) {
  FlightTable flights;
  EXPECT_TRUE(flights.take_off(kBlob, 10));
  EXPECT_FALSE(flights.take_off(kBlob, 10));
  flights.land(kBlob, {});
  EXPECT_TRUE(flights.take_off(kBlob, 10));
}

TEST(FlightTable, ShowsProgressWhileInTheAir) {
  FlightTable flights;
  EXPECT_FALSE(flights.find(kBlob));
  flights.take_off(kBlob, 10);
  flights.progress(kBlob, 4);
  ASSERT_TRUE(flights.find(kBlob));
  EXPECT_EQ(flights.find(kBlob)->size, 10U);
  EXPECT_EQ(flights.find(kBlob)->received, 4U);
  flights.land(kBlob, {});
  EXPECT_FALSE(flights.find(kBlob));
}

TEST(FlightTable, EveryWaiterHearsTheOutcomeOnce) {
  FlightTable flights;
  flights.take_off(kBlob, 10);
  int heard = 0;
  for (int i = 0; i < 3; ++i) {
    flights.wait(kBlob, [&](const Status& outcome) {
      EXPECT_EQ(outcome.error().code, Code::kUnavailable);
      ++heard;
    });
  }
  flights.land(kBlob, fail(Code::kUnavailable, "gone"));
  flights.land(kBlob, {});
  EXPECT_EQ(heard, 3);
}

TEST(FlightTable, WhoFollowsHearsEveryChangeOfThePrefix) {
  FlightTable flights;
  std::vector<std::uint64_t> prefixes;
  const auto advanced = [&](std::uint64_t prefix) { prefixes.push_back(prefix); };
  int landed = 0;
  EXPECT_FALSE(flights.follow(kBlob, advanced, [&](const Status&) { ++landed; }));
  flights.take_off(kBlob, 10);
  ASSERT_TRUE(flights.follow(kBlob, advanced, [&](const Status&) { ++landed; }));
  flights.advance(kBlob, 4);
  flights.advance(kBlob, 4);
  EXPECT_EQ(flights.find(kBlob)->prefix, 4U);
  flights.advance(kBlob, 0);  // Fetched anew.
  flights.land(kBlob, {});
  flights.advance(kBlob, 10);
  EXPECT_EQ(prefixes, (std::vector<std::uint64_t>{4, 0}));
  EXPECT_EQ(landed, 1);
}

TEST(FlightTable, WaitingForNothingAnswersAtOnce) {
  FlightTable flights;
  EXPECT_FALSE(flights.wait(kBlob, [](const Status&) { FAIL(); }));
}

TEST(FlightTable, ACancelledWaiterHearsNothing) {
  FlightTable flights;
  flights.take_off(kBlob, 10);
  const auto id = flights.wait(kBlob, [](const Status&) { FAIL(); });
  ASSERT_TRUE(id);
  flights.cancel(*id);
  flights.land(kBlob, {});
}

TEST(FlightTable, AWaiterMayUseTheTable) {
  FlightTable flights;
  flights.take_off(kBlob, 10);
  bool again = false;
  flights.wait(kBlob, [&](const Status&) { again = flights.take_off(kBlob, 10); });
  flights.land(kBlob, {});
  EXPECT_TRUE(again);
}

TEST(FlightTable, DemandReachesTheHookWhichMayLetTheBlobTakeOff) {
  FlightTable flights;
  int demands = 0;
  flights.set_demand_hook([&](const Digest& digest) {
    ++demands;
    flights.take_off(digest, 10);
  });
  flights.demand(kBlob);
  EXPECT_TRUE(flights.find(kBlob));
  flights.demand(kBlob);
  EXPECT_EQ(demands, 2);
}

TEST(FlightTable, ManyThreadsTakeOffOnce) {
  FlightTable flights;
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      if (flights.take_off(kBlob, 1)) ++winners;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(winners, 1);
}

}  // namespace
}  // namespace paceline::pull
