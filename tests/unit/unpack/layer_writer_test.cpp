// What a layer becomes on disk: the entries of an archive, in overlayfs form, as containerd's Apply makes them.
#include "plugin/unpack/layer_writer.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include "tests/support/tar_writer.h"
#include "tests/unit/unpack/unpacked.h"

namespace paceline::unpack {
namespace {

using test::padded;
using test::TarItem;
using test::TarWriter;
using test::Unpacked;

#define NEEDS_ROOT() \
  if (!test::is_root()) GTEST_SKIP() << "needs root"

Options bottom() {
  Options options;
  options.bottom = true;
  return options;
}

TEST(LayerWriter, WritesFilesWithAllTheirAttributes) {
  NEEDS_ROOT();
  Unpacked out;
  const std::string archive =
      TarWriter()
          .add({.name = "d", .type = '5', .mode = 03775, .uid = 7, .gid = 8, .mtime = 1'000})
          .add({.name = "d/f", .content = "content", .mode = 04751, .uid = 5, .gid = 6, .pax = {{"mtime", "12.5"}}})
          .add({.name = "d/open", .content = "x", .mode = 0666, .mtime = 99})
          .add({.name = "d/l", .type = '2', .link = "/nowhere", .uid = 9, .gid = 9, .mtime = 77})
          .add({.name = "d/p", .type = '6', .mode = 0622, .mtime = 88})
          .add({.name = "d/c", .type = '3', .mode = 0666, .major = 1, .minor = 3})
          .add({.name = "d/b", .type = '4', .mode = 0660, .gid = 6, .major = 259, .minor = 70000})
          .finish();
  ASSERT_EQ(out.unpack(archive), "");
  EXPECT_EQ(out.layer.entries, 7U);
  EXPECT_EQ(out.layer.bytes, archive.size());
  EXPECT_EQ(out.layer.diff_id, sha256(archive));
  EXPECT_TRUE(out.layer.unfinished.empty());

  const auto folder = out.info("d");
  EXPECT_EQ(folder.st_mode, S_IFDIR | 03775U);
  EXPECT_EQ(folder.st_uid, 7U);
  EXPECT_EQ(folder.st_gid, 8U);
  EXPECT_EQ(folder.st_mtim.tv_sec, 1'000);
  const auto file = out.info("d/f");
  EXPECT_EQ(file.st_mode, S_IFREG | 04751U);
  EXPECT_EQ(file.st_uid, 5U);
  EXPECT_EQ(file.st_gid, 6U);
  EXPECT_EQ(file.st_mtim.tv_sec, 12);
  EXPECT_EQ(file.st_mtim.tv_nsec, 500'000'000);
  EXPECT_EQ(out.content("d/f"), "content");
  EXPECT_EQ(out.info("d/open").st_mode, S_IFREG | 0666U);  // Whatever the umask is.
  EXPECT_EQ(out.info("d/open").st_gid, 0U);                // Although the folder hands its group down.
  EXPECT_EQ(out.link("d/l"), "/nowhere");
  EXPECT_EQ(out.info("d/l").st_uid, 9U);
  EXPECT_EQ(out.info("d/l").st_mtim.tv_sec, 77);
  EXPECT_EQ(out.info("d/p").st_mode, S_IFIFO | 0622U);
  EXPECT_EQ(out.info("d/p").st_mtim.tv_sec, 88);
  EXPECT_EQ(out.info("d/c").st_mode, S_IFCHR | 0666U);
  EXPECT_EQ(out.info("d/c").st_rdev, makedev(1, 3));
  EXPECT_EQ(out.info("d/b").st_mode, S_IFBLK | 0660U);
  EXPECT_EQ(out.info("d/b").st_rdev, makedev(259, 70000));
}

TEST(LayerWriter, LeavesDevicesOutWhereTheyCannotBeMade) {
  Unpacked out;
  Options options;
  options.device_nodes = false;
  ASSERT_EQ(
      out.unpack(TarWriter().add({.name = "c", .type = '3', .major = 1, .minor = 3}).file("f", "").finish(), options),
      "");
  EXPECT_EQ(out.names(), "f");
}

TEST(LayerWriter, SetsExtendedAttributes) {
  NEEDS_ROOT();
  const std::string capability("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  // user::rwx, user:1000:r-x, group::r-x, mask::r-x, other::r-x
  const std::string acl(
      "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x05\x00\xe8\x03\x00\x00\x04\x00\x05\x00"
      "\xff\xff\xff\xff\x10\x00\x05\x00\xff\xff\xff\xff\x20\x00\x05\x00\xff\xff\xff\xff",
      44);
  Unpacked out;
  ASSERT_EQ(out.unpack(TarWriter()
                           .add({.name = "ping",
                                 .content = "x",
                                 .mode = 0755,
                                 .uid = 3,
                                 .pax = {{"SCHILY.xattr.security.capability", capability},
                                         {"SCHILY.xattr.user.a", "b"},
                                         {"SCHILY.xattr.trusted.overlay.opaque", "y"}}})
                           .add({.name = "acl", .mode = 0755, .pax = {{"SCHILY.xattr.system.posix_acl_access", acl}}})
                           .add({.name = "link", .type = '2', .link = "ping", .pax = {{"SCHILY.xattr.user.a", "b"}}})
                           .add({.name = "d", .type = '5', .mode = 0700, .pax = {{"SCHILY.xattr.user.d", "e"}}})
                           .finish()),
            "");
  EXPECT_EQ(out.xattr("ping", "security.capability"), capability);
  EXPECT_EQ(out.xattr("ping", "user.a"), "b");
  EXPECT_EQ(out.xattr("ping", "trusted.overlay.opaque"), "-");  // An archive's are never set.
  EXPECT_EQ(out.xattr("acl", "system.posix_acl_access"), acl);
  EXPECT_EQ(out.info("acl").st_mode, S_IFREG | 0755U);
  EXPECT_EQ(out.link("link"), "ping");  // user.a is not possible on a link, and passed over.
  EXPECT_EQ(out.xattr("d", "user.d"), "e");
}

TEST(LayerWriter, BoundsTimesAsContainerdDoes) {
  Unpacked out;
  ASSERT_EQ(out.unpack(TarWriter()
                           .add({.name = "old", .mtime = -5})
                           .add({.name = "far", .mtime = 1LL << 40})
                           .add({.name = "read", .mtime = 50, .pax = {{"atime", "70.25"}}})
                           .finish()),
            "");
  EXPECT_EQ(out.info("old").st_mtim.tv_sec, 0);
  EXPECT_EQ(out.info("far").st_mtim.tv_sec, 0);
  EXPECT_EQ(out.info("read").st_mtim.tv_sec, 50);
  EXPECT_EQ(out.info("read").st_atim.tv_sec, 70);
  EXPECT_EQ(out.info("read").st_atim.tv_nsec, 250'000'000);
}

TEST(LayerWriter, TurnsWhiteoutsIntoOverlayfsOnes) {
  NEEDS_ROOT();
  Unpacked out;
  ASSERT_EQ(out.unpack(TarWriter().file("d/.wh.gone", "").file("d/kept", "").file("o/.wh..wh..opq", "").finish()), "");
  EXPECT_EQ(out.names(), "d d/gone d/kept o");
  EXPECT_TRUE(out.is_whiteout("d/gone"));
  EXPECT_EQ(out.xattr("o", "trusted.overlay.opaque"), "y");
  EXPECT_EQ(out.xattr("d", "trusted.overlay.opaque"), "-");
  EXPECT_EQ(out.layer.unfinished.directories.size(), 2U);
}

TEST(LayerWriter, BottomWhiteoutsRemoveWhatTheLayerBrought) {
  Unpacked out;
  ASSERT_EQ(out.unpack(TarWriter()
                           .file("d/a/b", "")
                           .file("d/.wh.a", "")
                           .file(".wh.never", "")
                           .folder("o")
                           .file("o/kept", "")
                           .file("o/implied/lost", "")
                           .file("o/.wh..wh..opq", "")
                           .finish(),
                       bottom()),
            "");
  EXPECT_EQ(out.names(), "d o o/kept");
  EXPECT_TRUE(out.layer.unfinished.empty());
}

TEST(LayerWriter, LaterEntriesReplaceEarlierOnes) {
  Unpacked out;
  ASSERT_EQ(out.unpack(TarWriter()
                           .file("a", "1")
                           .file("a", "2")
                           .folder("d")
                           .file("d/x", "")
                           .file("d", "now a file")
                           .file("e", "")
                           .folder("e")
                           .file("e/y", "")
                           .symlink("l", "e")
                           .folder("l")
                           .file("l/z", "")
                           .folder("e", 0711)
                           .finish()),
            "");
  EXPECT_EQ(out.content("a"), "2");
  EXPECT_EQ(out.content("d"), "now a file");
  EXPECT_EQ(out.names(), "a d e e/y l l/z");  // The link became a folder, and e kept what it had.
  EXPECT_EQ(out.info("e").st_mode & 07777U, 0711U);
}

TEST(LayerWriter, FollowsFolderLinksInsideTheRoot) {
  Unpacked out;
  ASSERT_EQ(out.unpack(TarWriter()
                           .folder("usr/lib")
                           .symlink("lib", "usr/lib")
                           .file("lib/x", "1")
                           .file("usr/lib/y", "2")
                           .symlink("abs", "/usr/lib")
                           .file("abs/z", "3")
                           .symlink("usr/up", "../../../../usr")
                           .file("usr/up/top", "4")
                           .symlink("dangling", "made/here")
                           .file("dangling/w", "5")
                           .finish()),
            "");
  EXPECT_EQ(out.content("usr/lib/x"), "1");
  EXPECT_EQ(out.content("usr/lib/z"), "3");
  EXPECT_EQ(out.content("usr/top"), "4");
  EXPECT_EQ(out.content("made/here/w"), "5");
  EXPECT_EQ(out.link("lib"), "usr/lib");
  EXPECT_TRUE(out.nothing_escaped());
}

TEST(LayerWriter, LinksFilesBeforeAndAfterTheirTargets) {
  NEEDS_ROOT();
  Unpacked out;
  ASSERT_EQ(out.unpack(TarWriter()
                           .folder("d")
                           .hard_link("d/before", "d/f")
                           .file("d/f", "content")
                           .add({.name = "after", .type = '1', .link = "/d/f", .mode = 0640, .uid = 4, .mtime = 44})
                           .symlink("s", "nowhere")
                           .hard_link("t", "s")
                           .finish()),
            "");
  EXPECT_EQ(out.info("d/f").st_ino, out.info("after").st_ino);
  EXPECT_EQ(out.info("d/f").st_ino, out.info("d/before").st_ino);
  EXPECT_EQ(out.info("d/f").st_nlink, 3U);
  EXPECT_EQ(out.link("t"), "nowhere");
  EXPECT_EQ(out.info("s").st_ino, out.info("t").st_ino);
  EXPECT_EQ(out.info("d").st_mtim.tv_sec, 1'600'000'000);  // Although a link was added at the end.
}

TEST(LayerWriter, WritesSparseFilesWithTheirHoles) {
  Unpacked out;
  ASSERT_EQ(out.unpack(TarWriter()
                           .add({.name = "f",
                                 .content = padded("2\n65536\n3\n1000000\n0\n") + "abc",
                                 .pax = {{"GNU.sparse.major", "1"},
                                         {"GNU.sparse.minor", "0"},
                                         {"GNU.sparse.realsize", "1000000"},
                                         {"GNU.sparse.name", "real"}}})
                           .finish()),
            "");
  std::string expected(1'000'000, '\0');
  expected.replace(65536, 3, "abc");
  EXPECT_TRUE(out.content("real") == expected);
  EXPECT_LT(out.info("real").st_blocks * 512, 500'000);
}

TEST(LayerWriter, IgnoresTheRootAndGlobalHeaders) {
  Unpacked out;
  const auto before = out.info("");
  ASSERT_EQ(out.unpack(TarWriter()
                           .add({.name = "./", .type = '5', .mode = 0700, .uid = 12})
                           .add({.name = "g", .type = 'g', .content = test::pax_record("comment", "x")})
                           .add({.name = "/", .type = '5', .mode = 0700})
                           .finish()),
            "");
  EXPECT_EQ(out.names(), "");
  EXPECT_EQ(out.info("").st_mode, before.st_mode);
  EXPECT_EQ(out.info("").st_uid, before.st_uid);
}

TEST(LayerWriter, SetsTheTimesOfManyFolders) {
  // More than stay open at once, each used again after the others.
  TarWriter tar;
  for (int i = 0; i < 200; ++i) tar.add({.name = "d" + std::to_string(i), .type = '5', .mtime = 1000 + i});
  for (int i = 0; i < 200; ++i) tar.file("d" + std::to_string(i) + "/f", "x");
  Unpacked out;
  ASSERT_EQ(out.unpack(tar.finish()), "");
  for (int i = 0; i < 200; ++i) EXPECT_EQ(out.info("d" + std::to_string(i)).st_mtim.tv_sec, 1000 + i);
}

}  // namespace
}  // namespace paceline::unpack
