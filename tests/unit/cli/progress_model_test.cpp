#include "plugin/cli/progress_model.h"

#include <gtest/gtest.h>

#include "tests/unit/cli/samples.h"

namespace paceline::cli {
namespace {

using std::chrono::milliseconds;
const TimePoint kStart = TimePoint(std::chrono::hours(1));

TEST(ProgressModel, TheLatestStateReplacesTheOneBefore) {
  ProgressModel model;
  model.update(make_pull("1", "redis", v1::PULL_STATE_QUEUED), kStart);
  model.update(make_pull("2", "alpine", v1::PULL_STATE_QUEUED), kStart);
  model.update(make_pull("1", "redis", v1::PULL_STATE_RESOLVING), kStart);
  ASSERT_EQ(model.pulls().size(), 2U);
  EXPECT_EQ(model.pulls()[0].state(), v1::PULL_STATE_RESOLVING);
  EXPECT_EQ(model.totals().running, 1U);
  EXPECT_EQ(model.totals().queued, 1U);
}

TEST(ProgressModel, TheSpeedOfALayerIsMeasuredOverAWindow) {
  ProgressModel model;
  v1::Pull pull = fetching_pull("1", "redis");
  const std::string digest = pull.blobs(1).digest();
  model.update(pull, kStart);
  pull.mutable_blobs(1)->set_received_bytes(16'000'000);
  model.update(pull, kStart + milliseconds(100));
  EXPECT_EQ(model.blob_rate("1", digest), 0) << "too early to say";
  pull.mutable_blobs(1)->set_received_bytes(17'000'000);
  model.update(pull, kStart + milliseconds(1000));
  EXPECT_DOUBLE_EQ(model.blob_rate("1", digest), 2e6);
  pull.mutable_blobs(1)->set_received_bytes(0);  // Damaged, begun anew.
  model.update(pull, kStart + milliseconds(2000));
  EXPECT_EQ(model.blob_rate("1", digest), 0);
}

TEST(ProgressModel, TimeLeftIsTheRestAtTheSpeedOfNow) {
  ProgressModel model;
  model.update(fetching_pull("1", "redis"), kStart);
  EXPECT_DOUBLE_EQ(model.totals().seconds_left.value(), 10);
  EXPECT_DOUBLE_EQ(model.totals().fraction(), 0.2);
}

TEST(ProgressModel, NoTimeLeftWhileAnImageOfUnknownSizeWaits) {
  ProgressModel model;
  model.update(fetching_pull("1", "redis"), kStart);
  model.update(make_pull("2", "alpine", v1::PULL_STATE_QUEUED), kStart);
  EXPECT_FALSE(model.totals().seconds_left);
  EXPECT_DOUBLE_EQ(model.totals().fraction(), 0) << "of the images, none is done";
}

TEST(ProgressModel, WhatFailedIsNotWaitedFor) {
  ProgressModel model;
  v1::Pull failed = fetching_pull("1", "redis");
  failed.set_state(v1::PULL_STATE_FAILED);
  model.update(failed, kStart);
  model.update(fetching_pull("2", "alpine"), kStart);
  const Totals totals = model.totals();
  EXPECT_EQ(totals.failed, 1U);
  EXPECT_EQ(totals.total_bytes, 120'000'000U);
  EXPECT_EQ(totals.received_bytes, 40'000'000U);
  EXPECT_EQ(totals.streams, 6U);
}

TEST(ProgressModel, ForgetsWhatIsOver) {
  ProgressModel model;
  model.update(make_pull("1", "redis", v1::PULL_STATE_DONE), kStart);
  model.update(make_pull("2", "alpine", v1::PULL_STATE_QUEUED), kStart);
  model.forget_finished();
  ASSERT_EQ(model.pulls().size(), 1U);
  model.update(make_pull("2", "alpine", v1::PULL_STATE_DONE), kStart);
  EXPECT_EQ(model.totals().done, 1U);
}

}  // namespace
}  // namespace paceline::cli
