#include "plugin/api/progress.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/api/fake_pulls.h"

namespace paceline::api {
namespace {

using std::chrono::milliseconds;

class WatchTest : public testing::Test {
 protected:
  std::string start(const std::string& image) {
    return pulls.start_prefetch({*oci::Reference::parse(image), {}, false, {}});
  }
  void receive(const std::string& id, std::uint64_t bytes) {
    pulls.change(id, [bytes](pull::PullSnapshot& pull) {
      pull.state = pull::PullState::kFetching;
      pull.received_bytes += bytes;
    });
  }

  test::FakePulls pulls;
  const TimePoint start_time = TimePoint(std::chrono::hours(1));
};

TEST_F(WatchTest, TellsFirstWhatThereIsThenOnlyWhatChanged) {
  const auto redis = start("redis");
  const auto alpine = start("alpine");
  Watch watch({{redis, alpine}, Blobs::kOmit}, pulls);
  EXPECT_EQ(watch.look(start_time).size(), 2U);
  EXPECT_TRUE(watch.look(start_time + milliseconds(100)).empty());
  receive(alpine, 5);
  const auto events = watch.look(start_time + milliseconds(200));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].pull().pull_id(), alpine);
  EXPECT_EQ(events[0].pull().received_bytes(), 5U);
}

TEST_F(WatchTest, ThePassingOfTimeIsNoChangeButAHeartbeatIsSent) {
  const auto redis = start("redis");
  Watch watch({{redis}, Blobs::kOmit}, pulls);
  EXPECT_EQ(watch.look(start_time).size(), 1U);
  pulls.change(redis, [](auto& pull) { pull.elapsed = milliseconds(500); });
  EXPECT_TRUE(watch.look(start_time + milliseconds(500)).empty());
  EXPECT_EQ(watch.look(start_time + milliseconds(1000)).size(), 1U);
}

TEST_F(WatchTest, TheFinalStateIsToldOnceAndCompletes) {
  const auto redis = start("redis");
  Watch watch({{redis}, Blobs::kOmit}, pulls);
  EXPECT_EQ(watch.look(start_time).size(), 1U);
  EXPECT_FALSE(watch.complete());
  pulls.finish(redis);
  const auto events = watch.look(start_time + milliseconds(100));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].pull().state(), v1::PULL_STATE_DONE);
  EXPECT_TRUE(watch.complete());
  EXPECT_TRUE(watch.look(start_time + milliseconds(5000)).empty());
}

TEST_F(WatchTest, AForgottenPullStillGetsAnEnd) {
  const auto redis = start("redis");
  Watch watch({{redis}, Blobs::kOmit}, pulls);
  EXPECT_EQ(watch.look(start_time).size(), 1U);
  pulls.forget(redis);
  const auto events = watch.look(start_time + milliseconds(100));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].pull().state(), v1::PULL_STATE_FAILED);
  EXPECT_EQ(events[0].pull().image(), "docker.io/library/redis:latest");
  EXPECT_EQ(events[0].pull().error().code(), "NOT_FOUND");
  EXPECT_TRUE(watch.complete());
}

TEST_F(WatchTest, ManyPullsTakeTurns) {
  Watch::Options options;
  for (int i = 0; i < 150; ++i) options.ids.push_back(start("image" + std::to_string(i)));
  Watch watch(std::move(options), pulls);
  std::set<std::string> seen;
  for (int look = 0; look < 3; ++look) {
    const auto events = watch.look(start_time + milliseconds(100 * look));
    EXPECT_LE(events.size(), Watch::kMaxEvents);
    for (const auto& event : events) seen.insert(event.pull().pull_id());
  }
  EXPECT_EQ(seen.size(), 150U);
}

TEST_F(WatchTest, WithoutNamesItFollowsWhatIsUnderWayAndWhatComes) {
  const auto old = start("old");
  pulls.finish(old);
  Watch watch({{}, Blobs::kOmit}, pulls);
  EXPECT_TRUE(watch.look(start_time).empty());
  const auto redis = start("redis");
  EXPECT_EQ(watch.look(start_time + milliseconds(100)).size(), 1U);
  pulls.finish(redis);
  EXPECT_EQ(watch.look(start_time + milliseconds(200)).size(), 1U);
  EXPECT_TRUE(watch.look(start_time + milliseconds(300)).empty());
  EXPECT_FALSE(watch.complete());
}

}  // namespace
}  // namespace paceline::api
