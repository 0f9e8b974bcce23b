#include "plugin/net/connection_limits.h"

#include <gtest/gtest.h>

namespace paceline::net {
namespace {

TEST(ConnectionLimits, NoneUnlessSet) {
  ConnectionLimits limits(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limits.enter("a:443"));
  EXPECT_EQ(limits.highest(), 0U);
}

TEST(ConnectionLimits, EachHostHasItsOwnPlaces) {
  ConnectionLimits limits(2);
  EXPECT_TRUE(limits.enter("a:443"));
  EXPECT_TRUE(limits.enter("a:443"));
  EXPECT_FALSE(limits.enter("a:443"));
  EXPECT_TRUE(limits.enter("b:443"));
  limits.leave("a:443");
  EXPECT_TRUE(limits.enter("a:443"));
  EXPECT_FALSE(limits.enter("a:443"));
}

TEST(ConnectionLimits, AHostMayHaveALimitOfItsOwn) {
  ConnectionLimits limits(2);
  limits.set("a:443", 3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.enter("a:443"));
  EXPECT_FALSE(limits.enter("a:443"));
  EXPECT_EQ(limits.highest(), 3U);
  limits.set("a:443", 0);
  EXPECT_EQ(limits.highest(), 2U);
}

TEST(ConnectionLimits, WhatRunsAboveALowerLimitRunsOnAndNothingNewStarts) {
  ConnectionLimits limits(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.enter("a:443"));
  limits.set_usual(1);
  limits.leave("a:443");
  limits.leave("a:443");
  EXPECT_FALSE(limits.enter("a:443"));
  limits.leave("a:443");
  EXPECT_TRUE(limits.enter("a:443"));
}

TEST(ConnectionLimits, LeavingAHostNeverEnteredIsHarmless) {
  ConnectionLimits limits(1);
  limits.leave("a:443");
  EXPECT_TRUE(limits.enter("a:443"));
  EXPECT_FALSE(limits.enter("a:443"));
}

}  // namespace
}  // namespace paceline::net
