#include "plugin/status/recent_starts.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/unit/records/samples.h"

namespace paceline::status {
namespace {

using records::sample_record;

TEST(RecentStarts, NewestFirstOneAPullAndNoMoreThanItMay) {
  RecentStarts recent(2);
  for (const auto* id : {"a", "b", "c"}) recent.record(sample_record(id));
  auto started = sample_record("b");
  started.cold_start_ms = 1500;
  recent.record(started);
  const auto seen = recent.newest();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].pull_id, "c");
  EXPECT_EQ(seen[1].pull_id, "b");
  EXPECT_EQ(seen[1].cold_start_ms, 1500);
}

TEST(RecentStarts, BeginsWithWhatWasKept) {
  const test::TempDir dir;
  const auto store =
      records::RecordStore::open(dir.path() / "records.db", {.age = std::chrono::hours(24 * 36500)}).value();
  ASSERT_TRUE(store->put(sample_record("old", 1000), 3000));
  ASSERT_TRUE(store->put(sample_record("new", 2000), 3000));
  RecentStarts recent(10);
  recent.recall(*store);
  const auto seen = recent.newest();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].pull_id, "new");
  EXPECT_EQ(seen[1].phases.size(), sample_record().phases.size());
}

}  // namespace
}  // namespace paceline::status
