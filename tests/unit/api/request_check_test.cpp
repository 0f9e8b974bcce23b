#include "plugin/api/request_check.h"

#include <gtest/gtest.h>

namespace paceline::api {
namespace {

Strings strings(std::initializer_list<std::string> list) { return {list.begin(), list.end()}; }

TEST(RequestCheck, ImagesAreParsedAndDuplicatesDropped) {
  const auto images = check_images(strings({"redis", "docker.io/library/redis:latest", "alpine:3"}));
  ASSERT_TRUE(images);
  ASSERT_EQ(images->size(), 2U);
  EXPECT_EQ((*images)[0].to_string(), "docker.io/library/redis:latest");
  EXPECT_EQ((*images)[1].to_string(), "docker.io/library/alpine:3");
}

TEST(RequestCheck, OneBadImageRefusesAll) {
  EXPECT_EQ(check_images(strings({"redis", "host/UPPER"})).error().code, Code::kInvalidArgument);
  EXPECT_EQ(check_images(strings({""})).error().code, Code::kInvalidArgument);
  EXPECT_EQ(check_images({}).error().code, Code::kInvalidArgument);
}

TEST(RequestCheck, TooMuchIsRefusedWithoutEchoingIt) {
  const auto error = check_image(std::string(100'000, 'a')).error();
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_LT(error.message.size(), 200U);
  Strings many;
  for (int i = 0; i <= kMaxNames; ++i) many.Add("redis");
  EXPECT_EQ(check_images(many).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(check_platform(std::string(1000, 'a')));
  EXPECT_FALSE(check_pull_id(std::string(1000, 'a')));
  EXPECT_FALSE(check_pull_id(""));
}

TEST(RequestCheck, APlatformMayBeLeftOut) {
  EXPECT_EQ(check_platform("").value(), std::nullopt);
  EXPECT_EQ(check_platform("linux/arm64").value()->architecture, "arm64");
  EXPECT_FALSE(check_platform("nonsense/with/too/many/parts"));
}

TEST(RequestCheck, DigestsAreParsed) {
  const auto digest = sha256("x").to_string();
  EXPECT_EQ(check_digests(strings({digest})).value().front().to_string(), digest);
  EXPECT_EQ(check_digests(strings({"md5:123"})).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace paceline::api
