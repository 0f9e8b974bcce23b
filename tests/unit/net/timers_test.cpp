#include "plugin/net/timers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace paceline::net {
namespace {

TimePoint at(int seconds) { return TimePoint(std::chrono::seconds(seconds)); }

TEST(Timers, RunInOrderOfTimeThenOfCreation) {
  Timers timers;
  std::string order;
  timers.add(at(3), [&] { order += 'd'; });
  timers.add(at(1), [&] { order += 'a'; });
  timers.add(at(2), [&] { order += 'b'; });
  timers.add(at(2), [&] { order += 'c'; });
  EXPECT_EQ(timers.next(), at(1));
  timers.run_due(at(0));
  EXPECT_EQ(order, "");
  timers.run_due(at(2));
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(timers.next(), at(3));
  timers.run_due(at(9));
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(timers.next(), std::nullopt);
}

TEST(Timers, ACancelledTimerNeverRuns) {
  Timers timers;
  std::string order;
  Timers::Id second = 0;
  const Timers::Id first = timers.add(at(1), [&] {
    order += 'a';
    timers.cancel(second);
  });
  second = timers.add(at(1), [&] { order += 'b'; });
  const Timers::Id third = timers.add(at(1), [&] { order += 'c'; });
  timers.cancel(third);
  timers.run_due(at(1));
  EXPECT_EQ(order, "a");
  timers.cancel(first);  // Ran already.
  timers.cancel(12345);
}

TEST(Timers, WhatATimerAddsWaitsForTheNextRound) {
  Timers timers;
  int runs = 0;
  std::function<void()> again = [&] {
    ++runs;
    timers.add(at(0), again);
  };
  timers.add(at(0), again);
  timers.run_due(at(1));
  EXPECT_EQ(runs, 1);
  timers.run_due(at(1));
  EXPECT_EQ(runs, 2);
}

}  // namespace
}  // namespace paceline::net
