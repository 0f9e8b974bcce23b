#include "plugin/unpack/lower_layers.h"

#include <gtest/gtest.h>

#include "tests/support/tar_writer.h"
#include "tests/unit/unpack/unpacked.h"

namespace paceline::unpack {
namespace {

using test::TarWriter;
using test::Unpacked;

class LowerLayers : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::is_root()) GTEST_SKIP() << "needs root";
  }
};

TEST_F(LowerLayers, ImpliedFoldersTakeTheTopmostAttributes) {
  Unpacked bottom;
  ASSERT_EQ(bottom.unpack(TarWriter()
                              .add({.name = "a", .type = '5', .mode = 0700, .uid = 1})
                              .add({.name = "a/b",
                                    .type = '5',
                                    .mode = 01777,
                                    .uid = 2,
                                    .gid = 3,
                                    .mtime = 55,
                                    .pax = {{"SCHILY.xattr.user.k", "v"}}})
                              .finish()),
            "");
  Unpacked middle;
  ASSERT_EQ(middle.unpack(TarWriter().add({.name = "a", .type = '5', .mode = 0711, .uid = 9}).finish()), "");
  Unpacked top;
  ASSERT_EQ(top.unpack(TarWriter().file("a/b/c/f", "x").finish()), "");
  ASSERT_EQ(top.layer.unfinished.directories.size(), 3U);
  ASSERT_EQ(top.finish({&middle, &bottom}), "");
  EXPECT_EQ(top.info("a").st_mode & 07777U, 0711U);
  EXPECT_EQ(top.info("a").st_uid, 9U);
  EXPECT_EQ(top.info("a/b").st_mode & 07777U, 01777U);
  EXPECT_EQ(top.info("a/b").st_gid, 3U);
  EXPECT_EQ(top.info("a/b").st_mtim.tv_sec, 55);
  EXPECT_EQ(top.xattr("a/b", "user.k"), "v");
  EXPECT_EQ(top.info("a/b/c").st_mode & 07777U, 0755U);
  EXPECT_EQ(top.info("a/b/c").st_uid, 0U);
}

TEST_F(LowerLayers, DescribedFoldersTakeAttributesTheyDoNotHave) {
  Unpacked bottom;
  ASSERT_EQ(bottom.unpack(TarWriter()
                              .add({.name = "a",
                                    .type = '5',
                                    .mode = 0700,
                                    .uid = 1,
                                    .pax = {{"SCHILY.xattr.user.k", "lower"}, {"SCHILY.xattr.user.m", "lower"}}})
                              .finish()),
            "");
  Unpacked top;
  ASSERT_EQ(top.unpack(TarWriter()
                           .file("a/f", "x")
                           .add({.name = "a",
                                 .type = '5',
                                 .mode = 0750,
                                 .uid = 4,
                                 .mtime = 66,
                                 .pax = {{"SCHILY.xattr.user.k", "own"}}})
                           .finish()),
            "");
  ASSERT_EQ(top.finish({&bottom}), "");
  EXPECT_EQ(top.info("a").st_mode & 07777U, 0750U);
  EXPECT_EQ(top.info("a").st_uid, 4U);
  EXPECT_EQ(top.info("a").st_mtim.tv_sec, 66);
  EXPECT_EQ(top.xattr("a", "user.k"), "own");
  EXPECT_EQ(top.xattr("a", "user.m"), "lower");
}

TEST_F(LowerLayers, AttributesEndAtWhatReplacesAFolder) {
  Unpacked bottom;
  ASSERT_EQ(bottom.unpack(TarWriter().folder("a", 0700).folder("b", 0700).finish()), "");
  Unpacked middle;
  ASSERT_EQ(middle.unpack(TarWriter().file(".wh.a", "").file("b", "a file").finish()), "");
  Unpacked top;
  ASSERT_EQ(top.unpack(TarWriter().file("a/f", "").file("b/f", "").finish()), "");
  ASSERT_EQ(top.finish({&middle, &bottom}), "");
  EXPECT_EQ(top.info("a").st_mode & 07777U, 0755U);
  EXPECT_EQ(top.info("b").st_mode & 07777U, 0755U);
}

TEST_F(LowerLayers, LinksOfALowerLayerAreFollowedInsideIt) {
  Unpacked bottom;
  ASSERT_EQ(
      bottom.unpack(TarWriter().folder("usr/lib", 0711).symlink("lib", "/usr/lib").symlink("out", "../..").finish()),
      "");
  Unpacked top;
  ASSERT_EQ(top.unpack(TarWriter().file("lib/f", "").file("out/f", "").finish()), "");
  ASSERT_EQ(top.finish({&bottom}), "");
  EXPECT_EQ(top.info("lib").st_mode & 07777U, 0711U);
  EXPECT_EQ(top.info("out").st_mode, bottom.info("").st_mode);  // The lower layer's root, not its parent.
}

