#include "plugin/records/open_records.h"

#include <gtest/gtest.h>

#include "tests/unit/records/samples.h"

namespace paceline::records {
namespace {

using std::chrono::milliseconds;

const Digest kBlob = Digest::parse("sha256:" + std::string(64, 'b')).value();

TEST(OpenRecords, TheFirstTaskCompletesTheRecordAndPhasesAddUp) {
  OpenRecords open;
  const auto pull = sample_pull();
  open.layer_unpacked({kBlob, pull.started + milliseconds(300), pull.started + milliseconds(1200), 5000, 7,
                       milliseconds(20), milliseconds(30)});
  open.pull_ended(pull);
  open.container_created("default", "c1", "registry.example/team/app:1", sample_wall(1500));
  const auto* record = open.task_started("default", "c1", sample_wall(1800));
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->cold_start_ms, 1800);
  EXPECT_EQ(record->layers.front().uncompressed_bytes, 5000U);
  EXPECT_EQ(record->layers.front().files, 7U);
  EXPECT_EQ(record->layers.front().inflate_cpu_ms, 20);
  EXPECT_EQ(record->layers.front().write_cpu_ms, 30);
  EXPECT_EQ(record->phase_ms("unpack"), 200);
  EXPECT_EQ(record->phase_ms("containerd"), 300);
  EXPECT_EQ(record->phase_ms("start"), 300);
  double sum = 0;
  for (const Phase& phase : record->phases) {
    EXPECT_EQ(phase.start_ms, sum) << phase.name;
    sum += phase.end_ms - phase.start_ms;
  }
  EXPECT_EQ(sum, 1800);
}

TEST(OpenRecords, OnlyTheFirstContainerCounts) {
  OpenRecords open;
  open.pull_ended(sample_pull());
  open.container_created("default", "c1", "registry.example/team/app:1", sample_wall(1500));
  open.container_created("default", "c2", "registry.example/team/app:1", sample_wall(1501));
  EXPECT_EQ(open.task_started("default", "c2", sample_wall(1600)), nullptr);
  EXPECT_NE(open.task_started("default", "c1", sample_wall(1700)), nullptr);
  EXPECT_EQ(open.task_started("default", "c1", sample_wall(1800)), nullptr);
}

TEST(OpenRecords, AContainerIsFoundByDigestAndByRepositoryToo) {
  for (const std::string& image :
       {"registry.example/team/app@sha256:" + std::string(64, 'a'), std::string("registry.example/team/app:other")}) {
    OpenRecords open;
    open.pull_ended(sample_pull());
    open.container_created("k8s.io", "c1", image, sample_wall(1500));
    EXPECT_NE(open.task_started("k8s.io", "c1", sample_wall(1600)), nullptr) << image;
  }
}

TEST(OpenRecords, OtherImagesAndLateContainersAreNotThisColdStart) {
  OpenRecords open;
  open.pull_ended(sample_pull());
  open.container_created("default", "c1", "registry.example/pause:3", sample_wall(1500));
  EXPECT_EQ(open.task_started("default", "c1", sample_wall(1600)), nullptr);
  open.container_created("default", "c2", "registry.example/team/app:1", sample_wall(20 * 60 * 1000));
  EXPECT_EQ(open.task_started("default", "c2", sample_wall(20 * 60 * 1000)), nullptr);
}

TEST(OpenRecords, AnImagePulledAgainLeavesTheFirstPullsLayersAlone) {
  OpenRecords open;
  const auto pull = sample_pull();
  open.pull_ended(pull);
  const auto unpacked = [&](milliseconds start) {
    return open.layer_unpacked(
        {kBlob, pull.started + start, pull.started + start + milliseconds(100), 5000, 7, milliseconds(20), {}});
  };
  ASSERT_NE(unpacked(milliseconds(300)), nullptr);
  EXPECT_EQ(unpacked(milliseconds(5000)), nullptr) << "it has its unpacking";

  OpenRecords other;
  other.pull_ended(pull);
  EXPECT_EQ(other.layer_unpacked({kBlob,
                                  pull.started + std::chrono::hours(2),
                                  pull.started + std::chrono::hours(3),
                                  5000,
                                  7,
                                  milliseconds(20),
                                  {}}),
            nullptr)
      << "far too late to be its own";
}

TEST(OpenRecords, ASecondContainerDoesNotTakeAnotherTagsRecord) {
  OpenRecords open;
  open.pull_ended(sample_pull());
  open.container_created("default", "c1", "registry.example/team/app:1", sample_wall(1500));
  ASSERT_NE(open.task_started("default", "c1", sample_wall(1600)), nullptr);
  auto second = sample_pull();
  second.record.image = "registry.example/team/app:2";
  second.record.manifest_digest = "sha256:" + std::string(64, 'c');
  open.pull_ended(second);
  open.container_created("default", "c2", "registry.example/team/app:1", sample_wall(1700));
  EXPECT_EQ(open.task_started("default", "c2", sample_wall(1800)), nullptr);
  open.container_created("default", "c3", "registry.example/team/app:2", sample_wall(1900));
  EXPECT_NE(open.task_started("default", "c3", sample_wall(2000)), nullptr);
}

TEST(OpenRecords, PhasesOfNoLengthAreLeftOut) {
  OpenRecords open;
  const auto pull = sample_pull();
  open.pull_ended(pull);
  open.container_created("default", "c1", pull.record.image, sample_wall(1500));
  const auto* record = open.task_started("default", "c1", sample_wall(1800));
  ASSERT_NE(record, nullptr);
  for (const Phase& phase : record->phases) EXPECT_NE(phase.name, "unpack");
}

TEST(OpenRecords, APrefetchIsNoColdStart) {
  OpenRecords open;
  auto pull = sample_pull();
  pull.record.source = "prefetch";
  open.pull_ended(pull);
  open.container_created("default", "c1", pull.record.image, sample_wall(1500));
  EXPECT_EQ(open.task_started("default", "c1", sample_wall(1600)), nullptr);
}

TEST(OpenRecords, ALayerThatIsUnpackedAfterThePullIsAddedThen) {
  OpenRecords open;
  const auto pull = sample_pull();
  EXPECT_EQ(open.pull_ended(pull).layers.front().unpack_end_ms, std::nullopt);
  const auto* record =
      open.layer_unpacked({kBlob, pull.started + milliseconds(900), pull.started + milliseconds(1300)});
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->layers.front().unpack_end_ms, 1300);
}

}  // namespace
}  // namespace paceline::records
