#include "plugin/store/progress_file.h"

#include "tests/unit/store/temp_store.h"

namespace paceline::store {
namespace {

Progress sample() {
  Progress progress{1000, {}};
  progress.written.add(0, 100);
  progress.written.add(200, 300);
  return progress;
}

TEST(ProgressFile, ComesBackAsItWasSaved) {
  const TemporaryFolder folder;
  ASSERT_TRUE(save_progress(folder.path / "progress", sample()));
  const auto loaded = load_progress(folder.path / "progress");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->size, 1000U);
  EXPECT_EQ(loaded->written.ranges(), sample().written.ranges());
}

TEST(ProgressFile, EveryTruncationAndEveryFlippedByteReadsAsNone) {
  const TemporaryFolder folder;
  const auto path = folder.path / "progress";
  ASSERT_TRUE(save_progress(path, sample()));
  const std::string text = read_file(path).value();
  for (std::size_t length = 0; length < text.size(); ++length) {
    ASSERT_TRUE(write_file_atomically(path, text.substr(0, length), Durability::kProcessCrash));
    EXPECT_FALSE(load_progress(path)) << length;
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] ^= 1;
    ASSERT_TRUE(write_file_atomically(path, damaged, Durability::kProcessCrash));
    EXPECT_FALSE(load_progress(path)) << at;
  }
  EXPECT_FALSE(load_progress(folder.path / "absent"));
}

TEST(ProgressFile, AnotherBootIsNotTrusted) {
  const TemporaryFolder folder;
  const auto path = folder.path / "progress";
  std::string body = "paceline progress 1\nboot 00000000-0000-0000-0000-000000000000\nsize 10\nrange 0 5\n";
  ASSERT_TRUE(write_file_atomically(path, body + sha256(body).hex() + "\n", Durability::kProcessCrash));
  EXPECT_FALSE(load_progress(path));
}

}  // namespace
}  // namespace paceline::store
