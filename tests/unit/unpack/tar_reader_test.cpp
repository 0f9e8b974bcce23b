#include "plugin/unpack/tar_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/tar_writer.h"

namespace paceline::unpack {
namespace {

using test::fix_checksum;
using test::padded;
using test::pax_record;
using test::tar_header;
using test::TarItem;
using test::TarWriter;

/// An archive in pieces of `step` bytes.
class Pieces final : public PieceSource {
 public:
  explicit Pieces(std::string archive, std::size_t step = SIZE_MAX) : archive_(std::move(archive)), step_(step) {}
  Result<std::span<const std::byte>> next() override {
    const auto rest = std::as_bytes(std::span(archive_)).subspan(at_);
    const auto piece = rest.first(std::min(step_, rest.size()));
    at_ += piece.size();
    return piece;
  }

 private:
  std::string archive_;
  std::size_t step_;
  std::size_t at_ = 0;
};

struct Read {
  std::vector<TarEntry> entries;
  std::vector<std::string> contents;
  std::string error;
};

Read read_all(const std::string& archive, std::size_t step = SIZE_MAX) {
  Pieces pieces(archive, step);
  TarReader reader(pieces);
  Read read;
  TarEntry entry;
  for (;;) {
    auto more = reader.next(entry);
    if (!more) {
      read.error = more.error().message;
      return read;
    }
    if (!*more) return read;
    read.entries.push_back(entry);
    std::string& content = read.contents.emplace_back();
    for (;;) {
      auto bytes = reader.data();
      if (!bytes) {
        read.error = bytes.error().message;
        return read;
      }
      if (bytes->empty()) break;
      content.append(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    }
  }
}

TEST(TarReader, ReadsEntriesWhateverThePieces) {
  const std::string archive = TarWriter()
                                  .folder("d/")
                                  .file("d/a", std::string(1000, 'x'))
                                  .file("d/empty", "")
                                  .file("b", std::string(512, 'y'))
                                  .finish();
  for (const std::size_t step : {1UL, 7UL, 511UL, 512UL, 513UL, 100000UL}) {
    const Read read = read_all(archive, step);
    EXPECT_EQ(read.error, "") << step;
    ASSERT_EQ(read.entries.size(), 4U) << step;
    EXPECT_EQ(read.entries[0].header.type, TarType::kDirectory);
    EXPECT_EQ(read.contents[1], std::string(1000, 'x'));
    EXPECT_EQ(read.contents[2], "");
    EXPECT_EQ(read.contents[3], std::string(512, 'y'));
    EXPECT_EQ(read.entries[3].header.name, "b");
  }
}

TEST(TarReader, EndsWithoutMarkersAsGoDoes) {
  EXPECT_EQ(read_all("").error, "");
  EXPECT_EQ(read_all(std::string(512, '\0')).error, "");
  EXPECT_EQ(read_all(TarWriter().file("a", "b").entries()).entries.size(), 1U);
  EXPECT_NE(read_all(std::string(512, '\0') + tar_header({.name = "a"})).error, "");
  EXPECT_NE(read_all(std::string(700, '\0')).error, "");
}

TEST(TarReader, LeavesWhatFollowsTheEnd) {
  const Read read = read_all(TarWriter().file("a", "b").finish() + "not a header");
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.entries.size(), 1U);
}

TEST(TarReader, AppliesPaxRecordsToTheNextEntryOnly) {
  const std::string archive = TarWriter()
                                  .add({.name = "short",
                                        .content = "c",
                                        .pax = {{"path", "long/name"},
                                                {"uid", "3000000"},
                                                {"mtime", "1700000000.123456789123"},
                                                {"SCHILY.xattr.user.key", std::string("v\0\n=w", 5)},
                                                {"SCHILY.xattr.user.empty", ""},
                                                {"comment", "ignored"}}})
                                  .file("next", "d")
                                  .finish();
  const Read read = read_all(archive);
  ASSERT_EQ(read.entries.size(), 2U) << read.error;
  const TarEntry& first = read.entries[0];
  EXPECT_EQ(first.header.name, "long/name");
  EXPECT_EQ(first.header.uid, 3000000);
  EXPECT_EQ(first.header.modified, (Timestamp{1700000000, 123456789}));
  ASSERT_EQ(first.xattrs.size(), 2U);
  EXPECT_EQ(first.xattrs[0], (std::pair<std::string, std::string>("user.empty", "")));
  EXPECT_EQ(first.xattrs[1].second, std::string("v\0\n=w", 5));
  EXPECT_EQ(read.entries[1].header.name, "next");
  EXPECT_TRUE(read.entries[1].xattrs.empty());
}

TEST(TarReader, PaxSizeOverridesTheHeaders) {
  TarItem item{.name = "a", .content = std::string(600, 'x'), .size = 0, .pax = {{"size", "600"}}};
  const Read read = read_all(TarWriter().add(item).file("b", "").finish());
  ASSERT_EQ(read.entries.size(), 2U) << read.error;
  EXPECT_EQ(read.contents[0], std::string(600, 'x'));
}

TEST(TarReader, GlobalHeadersChangeNothing) {
  const std::string records = pax_record("path", "elsewhere") + pax_record("mtime", "5");
  const std::string archive =
      TarWriter().add({.name = "pax_global_header", .type = 'g', .content = records}).file("a", "b").finish();
  const Read read = read_all(archive);
  ASSERT_EQ(read.entries.size(), 2U) << read.error;
  EXPECT_EQ(read.entries[0].header.type, TarType::kPaxGlobal);
  EXPECT_EQ(read.entries[1].header.name, "a");
  EXPECT_EQ(read.entries[1].header.modified.seconds, 1'600'000'000);
}

TEST(TarReader, ReadsGnuLongNames) {
  const std::string name(300, 'n');
  const std::string target(280, 't');
  const std::string archive = TarWriter()
                                  .add({.name = "././@LongLink", .type = 'K', .content = target + '\0'})
                                  .add({.name = "././@LongLink", .type = 'L', .content = name + '\0'})
                                  .symlink("cut", "cut")
                                  .file("next", "")
                                  .finish();
  const Read read = read_all(archive);
  ASSERT_EQ(read.entries.size(), 2U) << read.error;
  EXPECT_EQ(read.entries[0].header.name, name);
  EXPECT_EQ(read.entries[0].header.link, target);
  EXPECT_EQ(read.entries[1].header.name, "next");
}

TEST(TarReader, ReadsUstarPrefixes) {
  std::string header = tar_header({.name = "name"});
  header.replace(345, 6, "prefix");
  fix_checksum(header);
  EXPECT_EQ(read_all(header).entries.at(0).header.name, "prefix/name");
}

TEST(TarReader, ReadsPrePosixHeaders) {
  std::string folder = tar_header({.name = "dir/", .type = '\0'});
  folder.replace(257, 100, 100, '\0');
  fix_checksum(folder);
  std::string file = tar_header({.name = "dir/file", .type = '\0', .content = "x"});
  file.replace(257, 100, 100, '\0');
  fix_checksum(file);
  const Read read = read_all(folder + file + padded("x"));
  ASSERT_EQ(read.entries.size(), 2U) << read.error;
  EXPECT_EQ(read.entries[0].header.type, TarType::kDirectory);
  EXPECT_EQ(read.entries[1].header.type, TarType::kRegular);
  EXPECT_EQ(read.contents[1], "x");
}

TEST(TarReader, ReadsBase256Numbers) {
  const Read read = read_all(tar_header({.name = "a", .uid = 0x7fffffff, .gid = 1LL << 31, .mtime = -5}));
  ASSERT_EQ(read.entries.size(), 1U) << read.error;
  EXPECT_EQ(read.entries[0].header.uid, 0x7fffffff);
  EXPECT_EQ(read.entries[0].header.gid, 1LL << 31);
  EXPECT_EQ(read.entries[0].header.modified.seconds, -5);
}

std::string octal_pair(std::string offset, std::string length) {
  return std::move(offset) + char{0} + std::move(length) + char{0};
}

TEST(TarReader, ReadsOldGnuSparseFiles) {
  // Two runs, "abc" at 1000 and "de" at 5000, of a file of 10000 bytes; a third, empty one in a continuation block.
  std::string header = tar_header({.name = "sparse", .type = 'S', .content = "abcde"});
  header.replace(257, 8, std::string_view("ustar  \0", 8));
  header.replace(345, 155, 155, '\0');
  header.replace(386, 24, octal_pair("00000001750", "00000000003"));
  header.replace(410, 24, octal_pair("00000011610", "00000000002"));
  header[482] = 1;
  header.replace(483, 12, std::string("00000023420") + char{0});
  fix_checksum(header);
  std::string continuation(512, '\0');
  continuation.replace(0, 24, octal_pair("00000023420", "00000000000"));
  const Read read = read_all(header + continuation + padded("abcde") + tar_header({.name = "next"}));
  ASSERT_EQ(read.entries.size(), 2U) << read.error;
  const TarEntry& entry = read.entries[0];
  EXPECT_TRUE(entry.sparse);
  EXPECT_EQ(entry.header.type, TarType::kRegular);
  EXPECT_EQ(entry.header.size, 10000);
  ASSERT_EQ(entry.extents.size(), 3U);
  EXPECT_EQ(entry.extents[1].offset, 5000);
  EXPECT_EQ(entry.extents[0].offset, 1000);
  EXPECT_EQ(entry.extents[0].length, 3);
  EXPECT_EQ(read.contents[0], "abcde");
}

TEST(TarReader, ReadsPaxSparseFilesOfAllFormats) {
  const TarItem format00{.name = "GNUSparseFile.1/f",
                         .content = "abcde",
                         .pax = {{"GNU.sparse.size", "9000"},
                                 {"GNU.sparse.numblocks", "2"},
                                 {"GNU.sparse.offset", "1000"},
                                 {"GNU.sparse.numbytes", "3"},
                                 {"GNU.sparse.offset", "5000"},
                                 {"GNU.sparse.numbytes", "2"}}};
  const TarItem format01{.name = "x",
                         .content = "abcde",
                         .pax = {{"GNU.sparse.size", "9000"},
                                 {"GNU.sparse.numblocks", "2"},
                                 {"GNU.sparse.map", "1000,3,5000,2"},
                                 {"GNU.sparse.name", "f"}}};
  const TarItem format10{.name = "x",
                         .content = padded("2\n1000\n3\n5000\n2\n") + "abcde",
                         .pax = {{"GNU.sparse.major", "1"},
                                 {"GNU.sparse.minor", "0"},
                                 {"GNU.sparse.realsize", "9000"},
                                 {"GNU.sparse.name", "f"}}};
  for (const TarItem& item : {format00, format01, format10}) {
    const Read read = read_all(TarWriter().add(item).file("next", "").finish(), 100);
    ASSERT_EQ(read.entries.size(), 2U) << read.error;
    const TarEntry& entry = read.entries[0];
    EXPECT_TRUE(entry.sparse);
    EXPECT_EQ(entry.header.size, 9000);
    ASSERT_EQ(entry.extents.size(), 2U);
    EXPECT_EQ(entry.extents[1].offset, 5000);
    EXPECT_EQ(entry.extents[1].length, 2);
    EXPECT_EQ(read.contents[0], "abcde");
    EXPECT_EQ(read.entries[1].header.name, "next");
  }
}

TEST(TarReader, RefusesWrongSparseMaps) {
  const auto error = [](const char* map, const char* blocks, const char* size = "9000") {
    return read_all(
               TarWriter()
                   .add({.name = "f",
                         .content = "abcde",
                         .pax = {{"GNU.sparse.size", size}, {"GNU.sparse.numblocks", blocks}, {"GNU.sparse.map", map}}})
                   .finish())
        .error;
  };
  EXPECT_EQ(error("0,5", "1"), "");
  EXPECT_NE(error("0,4", "1"), "");      // Less than is stored.
  EXPECT_NE(error("0,6", "1"), "");      // More.
  EXPECT_NE(error("0,3,2,2", "2"), "");  // Runs overlap.
  EXPECT_NE(error("5,3,0,2", "2"), "");  // Out of order.
  EXPECT_NE(error("8999,5", "1"), "");   // Beyond the end.
  EXPECT_NE(error("-1,5", "1"), "");
  EXPECT_NE(error("0,5", "2"), "");
  EXPECT_NE(error("0,5,7", "1"), "");
  EXPECT_NE(error("9223372036854775807,5", "1"), "");
  EXPECT_NE(error("0,5", "1", "-1"), "");
  EXPECT_NE(error("0,5", "4611686018427387904"), "");
}

TEST(TarReader, RefusesBrokenHeaders) {
  std::string wrong_sum = tar_header({.name = "a"});
  wrong_sum[0] = 'b';
  EXPECT_NE(read_all(wrong_sum).error, "");
  std::string no_number = tar_header({.name = "a"});
  no_number.replace(124, 11, "12345678999");
  fix_checksum(no_number);
  EXPECT_NE(read_all(no_number).error, "");
  std::string huge = tar_header({.name = "a"});
  huge.replace(124, 12, 12, '\xbf');
  fix_checksum(huge);
  EXPECT_NE(read_all(huge).error, "");
  std::string negative = tar_header({.name = "a"});
  negative.replace(124, 12, 12, '\xff');
  fix_checksum(negative);
  EXPECT_NE(read_all(negative).error, "");
  EXPECT_NE(read_all(TarWriter().add({.name = "a", .pax = {{"size", "-1"}}}).finish()).error, "");
  EXPECT_NE(read_all(std::string(512, 'x')).error, "");
}

TEST(TarReader, RefusesBrokenPaxHeaders) {
  const auto error = [](const std::string& records) {
    return read_all(TarWriter().add({.name = "x", .type = 'x', .content = records}).file("a", "").finish()).error;
  };
  EXPECT_EQ(error(pax_record("path", "b")), "");
  EXPECT_NE(error(pax_record("path", std::string("b\0c", 3))), "");
  EXPECT_NE(error(pax_record("mtime", "yesterday")), "");
  EXPECT_NE(error(pax_record("uid", "0x10")), "");
  EXPECT_NE(error("99 path=b\n"), "");
  EXPECT_NE(error("9 path=bc"), "");
  EXPECT_NE(error("8 pathb\n"), "");
  EXPECT_NE(error("6 =b\n\n"), "");
  EXPECT_NE(error("-5 a=b\n"), "");
  EXPECT_NE(error("18446744073709551617 a=b\n"), "");
  EXPECT_NE(error("no number"), "");
}

TEST(TarReader, RefusesEndlessExtendedHeaders) {
  TarWriter many;
  for (int i = 0; i < 1000; ++i) many.add({.name = "x", .type = 'x', .content = pax_record("path", "b")});
  EXPECT_NE(read_all(many.file("a", "").finish()).error, "");
  const std::string large((1 << 20) + 1, 'n');
  EXPECT_NE(read_all(TarWriter().add({.name = "L", .type = 'L', .content = large}).finish()).error, "");
  // The size alone must not make it allocate.
  EXPECT_NE(read_all(tar_header({.name = "L", .type = 'L', .size = 1LL << 40})).error, "");
}

TEST(TarReader, CutAnywhereItFailsOrEndsAtAnEntry) {
  const std::string archive = TarWriter()
                                  .add({.name = "a", .content = std::string(700, 'x'), .pax = {{"path", "long"}}})
                                  .folder("d")
                                  .file("d/b", std::string(1024, 'y'))
                                  .finish();
  const std::size_t whole = read_all(archive).entries.size();
  for (std::size_t size = 0; size < archive.size(); ++size) {
    const Read read = read_all(archive.substr(0, size));
    EXPECT_LE(read.entries.size(), whole);
    if (size % 512 != 0 && size < archive.size() - 1024 && read.error.empty()) {
      // Only within an entry's padding, which nobody misses.
      EXPECT_EQ(archive.substr(size, 512 - size % 512), std::string(512 - size % 512, '\0')) << size;
    }
  }
}

}  // namespace
}  // namespace paceline::unpack
