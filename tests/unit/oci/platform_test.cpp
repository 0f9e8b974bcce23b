#include "plugin/oci/platform.h"

#include <gtest/gtest.h>

namespace paceline::oci {
namespace {

Platform platform(std::string_view text) { return Platform::parse(text).value(); }

TEST(Platform, NormalisesTheNamesPeopleUse) {
  EXPECT_EQ(platform("linux/x86_64").to_string(), "linux/amd64");
  EXPECT_EQ(platform("Linux/amd64/v1").to_string(), "linux/amd64");
  EXPECT_EQ(platform("linux/aarch64"), platform("linux/arm64/v8"));
  EXPECT_EQ(platform("linux/arm64/8"), platform("linux/arm64"));
  EXPECT_EQ(platform("linux/armhf"), platform("linux/arm/v7"));
  EXPECT_EQ(platform("linux/arm"), platform("linux/arm/v7"));
  EXPECT_EQ(platform("linux/i686").to_string(), "linux/386");
}

TEST(Platform, RefusesWhatIsNone) {
  for (const char* bad : {"", "linux", "/", "linux/", "linux//v7", "linux/arm/v7/x", "li nux/arm", "linux/arm\n"}) {
    EXPECT_FALSE(Platform::parse(bad)) << bad;
  }
}

TEST(Platform, LowerVariantsAndThirtyTwoBitSetsRun) {
  EXPECT_TRUE(platform("linux/arm/v7").runs(platform("linux/arm/v6")));
  EXPECT_FALSE(platform("linux/arm/v6").runs(platform("linux/arm/v7")));
  EXPECT_TRUE(platform("linux/arm64").runs(platform("linux/arm/v7")));
  EXPECT_FALSE(platform("linux/arm/v7").runs(platform("linux/arm64")));
  EXPECT_TRUE(platform("linux/amd64").runs(platform("linux/386")));
  EXPECT_FALSE(platform("linux/amd64").runs(platform("linux/amd64/v3")));
  EXPECT_TRUE(platform("linux/amd64/v3").runs(platform("linux/amd64")));
  EXPECT_FALSE(platform("linux/amd64").runs(platform("windows/amd64")));
  EXPECT_TRUE(Platform::host().runs(Platform::host()));
}

}  // namespace
}  // namespace paceline::oci
