#include "plugin/records/record_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "plugin/base/files.h"
#include "tests/support/temp_dir.h"

namespace paceline::records {
namespace {

TEST(RecordFile, KeepsTwoFilesWithinItsBound) {
  const test::TempDir dir;
  const auto path = dir.path() / "records.jsonl";
  RecordFile file(path, 200);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(file.append(std::string(29, static_cast<char>('a' + i))));
  const auto now = read_file(path).value();
  const auto before = read_file(path.string() + ".1").value();
  EXPECT_LE(now.size() + before.size(), 200U);
  EXPECT_TRUE(now.ends_with(std::string(29, 't') + "\n"));
  EXPECT_EQ(before.size() % 30, 0U) << "whole lines";
}

TEST(RecordFile, GoesOnWhereTheLastProcessStopped) {
  const test::TempDir dir;
  const auto path = dir.path() / "records.jsonl";
  { ASSERT_TRUE(RecordFile(path, 1000).append("one")); }
  { ASSERT_TRUE(RecordFile(path, 1000).append("two")); }
  EXPECT_EQ(read_file(path).value(), "one\ntwo\n");
}

TEST(RecordFile, ALineThatWasCutGoes) {
  const test::TempDir dir;
  const auto path = dir.path() / "records.jsonl";
  std::ofstream(path) << "one\n{\"two, which was cut";
  { ASSERT_TRUE(RecordFile(path, 1000).append("3")); }
  EXPECT_EQ(read_file(path).value(), "one\n3\n");
}

TEST(RecordFile, AFolderThatIsNotThereIsAnError) {
  const test::TempDir dir;
  EXPECT_FALSE(RecordFile(dir.path() / "no" / "records.jsonl", 1000).append("one"));
}

}  // namespace
}  // namespace paceline::records
