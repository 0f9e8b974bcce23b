#include <gtest/gtest.h>

#include "plugin/analyze/archive_index.h"
#include "plugin/analyze/open_image.h"
#include "tests/unit/analyze/test_image.h"

namespace paceline::analyze {
namespace {

using test::TarWriter;
using test::TempDir;

const std::string kBase = TarWriter().file("a", "base").finish();
const std::string kTop = TarWriter().file("b", test::noise(100'000, 1)).finish();

OpenOptions here() {
  OpenOptions options;
  options.platform = *oci::Platform::parse("linux/amd64");
  return options;
}

/// The paths in the image, or the error.
std::string contents(const std::string& image, const OpenOptions& options) {
  auto source = open_image(image, options);
  if (!source) return "error: " + source.error().message;
  auto analysis = analyze(**source, {});
  if (!analysis) return "error: " + analysis.error().message;
  std::string out;
  for (const auto& file : analysis->tree.files()) out += analysis->tree.path(file.node) + " ";
  return out;
}

TEST(Archive, DockerSaveAndOciLayouts) {
  const TempDir dir;
  const auto archive = dir.write("app.tar", test::docker_archive({kBase, kTop, kTop}));
  EXPECT_EQ(contents(archive, here()), "a b b ");
  test::write_layout(dir.path() / "layout", {kBase, kTop});
  EXPECT_EQ(contents(dir.path() / "layout", here()), "a b ");
}

TEST(Archive, AnOciLayoutInAnArchive) {
  const TempDir dir;
  const Digest digest = test::write_layout(dir.path() / "layout", {kBase});
  TarWriter tar;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path() / "layout")) {
    const std::string name = std::filesystem::relative(entry.path(), dir.path() / "layout");
    if (!entry.is_regular_file()) continue;
    std::string bytes(std::filesystem::file_size(entry.path()), '\0');
    FILE* file = std::fopen(entry.path().c_str(), "rb");
    ASSERT_EQ(std::fread(bytes.data(), 1, bytes.size(), file), bytes.size());
    std::fclose(file);
    tar.file(name, bytes);
  }
  const auto archive = dir.write("oci.tar", tar.finish());
  EXPECT_EQ(contents(archive, here()), "a ");
  const auto image = open_image(archive, here());
  ASSERT_TRUE(image);
  EXPECT_EQ((*image)->info().manifest, digest);
  EXPECT_EQ((*image)->info().layers.front().created_by, "/bin/sh -c make layer 1");
}

TEST(Archive, TheStoresBlobsAreAnImage) {
  const TempDir dir;
  const Digest digest =
      test::write_layout(dir.path(), {kBase, kTop});  // containerd's layout has the same blobs folder.
  auto options = here();
  options.store = dir.path();
  EXPECT_EQ(contents(digest.to_string(), options), "a b ");
  // As prefetched blobs are kept.
  std::filesystem::create_directories(dir.path() / ".paceline" / "hidden");
  std::filesystem::rename(dir.path() / "blobs" / "sha256", dir.path() / ".paceline" / "hidden" / "sha256");
  EXPECT_EQ(contents(digest.to_string(), options), "a b ");
  EXPECT_NE(contents(sha256("other").to_string(), options).find("error: store"), std::string::npos);
}

TEST(Archive, OfSeveralImagesOneIsNamed) {
  const TempDir dir;
  test::write_layout(dir.path() / "layout", {kBase});
  auto options = here();
  options.tag = "1";
  EXPECT_EQ(contents(dir.path() / "layout", options), "a ");
  options.tag = "2";
  EXPECT_NE(contents(dir.path() / "layout", options).find("it has: app:1"), std::string::npos);
}

TEST(Archive, AnImageOfAnotherPlatformThanTheOneAskedForIsRefused) {
  const TempDir dir;
  const auto archive = dir.write("app.tar", test::docker_archive({kBase}));
  test::write_layout(dir.path() / "layout", {kBase});
  auto options = here();
  options.platform = *oci::Platform::parse("linux/arm64");
  // Where nobody asked, the machine's own only chooses among several.
  EXPECT_EQ(contents(archive, options), "a ");
  options.platform_asked = true;
  for (const std::string& image : {archive.string(), (dir.path() / "layout").string()}) {
    EXPECT_EQ(contents(image, options),
              "error: " + image + ": the image is not made for linux/arm64/v8, but for linux/amd64");
  }
  options.platform = *oci::Platform::parse("linux/x86_64");
  EXPECT_EQ(contents(archive, options), "a ");
}

TEST(Archive, WhatIsNoImageIsSaid) {
  const TempDir dir;
  EXPECT_NE(contents(dir.write("packed.tar.gz", "\x1f\x8b\x08 and so on"), here()).find("unpack it with 'gzip -d'"),
            std::string::npos);
  EXPECT_NE(contents("/dev/null", here()).find("neither a folder nor a regular file"), std::string::npos);
  EXPECT_NE(contents(dir.path(), here()).find("is no OCI layout"), std::string::npos);
  EXPECT_NE(
      contents(dir.write("text", "no archive, and not even long"), here()).find("neither manifest.json nor index.json"),
      std::string::npos);
  EXPECT_NE(contents(dir.write("noise", test::noise(5000, 9)), here()).find("is no archive of an image"),
            std::string::npos);
  EXPECT_NE(contents(dir.write("plain.tar", kBase), here()).find("neither manifest.json nor index.json"),
            std::string::npos);
  EXPECT_NE(contents("./absent", here()).find("there is no such file"), std::string::npos);
  EXPECT_NE(contents("UPPER/case", here()).find("error: "), std::string::npos);
}

TEST(Archive, CutOffOrMissingParts) {
  const TempDir dir;
  const std::string whole = test::docker_archive({kBase, kTop});
  EXPECT_NE(contents(dir.write("cut.tar", whole.substr(0, 60'000)), here()).find("cut off within"), std::string::npos);
  const auto lacking = TarWriter().file("manifest.json", R"([{"Config":"c.json","Layers":["x/layer.tar"]}])").finish();
  EXPECT_NE(contents(dir.write("lacking.tar", lacking), here()).find("lacks its layer x/layer.tar"), std::string::npos);
  const auto circle = TarWriter()
                          .symlink("x/layer.tar", "../y")
                          .symlink("y", "x/layer.tar")
                          .file("manifest.json", R"([{"Config":"c.json","Layers":["x/layer.tar"]}])")
                          .finish();
  EXPECT_NE(contents(dir.write("circle.tar", circle), here()).find("lacks its layer"), std::string::npos);
  for (const char* json : {"[]", "{}", "not json", "[1]", R"([{"Layers":[]}])"}) {
    const auto odd = dir.write("odd.tar", TarWriter().file("manifest.json", json).finish());
    EXPECT_NE(contents(odd, here()).find("error: "), std::string::npos) << json;
  }
}

TEST(Archive, DamagedBlobsAreFound) {
  const TempDir dir;
  const Digest digest = test::write_layout(dir.path(), {kBase});
  dir.write("blobs/sha256/" + digest.hex(), "{}");
  EXPECT_NE(contents(dir.path(), here()).find("is damaged"), std::string::npos);
}

}  // namespace
}  // namespace paceline::analyze
