#include "plugin/pull/path_memory.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace paceline::pull {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;

TEST(PathMemory, SurvivesARestart) {
  const test::TempDir dir;
  adaptive::PathProfile profile;
  profile.streams = 7;
  profile.rtt_min = std::chrono::milliseconds(35);
  profile.goodput = 1.5e6;
  profile.ranges_ok = false;
  profile.observed_at = kNow;
  {
    PathMemory memory(dir.path() / "paths.json");
    memory.remember("blobs.example:443", profile);
    ASSERT_TRUE(memory.save(kNow));
  }
  EXPECT_EQ(PathMemory(dir.path() / "paths.json").recall("blobs.example:443"), profile);
}

TEST(PathMemory, DropsWhatIsOlderThanAWeek) {
  const test::TempDir dir;
  PathMemory memory(dir.path() / "paths.json");
  adaptive::PathProfile profile;
  profile.observed_at = kNow - adaptive::kProfileLifeSeconds - 1;
  memory.remember("old:443", profile);
  profile.observed_at = kNow;
  memory.remember("new:443", profile);
  ASSERT_TRUE(memory.save(kNow));
  EXPECT_FALSE(memory.recall("old:443"));
  EXPECT_TRUE(memory.recall("new:443"));
}

TEST(PathMemory, OriginsLiveAsLongAsTheirPaths) {
  const test::TempDir dir;
  adaptive::PathProfile profile;
  profile.observed_at = kNow;
  {
    PathMemory memory(dir.path() / "paths.json");
    memory.remember("cdn.example:443", profile);
    memory.remember_origin("registry.example", "https://cdn.example");
    memory.remember_origin("other.example", "https://unseen.example");
    ASSERT_TRUE(memory.save(kNow));
  }
  PathMemory memory(dir.path() / "paths.json");
  EXPECT_EQ(memory.origin("registry.example"), "https://cdn.example");
  EXPECT_EQ(memory.origin("other.example"), "");
}

TEST(PathMemory, DamageIsForgotten) {
  const test::TempDir dir;
  std::ofstream(dir.path() / "paths.json") << R"({"paths": {"a:1": {"streams": "many"}}})";
  EXPECT_TRUE(PathMemory(dir.path() / "paths.json").all().empty());
}

}  // namespace
}  // namespace paceline::pull
