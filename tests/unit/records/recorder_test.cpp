#include "plugin/records/recorder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "plugin/base/files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/records/samples.h"

namespace paceline::records {
namespace {

struct Heard final : Listener {
  void record(const ColdStart& record) override { records.push_back(record); }
  std::vector<ColdStart> records;
};

TEST(Recorder, WritesAPullAndItsContainerAndTellsBoth) {
  const test::TempDir dir;
  const SystemClock clock;
  const auto store = RecordStore::open(dir.path() / "records.db", {.age = std::chrono::hours(24 * 36500)}).value();
  Heard heard;
  {
    Recorder recorder(store.get(), std::make_unique<RecordFile>(dir.path() / "records.jsonl", 1U << 20U), clock);
    recorder.listen(heard);
    recorder.pull_ended(sample_pull());
    recorder.flush();
    EXPECT_EQ(store->list(0, 0).value().size(), 1U);
    recorder.container_created("default", "c1", "registry.example/team/app:1", sample_wall(1500));
    recorder.task_started("default", "c1", sample_wall(1800));
  }
  ASSERT_EQ(heard.records.size(), 2U);
  EXPECT_EQ(heard.records.front().cold_start_ms, std::nullopt);
  EXPECT_EQ(heard.records.back().cold_start_ms, 1800);
  EXPECT_EQ(store->list(0, 0).value().front().cold_start_ms, 1800);
  const auto lines = read_file(dir.path() / "records.jsonl").value();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
}

/// Holds the recorder's thread until it is let go.
struct Slow final : Listener {
  void record(const ColdStart& /*record*/) override {
    if (!std::exchange(entered_, true)) entered.set_value();
    go.wait();
  }
  std::promise<void> entered, let_go;
  std::shared_future<void> go{let_go.get_future()};

 private:
  bool entered_ = false;
};

TEST(Recorder, DropsAndCountsRatherThanWait) {
  const SystemClock clock;
  Slow slow;
  Recorder recorder(nullptr, nullptr, clock);
  recorder.listen(slow);
  recorder.pull_ended(sample_pull());
  slow.entered.get_future().wait();
  for (int i = 0; i < 3000; ++i) recorder.task_started("default", "none", sample_wall(0));
  EXPECT_EQ(recorder.dropped(), 3000U - 1024U);
  slow.let_go.set_value();
  recorder.flush();
}

}  // namespace
}  // namespace paceline::records