TEST_F(LowerLayers, FoldersOfNoLayerInheritTheOuterFoldersGroup) {
  Unpacked bottom;
  ASSERT_EQ(bottom.unpack(TarWriter().add({.name = "local", .type = '5', .mode = 02775, .gid = 50}).finish()), "");
  Unpacked top;
  ASSERT_EQ(top.unpack(TarWriter().file("local/lib/sub/f", "").finish()), "");
  ASSERT_EQ(top.finish({&bottom}), "");
  EXPECT_EQ(top.info("local").st_mode & 07777U, 02775U);
  EXPECT_EQ(top.info("local/lib").st_gid, 50U);
  EXPECT_EQ(top.info("local/lib").st_mode & 07777U, 0755U);
  EXPECT_EQ(top.info("local/lib/sub").st_gid, 0U);
  EXPECT_EQ(top.info("local/lib/sub/f").st_gid, 0U);
}

TEST_F(LowerLayers, HardLinksToLowerFilesBecomeCopies) {
  Unpacked bottom;
  ASSERT_EQ(bottom.unpack(TarWriter()
                              .add({.name = "d/f", .content = "content", .pax = {{"SCHILY.xattr.user.k", "v"}}})
                              .symlink("d/s", "f")
                              .finish()),
            "");
  Unpacked top;
  ASSERT_EQ(top.unpack(TarWriter()
                           .folder("e")
                           .add({.name = "e/x", .type = '1', .link = "d/f", .mode = 0604, .uid = 3, .mtime = 33})
                           .add({.name = "e/y", .type = '1', .link = "d/f", .mode = 0604, .uid = 3, .mtime = 33})
                           .hard_link("e/s", "d/s")
                           .finish()),
            "");
  EXPECT_EQ(top.names(), "e");
  ASSERT_EQ(top.finish({&bottom}), "");
  EXPECT_EQ(top.content("e/x"), "content");
  EXPECT_EQ(top.info("e/x").st_mode & 07777U, 0604U);
  EXPECT_EQ(top.info("e/x").st_uid, 3U);
  EXPECT_EQ(top.info("e/x").st_mtim.tv_sec, 33);
  EXPECT_EQ(top.xattr("e/x", "user.k"), "v");
  EXPECT_EQ(top.info("e/x").st_ino, top.info("e/y").st_ino);
  EXPECT_EQ(top.link("e/s"), "f");
  EXPECT_EQ(top.info("e").st_mtim.tv_sec, 1'600'000'000);
}

TEST_F(LowerLayers, HardLinksToHiddenFilesAreRefused) {
  Unpacked bottom;
  ASSERT_EQ(bottom.unpack(TarWriter().file("d/f", "content").finish()), "");
  const std::string error = "hard link \"x\": its target does not exist";
  const auto finish_with = [&](const TarWriter& middle_tar, const TarWriter& top_tar) {
    Unpacked middle;
    EXPECT_EQ(middle.unpack(middle_tar.finish()), "");
    Unpacked top;
    EXPECT_EQ(top.unpack(top_tar.finish()), "");
    return top.finish({&middle, &bottom});
  };
  const TarWriter link = TarWriter().hard_link("x", "d/f");
  EXPECT_EQ(finish_with(TarWriter().folder("d"), link), "");
  EXPECT_NE(finish_with(TarWriter().file(".wh.d", ""), link).find(error), std::string::npos);
  EXPECT_NE(finish_with(TarWriter().file("d/.wh.f", ""), link).find(error), std::string::npos);
  EXPECT_NE(finish_with(TarWriter().file("d/.wh..wh..opq", ""), link).find(error), std::string::npos);
  EXPECT_NE(finish_with(TarWriter().file("d", ""), link).find(error), std::string::npos);
  EXPECT_NE(finish_with(TarWriter(), TarWriter().file("d/.wh..wh..opq", "").hard_link("x", "d/f")).find(error),
            std::string::npos);
  EXPECT_NE(finish_with(TarWriter(), TarWriter().hard_link("x", "never")).find(error), std::string::npos);
}

TEST_F(LowerLayers, ACopyKeepsHoles) {
  Unpacked bottom;
  ASSERT_EQ(bottom.unpack(TarWriter().file("disk", "begin").finish()), "");
  std::filesystem::resize_file(bottom.path("disk"), 64U << 20U);
  Unpacked top;
  ASSERT_EQ(top.unpack(TarWriter().hard_link("copy", "disk").finish()), "");
  ASSERT_EQ(top.finish({&bottom}), "");
  EXPECT_EQ(top.info("copy").st_size, 64 << 20);
  EXPECT_LT(top.info("copy").st_blocks * 512, 1 << 20);
  EXPECT_EQ(top.content("copy").substr(0, 5), "begin");
}

}  // namespace
}  // namespace paceline::unpack
