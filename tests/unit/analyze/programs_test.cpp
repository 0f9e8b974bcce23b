#include "plugin/analyze/programs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/analyze/test_image.h"

namespace paceline::analyze {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string tools() {
  return test::TarWriter()
      .symlink("bin", "usr/bin")
      .file("usr/bin/sh", "0")
      .file("usr/bin/make", "1")
      .file("usr/bin/gcc-12", "2")
      .symlink("usr/bin/gcc", "gcc-12")
      .symlink("etc/alternatives/cc", "/bin/gcc")
      .symlink("usr/bin/cc", "/etc/alternatives/cc")
      .symlink("usr/local/bin/make", "/nothing")
      .symlink("usr/bin/loop", "loop2")
      .symlink("usr/bin/loop2", "loop")
      .folder("usr/sbin/make")
      .file("srv/run", "3")
      .finish();
}

std::vector<std::string> programs(std::vector<std::string> words, const std::string& folder = "/srv") {
  const auto analysis = test::analyze_tars({tools()});
  const StartCommand start = {std::move(words), "/usr/local/bin:/usr/sbin:/bin", folder};
  std::vector<std::string> paths;
  for (const auto file : find_programs(start, analysis.tree)) {
    paths.push_back(analysis.tree.path(analysis.tree.files()[file].node));
  }
  return paths;
}

TEST(Programs, ByPathAndOnTheSearchPath) {
  EXPECT_THAT(programs({"/usr/bin/make", "run"}), ElementsAre("usr/bin/make"));
  EXPECT_THAT(programs({"/bin/../bin/./make"}), ElementsAre("usr/bin/make"));
  EXPECT_THAT(programs({"make"}), ElementsAre("usr/bin/make"));  // Neither a folder nor a link to nothing.
  EXPECT_THAT(programs({"./run"}), ElementsAre("srv/run"));
  EXPECT_THAT(programs({"./run"}, ""), IsEmpty());
  EXPECT_THAT(programs({"run"}), IsEmpty());
}

TEST(Programs, ThroughLinks) {
  EXPECT_THAT(programs({"cc"}),
              UnorderedElementsAre("usr/bin/cc", "etc/alternatives/cc", "usr/bin/gcc", "usr/bin/gcc-12"));
  EXPECT_THAT(programs({"loop"}), IsEmpty());
}

TEST(Programs, WhatAShellOrAnInitRuns) {
  EXPECT_THAT(programs({"/bin/sh", "-c", "cd /srv && exec \"make\" run"}),
              UnorderedElementsAre("usr/bin/sh", "usr/bin/make"));
  EXPECT_THAT(programs({"tini", "--", "gcc-12", "--config=/srv/run"}),
              UnorderedElementsAre("usr/bin/gcc-12", "srv/run"));
}

TEST(Programs, FoldersAndNonsenseAreNone) {
  EXPECT_THAT(programs({"/", "", "bin", "/bin", "/usr/bin", "..", "../../..", "a/b/c", "=", std::string(9000, '/')}),
              IsEmpty());
  EXPECT_THAT(programs({}), IsEmpty());
  EXPECT_THAT(programs({"make" + std::string(5000, ';')}), ElementsAre("usr/bin/make"));
}

TEST(Programs, WhoListsOneIsRequired) {
  const auto analysis = test::analyze_tars({tools()});
  std::vector<Package> packages(4);
  packages[0].paths = {"usr", "bin/make"};
  packages[1].paths = {"usr/bin/gcc"};
  packages[2].paths = {"usr/bin/gcc-12", "bin"};
  packages[3].paths = {"srv/make", "usr/sbin/make", "nothing/gcc"};
  require_owners(find_programs({{"make", "cc"}, "/bin", ""}, analysis.tree), analysis.tree, packages);
  EXPECT_TRUE(packages[0].required);
  EXPECT_TRUE(packages[1].required);
  EXPECT_TRUE(packages[2].required);
  EXPECT_FALSE(packages[3].required);
}

}  // namespace
}  // namespace paceline::analyze
