#include "plugin/pull/pull_trace.h"

#include <gtest/gtest.h>

namespace paceline::pull {
namespace {

using std::chrono::milliseconds;

TEST(PullTrace, KeepsChangesOfTheNumberOfStreamsAndWhatAHostShowed) {
  PullTrace trace;
  const TimePoint start(std::chrono::seconds(10));
  PullTrace::Look look;
  look.at = start + milliseconds(5);
  look.streams = 4;
  look.reason = "initial_cold";
  look.segments = 1000;
  trace.look("h", look);
  look.at = start + milliseconds(10);
  look.bytes_per_second = 8000;
  look.streams_pace = {4, 2000, 500};
  look.queue = milliseconds(7);
  trace.look("h", look);
  look.at = start + milliseconds(15);
  look.streams = 8;
  look.reason = "ramp_double";
  look.streams_pace = {8, 1000, 500};
  look.queue = milliseconds(1);
  look.segments = 1500;
  look.out_of_order = 20;
  trace.look("h", look);
  trace.throttled("h", milliseconds(30));

  records::ColdStart record;
  trace.describe(record, start);
  ASSERT_EQ(record.streams.size(), 2U);
  EXPECT_EQ(record.streams[0].at_ms, 5);
  EXPECT_EQ(record.streams[1].streams, 8U);
  EXPECT_EQ(record.streams[1].reason, "ramp_double");
  ASSERT_EQ(record.hosts.size(), 1U);
  EXPECT_DOUBLE_EQ(record.hosts[0].queue_ms, 4);
  EXPECT_DOUBLE_EQ(record.hosts[0].stream_bytes_per_second, 1500);
  EXPECT_DOUBLE_EQ(record.hosts[0].stream_spread, 0.375);
  EXPECT_EQ(record.hosts[0].segments, 500U);
  EXPECT_EQ(record.hosts[0].out_of_order, 20U);
  EXPECT_EQ(record.hosts[0].throttled, 1U);
  EXPECT_EQ(record.hosts[0].silent_ms, 30);
  EXPECT_FALSE(record.mixed);
}

}  // namespace
}  // namespace paceline::pull
