// Archives made to do harm: each is refused with an error that names the entry, or contained in the layer's folder.
#include <gtest/gtest.h>

#include <random>

#include "plugin/unpack/unpack.h"
#include "tests/support/tar_writer.h"
#include "tests/unit/unpack/unpacked.h"

namespace paceline::unpack {
namespace {

using test::gzip;
using test::TarWriter;
using test::Unpacked;

/// Unpacks and expects an error that names `what`, and nothing outside.
void expect_refused(const TarWriter& tar, const std::string& what, const Options& options = {}) {
  Unpacked out;
  const std::string error = out.unpack(tar.finish(), options);
  EXPECT_NE(error.find(what), std::string::npos) << "error: " << error;
  EXPECT_TRUE(out.nothing_escaped());
}

TEST(Hostile, NamesThatLeadOut) {
  expect_refused(TarWriter().file("../secret", "x"), "entry \"../secret\": its name leads out");
  expect_refused(TarWriter().folder("a").file("a/../../secret", "x"), "a/../../secret");
  expect_refused(TarWriter().folder(".."), "entry \"..\"");
}

TEST(Hostile, AbsoluteNamesStayInside) {
  Unpacked out;
  EXPECT_EQ(out.unpack(TarWriter().file("/etc/x", "1").file("//y", "2").file("/../z", "3").finish()), "");
  EXPECT_EQ(out.names(), "etc etc/x y z");
  EXPECT_TRUE(out.nothing_escaped());
}

TEST(Hostile, SymlinksThatLeadOut) {
  Unpacked out;
  EXPECT_EQ(out.unpack(TarWriter()
                           .symlink("up", "..")
                           .file("up/secret", "changed")
                           .symlink("far", "../../../../../../../..")
                           .file("far/tmp/x", "x")
                           .symlink("a", "/")
                           .symlink("b", "a/../..")
                           .file("b/y", "y")
                           .finish()),
            "");
  EXPECT_EQ(out.content("secret"), "changed");  // In the layer.
  EXPECT_EQ(out.content("tmp/x"), "x");
  EXPECT_EQ(out.content("y"), "y");
  EXPECT_TRUE(out.nothing_escaped());
}

TEST(Hostile, FilesAreNotWrittenThroughLinks) {
  Unpacked out;
  EXPECT_EQ(out.unpack(TarWriter().symlink("x", "../secret").file("x", "changed").finish()), "");
  EXPECT_EQ(out.content("x"), "changed");
  EXPECT_TRUE(out.nothing_escaped());
}

TEST(Hostile, LinksThatTurnInCircles) {
  expect_refused(TarWriter().symlink("a", "b").symlink("b", "a").file("a/x", ""), "entry \"a/x\": too many symlinks");
  expect_refused(TarWriter().symlink("a", "a/a/a").file("a/x", ""), "a/x");
}

TEST(Hostile, HardLinksThatLeadOut) {
  expect_refused(TarWriter().hard_link("x", "../secret"), "entry \"x\": its target");
  expect_refused(TarWriter().hard_link("x", "a/../../secret"), "entry \"x\"");
  expect_refused(TarWriter().folder("d").hard_link("x", "d"), "entry \"x\": its target \"d\" is a folder");
  expect_refused(TarWriter().hard_link("x", "/"), "entry \"x\"");
  expect_refused(TarWriter().hard_link("x", ""), "entry \"x\"");

  Unpacked out;  // A link to a symlink is the symlink, wherever that leads.
  EXPECT_EQ(out.unpack(TarWriter().symlink("s", "../secret").hard_link("x", "s").hard_link("y", "up/secret").finish()),
            "");
  EXPECT_EQ(out.link("x"), "../secret");
  EXPECT_EQ(out.layer.unfinished.links.size(), 1U);  // "up/secret" may be a lower layer's.
  EXPECT_TRUE(out.nothing_escaped());

  Unpacked through;
  EXPECT_EQ(through.unpack(TarWriter().symlink("up", "..").hard_link("x", "up/secret").finish()), "");
  EXPECT_FALSE(through.exists("x"));
  EXPECT_TRUE(through.nothing_escaped());

  Options bottom;
  bottom.bottom = true;
  expect_refused(TarWriter().hard_link("x", "never"), "hard link \"x\": its target \"never\" does not exist", bottom);
}

TEST(Hostile, LaterLinksToACopyDoNotFollowALinkInItsFoldersPlace) {
  if (!test::is_root()) GTEST_SKIP() << "needs root";
  Unpacked lower;
  ASSERT_EQ(lower.unpack(TarWriter().file("etc/passwd", "users").finish()), "");
  Unpacked out;
  const std::string outside = out.path("..").lexically_normal().string();
  ASSERT_EQ(out.unpack(TarWriter()
                           .folder("etc")
                           .folder("a")
                           .hard_link("a/secret", "etc/passwd")
                           .symlink("a", outside)  // What was in the folder is gone with it.
                           .hard_link("b/x", "etc/passwd")
                           .hard_link("b/y", "etc/passwd")
                           .finish()),
            "");
  ASSERT_EQ(out.finish({&lower}), "");
  EXPECT_EQ(out.content("b/x"), "users");
  EXPECT_EQ(out.info("b/x").st_ino, out.info("b/y").st_ino);
  EXPECT_EQ(out.info("b/x").st_nlink, 2U);
  EXPECT_TRUE(out.nothing_escaped());
}

TEST(Hostile, WhiteoutsOfNothing) {
  expect_refused(TarWriter().file(".wh.", ""), "entry \".wh.\": it is a whiteout of no file");
  expect_refused(TarWriter().file(".wh..", ""), "entry \".wh..\"");
  expect_refused(TarWriter().file("d/.wh...", ""), "entry \"d/.wh...\"");
  Options bottom;
  bottom.bottom = true;
  expect_refused(TarWriter().file("d/.wh...", ""), "entry \"d/.wh...\"", bottom);
}

TEST(Hostile, BottomWhiteoutsDoNotFollowLinks) {
  Options bottom;
  bottom.bottom = true;
  Unpacked out;
  EXPECT_EQ(out.unpack(TarWriter().symlink("up", "..").file("up/.wh.secret", "").file(".wh.up", "").finish(), bottom),
            "");
  EXPECT_EQ(out.names(), "");
  EXPECT_TRUE(out.nothing_escaped());
}

TEST(Hostile, FoldersBelowFiles) {
  expect_refused(TarWriter().file("f", "").file("f/x", ""), "entry \"f/x\": \"f\" is no folder");
}

TEST(Hostile, EntriesOfUnknownTypes) {
  expect_refused(TarWriter().add({.name = "v", .type = 'V'}), "entry \"v\": entries of type \"V\"");
  expect_refused(TarWriter().add({.name = "s", .type = 'S'}), "s");
}

TEST(Hostile, NumbersNoFileCanHave) {
  expect_refused(TarWriter().add({.name = "o", .pax = {{"uid", "4294967295"}}}), "entry \"o\": no file can have");
  expect_refused(TarWriter().add({.name = "o", .pax = {{"gid", "-1"}}}), "entry \"o\"");
  expect_refused(TarWriter().add({.name = "c", .type = '3', .major = 70000}), "entry \"c\": there is no device");
  expect_refused(TarWriter().add({.name = "c", .type = '4', .minor = -1}), "entry \"c\"");
  expect_refused(TarWriter().add({.name = "s", .pax = {{"size", "-5"}}}), "its size is negative");
}

TEST(Hostile, SizesTheStreamDoesNotHave) {
  expect_refused(TarWriter().add({.name = "big", .content = "x", .size = 1LL << 50}), "entry \"big\"");
  Unpacked out;
  EXPECT_NE(
      out.unpack(TarWriter().add({.name = "big", .content = "x", .size = 100'000}).entries()).find("entry \"big\""),
      std::string::npos);
}

TEST(Hostile, MoreThanTheLimits) {
  Options options;
  options.limits.entries = 10;
  TarWriter many;
  for (int i = 0; i < 11; ++i) many.file("f" + std::to_string(i), "");
  expect_refused(many, "more than 10 entries", options);
  expect_refused(TarWriter().file("1/2/3/4/5/6/7/8/9/10/x", "").file("y", ""), "folders that they imply", options);
  options = {};
  options.limits.bytes = 1U << 20U;
  expect_refused(TarWriter().file("f", std::string(2U << 20U, 'x')), "entry \"f\": its files exceed", options);
  expect_refused(TarWriter().add({.name = "hole",
                                  .pax = {{"GNU.sparse.size", "1099511627776"},
                                          {"GNU.sparse.numblocks", "0"},
                                          {"GNU.sparse.major", "0"},
                                          {"GNU.sparse.minor", "1"}}}),
                 "entry \"hole\": its files exceed", options);
}

TEST(Hostile, DeepAndLongPaths) {
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "d/";
  expect_refused(TarWriter().add({.name = "x", .pax = {{"path", deep}}}), "deeper");
  expect_refused(TarWriter().add({.name = "x", .pax = {{"path", std::string(100'000, 'a')}}}), "longer");
  expect_refused(TarWriter().add({.name = "x", .pax = {{"path", std::string(300, 'a')}}}), "File name too long");
  // Deeper by a link than any path may be.
  std::string half;
  for (int i = 0; i < 200; ++i) half += "d/";
  TarWriter by_link;
  by_link.add({.name = "x", .type = '5', .pax = {{"path", half}}});
  by_link.add({.name = "l", .type = '2', .pax = {{"linkpath", half}}});
  by_link.add({.name = "y", .type = '5', .pax = {{"path", "l/" + half}}});
  expect_refused(by_link, "deeper");
}

TEST(Hostile, WrongDiffId) {
  Unpacked out;
  const std::string archive = TarWriter().file("a", "b").finish();
  test::MemorySource source(gzip(archive + "trailing bytes"));
  auto layer = unpack_layer(source, "", sha256(archive), out.folder(), {});
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code, Code::kFailedPrecondition);
  test::MemorySource again(gzip(archive + "trailing bytes"));
  EXPECT_TRUE(unpack_layer(again, "", sha256(archive + "trailing bytes"), Unpacked().folder(), {}));
}

TEST(Hostile, SourcesThatFail) {
  class Failing final : public LayerSource {
   public:
    Result<std::size_t> read(std::uint64_t, std::span<std::byte>) override {
      return fail(Code::kUnavailable, "the registry went away");
    }
  };
  Failing source;
  auto layer = unpack_layer(source, "", std::nullopt, Unpacked().folder(), {});
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code, Code::kUnavailable);
}

TEST(Hostile, StreamsCutAtEveryBlock) {
  const std::string archive =
      TarWriter().folder("d").file("d/a", std::string(2000, 'x')).symlink("d/l", "a").hard_link("h", "d/a").finish();
  for (std::size_t size = 0; size < archive.size(); size += 512) {
    const std::string part = archive.substr(0, size);
    test::MemorySource plain(part);
    Unpacked out;
    EXPECT_FALSE(unpack_layer(plain, "", sha256(archive), out.folder(), {})) << size;
  }
  const std::string blob = gzip(archive);
  for (std::size_t size = 1; size < blob.size(); ++size) {
    test::MemorySource compressed(blob.substr(0, size), 100);
    Unpacked out;
    EXPECT_FALSE(unpack_layer(compressed, "", sha256(archive), out.folder(), {})) << size;
  }
}

/// Archives changed at random, the same ones on every run: whatever they become, nothing crashes, hangs or escapes.
TEST(Hostile, MutatedArchives) {
  const std::string seed =
      TarWriter()
          .folder("d")
          .file("d/a", std::string(700, 'x'))
          .symlink("d/l", "..")
          .file("d/l/b", "y")
          .hard_link("h", "d/a")
          .file("d/.wh.gone", "")
          .file("o/.wh..wh..opq", "")
          .add({.name = "p", .content = "z", .pax = {{"path", "d/long"}, {"SCHILY.xattr.user.k", "v"}}})
          .add({.name = "s",
                .content = test::padded("1\n4096\n3\n") + "abc",
                .pax = {{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.realsize", "9000"}}})
          .add({.name = "f", .type = '6'})
          .add({.name = "L", .type = 'L', .content = std::string("d/../d/renamed\0", 15)})
          .file("n", "n")
          .finish();
  std::mt19937 random(20'201);
  const auto any = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  const std::string_view tokens[] = {"..", "/", ".wh.", ".wh..wh..opq", "../../secret", "0", "7777777", "\xff\xff"};
  for (int round = 0; round < 400; ++round) {
    std::string archive = seed;
    for (std::size_t changes = 1 + any(4); changes > 0; --changes) {
      const std::size_t block = any(archive.size() / 512) * 512;
      switch (any(4)) {
        case 0:
          archive[block + any(512)] = static_cast<char>(any(256));
          break;
        case 1: {
          const std::string_view token = tokens[any(std::size(tokens))];
          archive.replace(block + (any(2) == 0 ? 0 : 157), token.size(), token);
          break;
        }
        case 2:
          archive[block + 156] = "01234567gxLKSV"[any(14)];
          break;
        default:
          archive.erase(block, 512);
          break;
      }
      if (archive.size() < 1024) break;
      std::string header = archive.substr(block < archive.size() ? block : 0, 512);
      test::fix_checksum(header);
      if (any(4) != 0 && block < archive.size()) archive.replace(block, 512, header);
    }
    if (any(8) == 0) archive.resize(any(archive.size()));
    Options options;
    options.bottom = any(2) == 0;
    options.limits.bytes = 8U << 20U;
    Unpacked out;
    const std::string error = out.unpack(any(2) == 0 ? archive : gzip(archive), options);
    if (error.empty() && !options.bottom) out.finish({});
    EXPECT_TRUE(out.nothing_escaped()) << "round " << round;
  }
}

}  // namespace
}  // namespace paceline::unpack
