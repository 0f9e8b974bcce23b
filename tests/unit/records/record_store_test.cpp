#include "plugin/records/record_store.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/unit/records/samples.h"

namespace paceline::records {
namespace {

constexpr std::int64_t kNow = 2'000'000;

class RecordStoreTest : public testing::Test {
 protected:
  std::unique_ptr<RecordStore> open(RecordStore::Bounds bounds) {
    auto store = RecordStore::open(dir_.path() / "records.db", bounds);
    EXPECT_TRUE(store) << store.error().message;
    return std::move(*store);
  }
  const test::TempDir dir_;
};

TEST_F(RecordStoreTest, ListsNewestFirstAndFromThen) {
  const auto store = open({});
  ASSERT_TRUE(store->put(sample_record("old", 1000), kNow));
  ASSERT_TRUE(store->put(sample_record("new", 2000), kNow));
  const auto all = store->list(0, 0).value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all.front().pull_id, "new");
  EXPECT_EQ(all.front().pull_ms, 1000);
  EXPECT_EQ(all.front().cold_start_ms, std::nullopt);
  EXPECT_EQ(store->list(1500, 0).value().size(), 1U);
  EXPECT_EQ(store->list(0, 1).value().front().pull_id, "new");
}

TEST_F(RecordStoreTest, ACompletedRecordReplacesItsPull) {
  const auto store = open({});
  ColdStart record = sample_record();
  ASSERT_TRUE(store->put(record, kNow));
  record.cold_start_ms = 1800;
  ASSERT_TRUE(store->put(record, kNow));
  const auto all = store->list(0, 0).value();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all.front().cold_start_ms, 1800);
  EXPECT_EQ(from_json(store->find("p1").value())->cold_start_ms, 1800);
}

TEST_F(RecordStoreTest, KeepsNoMoreThanItsBounds) {
  const auto store = open({.records = 3, .age = std::chrono::milliseconds(5000)});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(store->put(sample_record("p" + std::to_string(i), kNow), kNow));
  EXPECT_EQ(store->list(0, 0).value().size(), 3U);
  ASSERT_TRUE(store->put(sample_record("late", kNow + 6000), kNow + 6000));
  EXPECT_EQ(store->list(0, 0).value().size(), 1U);
}

TEST_F(RecordStoreTest, OutlivesTheProcess) {
  ASSERT_TRUE(open({})->put(sample_record(), kNow));
  EXPECT_EQ(open({})->list(0, 0).value().size(), 1U);
}

TEST_F(RecordStoreTest, FindsByAnUnambiguousBeginning) {
  const auto store = open({});
  ASSERT_TRUE(store->put(sample_record("ab1"), kNow));
  ASSERT_TRUE(store->put(sample_record("ab12"), kNow));
  ASSERT_TRUE(store->put(sample_record("c%d"), kNow));
  EXPECT_TRUE(store->find("ab1")) << "a whole id is unambiguous";
  EXPECT_TRUE(store->find("c"));
  EXPECT_EQ(store->find("ab").error().code, Code::kInvalidArgument);
  EXPECT_EQ(store->find("%").error().code, Code::kNotFound);
  EXPECT_EQ(store->find("").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace paceline::records
