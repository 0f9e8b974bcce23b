// Layers made to do harm: each is an error that names the layer and the entry, and costs no more than what was read.
#include <gtest/gtest.h>

#include <random>

#include "plugin/unpack/tar_header.h"
#include "tests/unit/analyze/test_image.h"

namespace paceline::analyze {
namespace {

using test::MemoryImage;
using test::TarWriter;

std::string error_of(const std::string& tar) {
  MemoryImage image({TarWriter().file("base", "x").finish(), tar});
  auto analysis = analyze(image, {.threads = 2});
  return analysis ? "" : analysis.error().message;
}

TEST(HostileImage, ErrorsNameTheLayerAndTheEntry) {
  const std::string error = error_of(TarWriter().file("good", "1").file("../../etc/passwd", "2").finish());
  EXPECT_NE(error.find("test: layer 2 ("), std::string::npos) << error;
  EXPECT_NE(error.find("entry \"../../etc/passwd\": its name leads out"), std::string::npos) << error;
}

TEST(HostileImage, WhatContainerdWouldRefuse) {
  EXPECT_NE(error_of(TarWriter().file("a/.wh.", "").finish()).find("whiteout of no file"), std::string::npos);
  EXPECT_NE(error_of(TarWriter().hard_link("a", "../../x").finish()).find("leads out"), std::string::npos);
  EXPECT_NE(error_of(TarWriter().hard_link("a", "b").finish()).find("entry \"a\": its target \"b\" does not exist"),
            std::string::npos);
  EXPECT_NE(error_of(TarWriter().add({.name = "a", .type = 'Z'}).finish()).find("type is unknown"), std::string::npos);
  EXPECT_NE(error_of(TarWriter().file("a", "12345").finish().substr(0, 515)).find("cut off"), std::string::npos);
  EXPECT_NE(
      error_of(TarWriter().add({.name = "a", .content = "x", .size = std::int64_t{1} << 60}).finish()).find("limit"),
      std::string::npos);
  EXPECT_NE(
      error_of(TarWriter().add({.name = "a", .pax = {{"path", std::string(5000, 'x')}}}).finish()).find("longer than"),
      std::string::npos);
}

TEST(HostileImage, DamagedBytes) {
  MemoryImage image({TarWriter().file("a", test::noise(300'000, 1)).finish()});
  image.blobs()[0][image.blobs()[0].size() / 2] ^= 0x55;
  EXPECT_FALSE(analyze(image, {}));
  MemoryImage cut({TarWriter().file("a", test::noise(300'000, 1)).finish()});
  cut.blobs()[0].resize(cut.blobs()[0].size() / 2);
  EXPECT_FALSE(analyze(cut, {}));
}

TEST(HostileImage, AnotherLayerThanTheConfigSays) {
  MemoryImage image({TarWriter().file("a", "1").finish()});
  image.blobs()[0] = test::gzip(TarWriter().file("a", "2").finish());
  const auto analysis = analyze(image, {});
  ASSERT_FALSE(analysis);
  EXPECT_NE(analysis.error().message.find("diffID"), std::string::npos);
}

TEST(HostileImage, AnotherSizeThanTheManifestSays) {
  for (const bool plain : {false, true}) {
    for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{1} << 60U}) {
      MemoryImage image({TarWriter().file("a", "1").finish()}, plain);
      const std::string real = std::to_string(image.blobs()[0].size());
      image.change().layers[0].size = size;
      const auto analysis = analyze(image, {});
      ASSERT_FALSE(analysis);
      EXPECT_NE(analysis.error().message.find("its blob has " + real + " bytes, but the image's manifest says " +
                                              std::to_string(size)),
                std::string::npos)
          << analysis.error().message;
    }
  }
}

TEST(HostileImage, ConfigsThatDoNotFit) {
  ImageInfo info;
  info.layers.resize(2);
  for (const char* text :
       {"", "[]", "{}", "{\"rootfs\":1}", "{\"rootfs\":{\"diff_ids\":{}}}", "{\"rootfs\":{\"diff_ids\":[1,2]}}",
        "{\"rootfs\":{\"diff_ids\":[\"sha256:x\",\"y\"]}}", "{\"rootfs\":{\"diff_ids\":[]}}"}) {
    EXPECT_FALSE(apply_config(text, info)) << text;
  }
}

TEST(HostileImage, RandomDamageIsAnErrorOrAnImage) {
  const std::string tar = TarWriter()
                              .folder("usr")
                              .file("usr/a", test::noise(5000, 2))
                              .symlink("l", "usr")
                              .hard_link("h", "usr/a")
                              .file("usr/.wh.b", "")
                              .add({.name = "p", .content = "x", .pax = {{"path", "long/name"}}})
                              .finish();
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = tar;
    for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    // With the checksum of each header put right again, so that the damage gets past it.
    for (std::size_t at = 0; at + 512 <= damaged.size(); at += 512) {
      std::string header = damaged.substr(at, 512);
      if (header.find_first_not_of('\0') == std::string::npos || header.compare(257, 5, "ustar") != 0) continue;
      test::fix_checksum(header);
      damaged.replace(at, 512, header);
    }
    MemoryImage image({damaged}, true);
    (void)analyze(image, {.threads = 1}).has_value();
  }
}

}  // namespace
}  // namespace paceline::analyze
