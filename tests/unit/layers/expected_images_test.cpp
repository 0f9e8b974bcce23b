#include "plugin/layers/expected_images.h"

#include <gtest/gtest.h>

namespace paceline::layers {
namespace {

using namespace std::chrono_literals;

oci::Manifest manifest_of(const std::string& name) {
  oci::Manifest manifest;
  manifest.config.digest = sha256("config of " + name);
  return manifest;
}

class ExpectedImagesTest : public ::testing::Test {
 protected:
  void expect(const std::string& name) { images_.expect(sha256(name), manifest_of(name), now_); }

  ExpectedImages images_;
  TimePoint now_{1h};
};

TEST_F(ExpectedImagesTest, ReadersAreKnownByManifestAndByConfig) {
  expect("a");
  EXPECT_FALSE(images_.read(sha256("b"), "k8s.io"));
  EXPECT_TRUE(images_.read(sha256("a"), "k8s.io"));
  EXPECT_TRUE(images_.read(sha256("config of a"), "moby"));
  const auto image = images_.take(sha256("a"));
  ASSERT_TRUE(image);
  EXPECT_EQ(image->manifest.config.digest, sha256("config of a"));
  EXPECT_EQ(image->readers, (std::set<std::string>{"k8s.io", "moby"}));
  EXPECT_FALSE(images_.read(sha256("config of a"), "moby")) << "it is expected no more";
  EXPECT_FALSE(images_.take(sha256("config of a")));
}

TEST_F(ExpectedImagesTest, WhoReadsAfterAClientDoesNotPull) {
  expect("a");
  EXPECT_FALSE(images_.read(sha256("a"), ""));
  EXPECT_FALSE(images_.read(sha256("config of a"), "k8s.io"));
  expect("a");
  EXPECT_TRUE(images_.read(sha256("a"), "k8s.io")) << "another pull";
}

TEST_F(ExpectedImagesTest, TheLatestIsTheFirst) {
  for (const auto* name : {"a", "b", "a"}) {
    expect(name);
    now_ += 1s;
  }
  const auto all = images_.all();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].config.digest, sha256("config of a"));
}

TEST_F(ExpectedImagesTest, WhatNobodyWantsIsForgotten) {
  expect("a");
  images_.forget_old(now_ + 9min);
  EXPECT_EQ(images_.all().size(), 1U);
  images_.forget_old(now_ + 11min);
  EXPECT_TRUE(images_.all().empty());
}

}  // namespace
}  // namespace paceline::layers
