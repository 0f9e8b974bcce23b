#include "plugin/analyze/layer_scan.h"

#include <gtest/gtest.h>

#include "tests/unit/analyze/test_image.h"

namespace paceline::analyze {
namespace {

using test::BytesSource;
using test::TarWriter;

Result<ScannedLayer> scan(const std::string& blob, const ScanOptions& options = {},
                          const std::optional<Digest>& expected = {}) {
  BytesSource source(blob);
  return scan_layer(source, "", expected, options);
}

TEST(LayerScan, CountsWhatTheArchiveHas) {
  const std::string big = test::noise(1'000'000, 1);
  const std::string tar = TarWriter()
                              .folder("usr/")
                              .file("usr/big", big)
                              .file("./usr/small", "x")
                              .symlink("usr/link", "big")
                              .hard_link("usr/same", "usr/big")
                              .file("usr/.wh.gone", "")
                              .file("opt/.wh..wh..opq", "")
                              .add({.name = "dev/null", .type = '3'})
                              .finish();
  const auto layer = scan(test::gzip(tar), {}, sha256(tar));
  ASSERT_TRUE(layer) << layer.error().message;
  ASSERT_EQ(layer->entries.size(), 8U);
  const EntryKind kinds[] = {EntryKind::kDirectory, EntryKind::kFile,     EntryKind::kFile,   EntryKind::kSymlink,
                             EntryKind::kHardLink,  EntryKind::kWhiteout, EntryKind::kOpaque, EntryKind::kOther};
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(layer->entries[i].kind, kinds[i]) << i;
  EXPECT_EQ(layer->entries[1].size, big.size());
  EXPECT_EQ(layer->name(layer->entries[2]), "usr/small");
  EXPECT_EQ(layer->link(layer->entries[4]), "usr/big");
  EXPECT_EQ(layer->name(layer->entries[5]), "usr/gone");
  EXPECT_EQ(layer->name(layer->entries[6]), "opt");
  EXPECT_EQ(layer->uncompressed_bytes, tar.size());
  EXPECT_EQ(layer->blob_bytes, test::gzip(tar).size());
  EXPECT_FALSE(layer->estimated);
  EXPECT_EQ(layer->diff_id, sha256(tar));
}

TEST(LayerScan, EachFileHasItsShareOfTheBlob) {
  const std::string blob = test::gzip(
      TarWriter().file("zeros", std::string(3'000'000, '\0')).file("noise", test::noise(3'000'000, 2)).finish());
  const auto layer = scan(blob);
  ASSERT_TRUE(layer);
  const auto zeros = layer->entries[0].compressed, noise = layer->entries[1].compressed;
  EXPECT_LT(zeros, noise / 10);
  EXPECT_NEAR(static_cast<double>(zeros + noise), static_cast<double>(blob.size()), 0.1 * blob.size());
}

TEST(LayerScan, TheWholeBlobIsReadHoweverItIsStored) {
  const std::string tar = TarWriter().file("noise", test::noise(700'000, 5)).finish();
  // Members and frames one after another, and an empty one at the end.
  for (const auto& blob :
       {tar, test::gzip(tar), test::gzip(tar) + test::gzip(""), test::zstd(tar), test::zstd(tar) + test::zstd("")}) {
    const auto layer = scan(blob);
    ASSERT_TRUE(layer) << layer.error().message;
    EXPECT_EQ(layer->blob_bytes, blob.size());
  }
}

TEST(LayerScan, WhatIsStoredUncompressedIsEstimated) {
  const std::string tar = TarWriter().file("noise", test::noise(3'000'000, 2)).finish();
  const auto layer = scan(tar);
  ASSERT_TRUE(layer);
  EXPECT_TRUE(layer->estimated);
  // Four bits of each byte are what the noise has.
  EXPECT_NEAR(static_cast<double>(layer->compressed_bytes), 1.5e6, 0.2e6);
}

TEST(LayerScan, EqualContentsHaveEqualKeys) {
  const std::string content = test::noise(5000, 3);
  const auto layer = scan(TarWriter().file("a", content).file("b", content).file("c", test::noise(5000, 4)).finish());
  ASSERT_TRUE(layer);
  EXPECT_EQ(layer->entries[0].content, layer->entries[1].content);
  EXPECT_NE(layer->entries[0].content, layer->entries[2].content);
}

/// Eight KiB at `offset` of a file of 100 000 bytes, all else a hole.
test::TarItem sparse_file(const std::string& name, const std::string& offset) {
  return {.name = name,
          .content = test::noise(8192, 6),
          .pax = {{"GNU.sparse.major", "0"},
                  {"GNU.sparse.minor", "1"},
                  {"GNU.sparse.name", name},
                  {"GNU.sparse.size", "100000"},
                  {"GNU.sparse.numblocks", "1"},
                  {"GNU.sparse.map", offset + ",8192"}}};
}

TEST(LayerScan, EqualBytesAtOtherPlacesAreAnotherContent) {
  const auto layer =
      scan(TarWriter().add(sparse_file("a", "0")).add(sparse_file("b", "4096")).add(sparse_file("c", "0")).finish());
  ASSERT_TRUE(layer) << layer.error().message;
  EXPECT_EQ(layer->entries[0].size, 100'000U);
  EXPECT_EQ(layer->entries[0].stored, 8192U);
  EXPECT_NE(layer->entries[0].content, layer->entries[1].content);
  EXPECT_EQ(layer->entries[0].content, layer->entries[2].content);
}

TEST(LayerScan, HolesCountForTheLimitOfAllFiles) {
  ScanOptions options;
  options.limits.bytes = 200'100;
  const TarWriter tar = TarWriter().add(sparse_file("a", "0")).add(sparse_file("b", "0"));
  EXPECT_TRUE(scan(TarWriter(tar).file("c", std::string(100, 'x')).finish(), options));
  const auto more = scan(TarWriter(tar).file("c", std::string(101, 'x')).finish(), options);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kResourceExhausted);
  EXPECT_NE(more.error().message.find("entry \"c\": with it the layer's files are larger than"), std::string::npos)
      << more.error().message;
}

TEST(LayerScan, SymlinksAreNoLongerThanTheKernelTakes) {
  EXPECT_TRUE(
      scan(TarWriter().add({.name = "a", .type = '2', .pax = {{"linkpath", std::string(4095, '.')}}}).finish()));
  const auto longer =
      scan(TarWriter().add({.name = "a", .type = '2', .pax = {{"linkpath", std::string(4096, '.')}}}).finish());
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, Code::kInvalidArgument);
  EXPECT_EQ(longer.error().message, "entry \"a\": its target is longer than 4095 bytes");
  EXPECT_FALSE(scan(TarWriter().symlink("a", "").finish()));
}

TEST(LayerScan, KeepsWhatIsAskedForAndNoMoreThanAllowed) {
  ScanOptions options;
  options.keep = [](std::string_view path) { return path.starts_with("keep/"); };
  options.most_kept_bytes = 10;
  const auto tar = TarWriter().file("keep/a", "12345").file("other", "1").file("keep/c", "12345");
  const auto layer = scan(tar.finish(), options);
  ASSERT_TRUE(layer);
  EXPECT_EQ(layer->kept.size(), 2U);
  EXPECT_EQ(layer->kept.at(0), "12345");
  EXPECT_EQ(layer->kept.at(2), "12345");
  // Without what is left out, others would seem to be of no package.
  const auto more = scan(TarWriter(tar).file("keep/d", "1").finish(), options);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kResourceExhausted);
  EXPECT_EQ(more.error().message,
            "entry \"keep/d\": with it the layer's package databases are larger than 10 B, the limit");
}

TEST(LayerScan, AnotherDiffIdIsAnError) {
  const auto layer = scan(TarWriter().file("a", "b").finish(), {}, sha256("something else"));
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code, Code::kFailedPrecondition);
}

TEST(LayerScan, AnEmptyLayerIsALayer) {
  const auto layer = scan(test::gzip(TarWriter().finish()));
  ASSERT_TRUE(layer);
  EXPECT_TRUE(layer->entries.empty());
}

TEST(LayerScan, NamesHaveALimitTogether) {
  ScanOptions options;
  options.most_name_bytes = 10;
  EXPECT_TRUE(scan(TarWriter().file("12345", "").symlink("1", "1234").finish(), options));
  const auto more = scan(TarWriter().file("12345", "").symlink("1", "12345").finish(), options);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kResourceExhausted);
  EXPECT_EQ(more.error().message, "the layer's names take more than 10 B, the limit, after 2 entries");
}

TEST(LayerScan, TheCallerMayGiveUp) {
  ScanOptions options;
  options.progress = [](std::uint64_t) { return fail(Code::kCancelled, "enough"); };
  const auto layer = scan(TarWriter().file("a", "b").finish(), options);
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace paceline::analyze
