#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin/analyze/image_source.h"

namespace paceline::analyze {
namespace {

using testing::ElementsAre;

StartCommand start_of(const std::string& config) {
  ImageInfo info;
  const auto status = apply_config(R"({"rootfs":{"diff_ids":[]},"config":)" + config + "}", info);
  EXPECT_TRUE(status) << status.error().message;
  return info.start;
}

TEST(ImageConfig, WhatAContainerStartsWith) {
  const auto start = start_of(
      R"({"Entrypoint":["/init"],"Cmd":["make","run"],"Env":["A=B","PATH=/opt/bin:/bin"],"WorkingDir":"/srv"})");
  EXPECT_THAT(start.words, ElementsAre("/init", "make", "run"));
  EXPECT_EQ(start.search_path, "/opt/bin:/bin");
  EXPECT_EQ(start.folder, "/srv");
}

TEST(ImageConfig, NothingIsSaidOfTheStart) {
  for (const char* config : {"{}", "null", "[]", R"({"Entrypoint":null,"Cmd":"make","Env":[1,{}],"WorkingDir":2})"}) {
    const auto start = start_of(config);
    EXPECT_THAT(start.words, testing::IsEmpty()) << config;
    EXPECT_EQ(start.search_path, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") << config;
  }
}

TEST(ImageConfig, ACommandHasAnEnd) {
  std::string words = "\"" + std::string(10'000, 'a') + "\"";
  for (int i = 0; i < 1000; ++i) words += ",\"a\"";
  const auto start = start_of("{\"Cmd\":[" + words + "]}");
  EXPECT_EQ(start.words.size(), 64U);
  EXPECT_EQ(start.words.front().size(), 4096U);
}

}  // namespace
}  // namespace paceline::analyze
