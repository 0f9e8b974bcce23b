#include "plugin/base/digest.h"

#include <gtest/gtest.h>

namespace paceline {
namespace {

TEST(Digest, MatchesTheKnownValueOfTheEmptyString) {
  EXPECT_EQ(sha256("").to_string(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, RoundTripsThroughText) {
  const Digest digest = sha256("paceline");
  EXPECT_EQ(Digest::parse(digest.to_string()).value(), digest);
  EXPECT_EQ(Digest::from_hex(digest.hex()).value(), digest);
}

TEST(Digest, RefusesOtherAlgorithmsLengthsAndCases) {
  const std::string hex = sha256("").hex();
  for (const std::string& bad :
       {std::string(), hex, "sha512:" + hex, "sha256:" + hex.substr(1), "sha256:" + hex + "0",
        "sha256:" + std::string(64, 'G'), "sha256:" + std::string(64, 'A'), "sha256:../" + hex}) {
    const auto parsed = Digest::parse(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  }
}

TEST(Sha256, DigestMayBeTakenInMidStream) {
  Sha256 hasher;
  hasher.update("ab");
  EXPECT_EQ(hasher.digest(), sha256("ab"));
  hasher.update("c");
  EXPECT_EQ(hasher.digest(), sha256("abc"));
}

}  // namespace
}  // namespace paceline
