#include "plugin/registry/challenge.h"

#include <gtest/gtest.h>

namespace paceline::registry {
namespace {

TEST(ParseChallenges, ReadsParametersInAnyOrderAndQuoting) {
  const auto parsed = parse_challenges(
      R"(Bearer scope="repository:a/b:pull,push", SERVICE=registry.test ,realm = "https://auth.test/to\"ken?x=1,2")");
  ASSERT_EQ(parsed.size(), 1U);
  EXPECT_EQ(parsed[0].scheme, "bearer");
  EXPECT_EQ(parsed[0].parameter("realm"), "https://auth.test/to\"ken?x=1,2");
  EXPECT_EQ(parsed[0].parameter("service"), "registry.test");
  EXPECT_EQ(parsed[0].parameter("scope"), "repository:a/b:pull,push");
}

TEST(ParseChallenges, ReadsSeveralChallenges) {
  const auto parsed =
      parse_challenges(R"(Negotiate, NTLM YWJjZA==, Basic realm="a, b", charset="UTF-8", Bearer realm="https://t")");
  ASSERT_EQ(parsed.size(), 4U);
  EXPECT_EQ(parsed[0].scheme, "negotiate");
  EXPECT_EQ(parsed[1].scheme, "ntlm");
  EXPECT_EQ(parsed[2].parameter("realm"), "a, b");
  EXPECT_EQ(parsed[2].parameter("charset"), "UTF-8");
  EXPECT_EQ(choose_challenge(parsed)->scheme, "bearer");
}

TEST(ParseChallenges, ToleratesAnUnquotedUrl) {
  EXPECT_EQ(parse_challenges("Bearer realm=https://auth.test/token,service=x").at(0).parameter("realm"),
            "https://auth.test/token");
}

TEST(ParseChallenges, EndsAtGarbage) {
  EXPECT_TRUE(parse_challenges("").empty());
  EXPECT_TRUE(parse_challenges(" , ,").empty());
  EXPECT_TRUE(parse_challenges("\"quoted\"").empty());
  EXPECT_EQ(parse_challenges(R"(Basic realm="never ends)").size(), 1U);
  for (const std::string& text : {std::string(100'000, ','), std::string(100'000, 'a'), std::string("Bearer ==="),
                                  std::string("Bearer realm="), std::string("Bearer \x01=2"), std::string("a=b=c=d")}) {
    EXPECT_LE(parse_challenges(text).size(), 16U);
  }
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "Basic realm=\"x\", ";
  EXPECT_EQ(parse_challenges(many).size(), 16U);
}

TEST(ChooseChallenge, NeedsARealmForBearer) {
  EXPECT_EQ(choose_challenge(parse_challenges("Bearer service=\"x\", Basic realm=\"y\""))->scheme, "basic");
  EXPECT_FALSE(choose_challenge(parse_challenges("Negotiate")));
}

}  // namespace
}  // namespace paceline::registry
