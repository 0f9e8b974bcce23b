#include "plugin/analyze/image_tree.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/analyze/test_image.h"

namespace paceline::analyze {
namespace {

using test::TarWriter;

/// The layers on top of each other; the test fails if one cannot be read.
ImageTree tree_of(const std::vector<std::string>& tars) {
  ImageTree tree;
  for (const auto& tar : tars) {
    test::BytesSource source(tar);
    const auto layer = scan_layer(source, "", std::nullopt, {});
    EXPECT_TRUE(layer);
    EXPECT_TRUE(tree.add(*layer));
  }
  return tree;
}

/// "path path …" of what a container sees, folders left out.
std::string live(const ImageTree& tree) {
  std::set<std::string> paths;
  for (const File& file : tree.files()) {
    if (file.live() && file.kind != EntryKind::kDirectory) paths.insert(tree.path(file.node));
  }
  std::string out;
  for (const auto& path : paths) out += (out.empty() ? "" : " ") + path;
  return out;
}

TEST(ImageTree, WhiteoutsHideLowerLayersOnly) {
  const auto tree = tree_of({TarWriter().file("a/x", "1").file("a/y", "2").file("b", "3").finish(),
                             TarWriter().file("a/.wh.x", "").file("c", "4").finish(),
                             TarWriter().file("c2", "5").file(".wh.c", "").file(".wh.c2", "").finish()});
  EXPECT_EQ(live(tree), "a/y b c2");
}

TEST(ImageTree, AWhiteoutOfAFolderHidesAllBelow) {
  const auto tree = tree_of({TarWriter().folder("a").file("a/b/c", "1").file("a/d", "2").file("e", "3").finish(),
                             TarWriter().file(".wh.a", "").finish(), TarWriter().file("a/new", "4").finish()});
  EXPECT_EQ(live(tree), "a/new e");
}

TEST(ImageTree, AnOpaqueFolderKeepsWhatItsLayerBrings) {
  for (const bool first : {true, false}) {
    TarWriter top;
    if (first) top.file("a/.wh..wh..opq", "");
    top.file("a/mine", "1");
    if (!first) top.file("a/.wh..wh..opq", "");
    const auto tree =
        tree_of({TarWriter().folder("a").file("a/x", "1").file("a/b/y", "2").file("z", "3").finish(), top.finish()});
    EXPECT_EQ(live(tree), "a/mine z") << first;
  }
}

TEST(ImageTree, AFileInPlaceOfAFolderHidesItAndBack) {
  const auto tree = tree_of({TarWriter().folder("a").file("a/x", "1").file("a/b/y", "1").finish(),
                             TarWriter().file("a", "now a file").finish()});
  EXPECT_EQ(live(tree), "a");
  const auto back =
      tree_of({TarWriter().file("a", "a file").finish(), TarWriter().folder("a").file("a/x", "1").finish()});
  EXPECT_EQ(live(back), "a/x");
}

TEST(ImageTree, FoldersWithoutEntriesAreReplacedToo) {
  for (const bool link : {false, true}) {
    TarWriter top;
    if (link) top.symlink("app", "other");
    if (!link) top.file("app", "now a file");
    const auto tree = tree_of({TarWriter().file("app/big", "1").file("app/b/y", "1").finish(), top.finish()});
    EXPECT_EQ(live(tree), "app") << link;
    EXPECT_EQ(tree.files()[0].hidden_by, 1U);
  }
  EXPECT_EQ(live(tree_of({TarWriter().file("app/big", "1").file("app", "in the same layer").finish()})), "app");
}

TEST(ImageTree, FoldersWithoutEntriesReplaceWhatLowerLayersHave) {
  const auto tree = tree_of({TarWriter().file("a", "a file").symlink("l", "b").file("b/z", "1").finish(),
                             TarWriter().file("a/b", "1").file("l/y", "2").finish()});
  EXPECT_EQ(live(tree), "a/b b/z l/y");
  EXPECT_NE(tree.find("l/y"), kNone);
  EXPECT_EQ(tree.find("l/z"), kNone);
}

TEST(ImageTree, NothingLiesInAFileOfTheSameLayer) {
  ImageTree tree;
  test::BytesSource source(TarWriter().file("a", "a file").file("a/b", "1").finish());
  const auto layer = scan_layer(source, "", std::nullopt, {});
  ASSERT_TRUE(layer);
  const auto added = tree.add(*layer);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, Code::kInvalidArgument);
  EXPECT_NE(added.error().message.find("entry \"a/b\": \"a\" is no folder"), std::string::npos)
      << added.error().message;
}

TEST(ImageTree, WhatOverwritesNamesTheLayer) {
  const auto tree =
      tree_of({TarWriter().file("a", "old").finish(), TarWriter().finish(), TarWriter().file("a", "new one").finish()});
  ASSERT_EQ(tree.files().size(), 2U);
  EXPECT_EQ(tree.files()[0].hidden_by, 2U);
  EXPECT_TRUE(tree.files()[1].live());
  EXPECT_EQ(tree.inodes()[0].live_names, 0U);
}

TEST(ImageTree, HardLinksShareTheirBytes) {
  const auto tree =
      tree_of({TarWriter().file("a", std::string(10'000, 'x')).hard_link("b", "a").hard_link("c", "./b").finish(),
               TarWriter().file(".wh.a", "").finish()});
  EXPECT_EQ(live(tree), "b c");
  ASSERT_EQ(tree.inodes().size(), 1U);
  EXPECT_EQ(tree.inodes()[0].size, 10'000U);
  EXPECT_EQ(tree.inodes()[0].names, 3U);
  EXPECT_EQ(tree.inodes()[0].live_names, 2U);
}

/// Names of the inode that the live file at `path` is of.
std::uint32_t names_of(const ImageTree& tree, std::string_view path) {
  const std::uint32_t file = tree.find(path);
  EXPECT_NE(file, kNone) << path;
  return file == kNone ? 0 : tree.inodes()[tree.files()[file].inode].names;
}

TEST(ImageTree, HardLinksReachTheirTargetsThroughLinkedFolders) {
  const auto tree = tree_of(
      {TarWriter().symlink("lib", "usr/lib").file("usr/lib/libz.a", "12").hard_link("keep", "lib/libz.a").finish()});
  EXPECT_EQ(names_of(tree, "keep"), 2U);
  EXPECT_EQ(names_of(tree, "usr/lib/libz.a"), 2U);
}

TEST(ImageTree, HardLinksMayComeBeforeTheirTargets) {
  const auto tree = tree_of({TarWriter().hard_link("a", "c").hard_link("b", "a").file("c", "123").finish(),
                             TarWriter().hard_link("x", "y").file("y", "1").file("x", "2").finish()});
  EXPECT_EQ(names_of(tree, "c"), 3U);
  EXPECT_EQ(names_of(tree, "y"), 1U);  // Its other name was taken by a file before there was anything to link to.
  EXPECT_EQ(live(tree), "a b c x y");
}

TEST(ImageTree, HardLinksAreNamesOfWhatLowerLayersBrought) {
  const auto tree = tree_of({TarWriter().symlink("lib", "usr/lib").file("usr/lib/libz.a", "12").finish(),
                             TarWriter().hard_link("keep", "lib/libz.a").file("usr/lib/.wh.libz.a", "").finish()});
  EXPECT_EQ(live(tree), "keep lib");
  const Inode& inode = tree.inodes()[tree.files()[tree.find("keep")].inode];
  EXPECT_EQ(inode.size, 2U);
  EXPECT_EQ(inode.layer, 0U);
  EXPECT_EQ(inode.names, 2U);
  EXPECT_EQ(inode.live_names, 1U);
}

TEST(ImageTree, AHardLinkToASymlinkIsOne) {
  const auto tree = tree_of({TarWriter().symlink("a", "usr").hard_link("b", "a").file("usr/x", "1").finish()});
  EXPECT_NE(tree.find("b/x"), kNone);
  EXPECT_EQ(tree.find("b/x"), tree.find("usr/x"));
}

TEST(ImageTree, EntriesLieWhereTheLinksOfTheirLayerLead) {
  const auto tree = tree_of({TarWriter()
                                 .symlink("lib", "usr/lib")
                                 .symlink("usr/lib", "/opt/../real")
                                 .file("lib/a", "1")
                                 .hard_link("keep", "real/a")
                                 .finish()});
  EXPECT_EQ(live(tree), "keep lib real/a usr/lib");
  EXPECT_EQ(tree.find("lib/a"), tree.find("real/a"));
  EXPECT_EQ(names_of(tree, "keep"), 2U);
}

/// The error of adding these layers, and no other than a broken one's; empty: there is none.
std::string error_of_broken(const std::vector<std::string>& tars) {
  ImageTree tree;
  for (const auto& tar : tars) {
    test::BytesSource source(tar);
    const auto layer = scan_layer(source, "", std::nullopt, {});
    EXPECT_TRUE(layer);
    const auto added = tree.add(*layer);
    if (added) continue;
    EXPECT_EQ(added.error().code, Code::kInvalidArgument);
    return added.error().message;
  }
  return {};
}

TEST(ImageTree, HardLinksToNothingOrToFoldersAreBroken) {
  const auto empty = TarWriter().finish(), file = TarWriter().file("b", "1").file("d/x", "1").finish();
  for (const auto& base : {empty, file}) {
    const auto broken = [&](const TarWriter& tar) { return error_of_broken({base, tar.finish()}); };
    EXPECT_EQ(broken(TarWriter().hard_link("a", "none/b")), "entry \"a\": its target \"none/b\" does not exist");
    EXPECT_EQ(broken(TarWriter().hard_link("a", "a")), "entry \"a\": its target \"a\" does not exist");
    EXPECT_EQ(broken(TarWriter().folder("e").hard_link("a", "e")), "entry \"a\": its target \"e\" is a folder");
    EXPECT_EQ(broken(TarWriter().file("e/x", "").hard_link("a", "e")), "entry \"a\": its target \"e\" is a folder");
    EXPECT_EQ(broken(TarWriter().hard_link("a", "/")), "entry \"a\": its target \"\" is a folder");
    EXPECT_NE(broken(TarWriter().symlink("l", "l/l").hard_link("a", "l/x")).find("entry \"a\""), std::string::npos);
  }
  EXPECT_EQ(error_of_broken({file, TarWriter().hard_link("a", "d").finish()}),
            "entry \"a\": its target \"d\" is a folder");
  EXPECT_NE(error_of_broken({file, TarWriter().file(".wh.b", "").hard_link("a", "b").finish()}), "");
}

TEST(ImageTree, OnlyAFolderCanBeTheRoot) {
  EXPECT_EQ(error_of_broken({TarWriter().folder("./").finish()}), "");
  EXPECT_EQ(error_of_broken({TarWriter().file("a", "1").file("./.", "2").finish()}),
            "entry \"\": it is the root, and no folder");
}

TEST(ImageTree, PathsFollowTheImagesOwnLinks) {
  const auto tree = tree_of({TarWriter()
                                 .symlink("lib", "usr/lib")
                                 .symlink("abs", "/usr/lib")
                                 .symlink("up", "../../usr")
                                 .symlink("loop", "loop/x")
                                 .file("usr/lib/libc.so", "elf")
                                 .finish()});
  const std::uint32_t file = tree.find("usr/lib/libc.so");
  ASSERT_NE(file, kNone);
  EXPECT_EQ(tree.find("lib/libc.so"), file);
  EXPECT_EQ(tree.find("abs/libc.so"), file);
  EXPECT_EQ(tree.find("up/lib/libc.so"), file);
  EXPECT_EQ(tree.find("/lib//libc.so"), file);
  EXPECT_EQ(tree.find("loop/y"), kNone);
  EXPECT_EQ(tree.find("lib/absent"), kNone);
  EXPECT_NE(tree.find("lib"), kNone);  // The link itself.
}

TEST(ImageTree, ALayerThatReplacesItselfAgainAndAgainIsNoLongWork) {
  TarWriter tar;
  for (int i = 0; i < 2000; ++i) tar.folder("a").file("a/" + std::to_string(i), "").file("a", "").file(".wh.a", "");
  EXPECT_EQ(live(tree_of({tar.finish(), tar.finish()})), "a");
}

/// The error of adding these layers one after another, all contents kept; empty: there is none.
std::string error_of_adding(const TreeLimits& limits, const std::vector<std::string>& tars) {
  ScanOptions options;
  options.keep = [](std::string_view) { return true; };
  ImageTree tree(limits);
  for (const auto& tar : tars) {
    test::BytesSource source(tar);
    const auto layer = scan_layer(source, "", std::nullopt, options);
    EXPECT_TRUE(layer);
    const auto added = tree.add(*layer);
    if (added) continue;
    EXPECT_EQ(added.error().code, Code::kResourceExhausted);
    return added.error().message;
  }
  return {};
}

TEST(ImageTree, FoldersWithoutEntriesCount) {
  const std::vector<std::string> tars = {TarWriter().file("a/b/c/d", "").file("a/b/c/e", "").finish()};
  EXPECT_EQ(error_of_adding({.nodes = 5}, tars), "");
  EXPECT_NE(error_of_adding({.nodes = 4}, tars).find("more than 4 names and folders"), std::string::npos);
}

TEST(ImageTree, WhiteoutsCountAndMakeNoFolders) {
  const auto deep = TarWriter().file("a/b/c/.wh.d", "").file("a/b/c/.wh..wh..opq", "").symlink("h", "x/y").finish();
  EXPECT_EQ(error_of_adding({.entries = 6, .nodes = 1}, {deep, deep}), "");
  EXPECT_NE(error_of_adding({.entries = 5}, {deep, deep}).find("more than 5 entries"), std::string::npos);
}

TEST(ImageTree, LinksAreFollowedUpToALimit) {
  const TreeLimits limits{.followed_bytes = 35};  // "folder" and "folder/f" have 14.
  TarWriter tar;
  tar.symlink("link", "folder").file("folder/f", "1");
  for (const char* name : {"a", "b", "c"}) tar.hard_link(name, "link/f");
  EXPECT_EQ(error_of_adding(limits, {tar.finish()}), "");
  EXPECT_NE(error_of_adding(limits, {tar.hard_link("d", "link/f").finish()}).find("paths of more than 35 B"),
            std::string::npos);

  ImageTree tree(limits);
  test::BytesSource source(TarWriter().symlink("link", "folder").file("folder/f", "1").finish());
  const auto layer = scan_layer(source, "", std::nullopt, {});
  ASSERT_TRUE(layer && tree.add(*layer));
  for (int i = 0; i < 2; ++i) EXPECT_NE(tree.find("link/f"), kNone);
  EXPECT_TRUE(tree.followed_all());
  for (int i = 0; i < 2; ++i) (void)tree.find("link/f");
  EXPECT_FALSE(tree.followed_all());
  EXPECT_EQ(tree.find("link/f"), kNone);
  EXPECT_NE(tree.find("folder/f"), kNone);
}

TEST(ImageTree, WhatIsKeptHasABudgetOverAllLayers) {
  const TreeLimits limits{.kept_bytes = 10};
  const auto a = TarWriter().file("a", "123456").finish(), b = TarWriter().file("b", "12345").finish();
  EXPECT_EQ(error_of_adding(limits, {a, a, a}), "");  // What is overwritten is kept no longer.
  EXPECT_NE(error_of_adding(limits, {a, b}).find("larger than 10 B together"), std::string::npos);
  EXPECT_EQ(error_of_adding(limits, {a, TarWriter().file(".wh.a", "").finish(), b}), "");
}

}  // namespace
}  // namespace paceline::analyze
