#include "plugin/doctor/hosts_files.h"

#include <gtest/gtest.h>

#include "plugin/base/files.h"
#include "tests/support/temp_dir.h"

namespace paceline::doctor {
namespace {

const std::string kBlock = "[host.\"http://127.0.0.1:5151\"]\n  capabilities = [\"pull\", \"resolve\"]\n";

TEST(HostsFiles, TheMirrorCountsOnlyWithBothCapabilities) {
  EXPECT_TRUE(names_mirror(kBlock, "127.0.0.1:5151"));
  EXPECT_TRUE(names_mirror("[host.\"http://127.0.0.1:5151\"]\n", "127.0.0.1:5151"));
  EXPECT_FALSE(names_mirror(kBlock, "127.0.0.1:5152"));
  EXPECT_FALSE(names_mirror("[host.\"http://127.0.0.1:5151\"]\ncapabilities = [\"pull\"]\n", "127.0.0.1:5151"));
  EXPECT_FALSE(names_mirror("[host\n", "127.0.0.1:5151"));
}

TEST(HostsFiles, DefaultComesFirstAndAFolderWithoutAFileHidesIt) {
  const test::TempDir dir;
  const auto put = [&](const std::string& registry, const std::string& text) {
    ASSERT_TRUE(make_directories(dir.path() / registry));
    ASSERT_TRUE(write_file_atomically(dir.path() / registry / "hosts.toml", text, Durability::kProcessCrash));
  };
  put("Z.example", kBlock);
  put("_default", kBlock);
  ASSERT_TRUE(make_directories(dir.path() / "certs.example"));
  const auto files = find_hosts_files({dir.path() / "absent", dir.path()}, "127.0.0.1:5151");
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].registry, "_default");
  EXPECT_TRUE(files[0].names_mirror);
  EXPECT_TRUE(files[1].names_mirror);
  EXPECT_EQ(files[2].registry, "certs.example");
  EXPECT_FALSE(files[2].present);
}

TEST(HostsFiles, DefaultIsInTheAnswerAlsoWhereItIsMissing) {
  const auto files = find_hosts_files({"/nowhere"}, "127.0.0.1:5151");
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].file, "/nowhere/_default/hosts.toml");
  EXPECT_FALSE(files[0].present);
}

}  // namespace
}  // namespace paceline::doctor
