#include "plugin/content/ref.h"

#include <gtest/gtest.h>

namespace paceline::content {
namespace {

const std::string kHex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Ref, EndsInTheDigestOfWhatContainerdFetches) {
  for (const auto* kind : {"layer", "config", "manifest", "index", "unknown"}) {
    const auto digest = digest_in_ref("default/12/" + std::string(kind) + "-sha256:" + kHex);
    ASSERT_TRUE(digest.has_value()) << kind;
    EXPECT_EQ(digest->hex(), kHex);
  }
  EXPECT_TRUE(digest_in_ref("sha256:" + kHex));
  EXPECT_TRUE(digest_in_ref("k8s.io/1/layer-sha256:" + std::string(64, '0') + "/x-sha256:" + kHex));
}

TEST(Ref, TellsNothingOtherwise) {
  EXPECT_FALSE(digest_in_ref(""));
  EXPECT_FALSE(digest_in_ref("default/1/upload-17"));
  EXPECT_FALSE(digest_in_ref("default/1/layer-sha256:" + kHex + "-copy"));
  EXPECT_FALSE(digest_in_ref("default/1/layer-sha256:" + kHex.substr(1)));
  EXPECT_FALSE(digest_in_ref("default/1/notsha256:" + kHex));
}

}  // namespace
}  // namespace paceline::content
