#include "plugin/oci/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paceline::oci {
namespace {

using testing::HasSubstr;

const std::string kHex = sha256("x").hex();

TEST(Reference, FillsInWhatDockerFillsIn) {
  const std::pair<std::string, std::string> cases[] = {
      {"redis", "docker.io/library/redis:latest"},
      {"redis:7", "docker.io/library/redis:7"},
      {"bitnami/redis", "docker.io/bitnami/redis:latest"},
      {"docker.io/redis", "docker.io/library/redis:latest"},
      {"index.docker.io/library/redis:7", "docker.io/library/redis:7"},
      {"localhost/app", "localhost/app:latest"},
      {"localhost:5000/app:v1", "localhost:5000/app:v1"},
      {"localhost:5000", "docker.io/library/localhost:5000"},
      {"Upper/app", "Upper/app:latest"},
      {"host:5000/a/b@sha256:" + kHex, "host:5000/a/b@sha256:" + kHex},
      {"ghcr.io/a/b_c/d__e/f--g.h:1.2@sha256:" + kHex, "ghcr.io/a/b_c/d__e/f--g.h:1.2@sha256:" + kHex},
      {"[::1]:5000/app", "[::1]:5000/app:latest"},
      {"[2001:db8::1]/app", "[2001:db8::1]/app:latest"},
  };
  for (const auto& [text, canonical] : cases) {
    const auto parsed = Reference::parse(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(parsed->to_string(), canonical) << text;
    EXPECT_EQ(Reference::parse(parsed->to_string()).value(), *parsed);
  }
}

TEST(Reference, AsksByDigestWhenThereIsOne) {
  EXPECT_EQ(Reference::parse("a/b:t@sha256:" + kHex)->object(), "sha256:" + kHex);
  EXPECT_EQ(Reference::parse("a/b:t")->object(), "t");
}

TEST(Reference, RefusesWithTheReason) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "empty"},
      {"docker.io/Library/redis", "lower case"},
      {"docker.io/Library/redis", "'library/redis'"},
      {"Redis", "lower case"},
      {kHex, "image ID"},
      {"https://docker.io/redis", "URL"},
      {"redis:", "tag"},
      {"redis:-x", "tag"},
      {"redis:" + std::string(129, 'a'), "tag"},
      {"redis@sha256:1234", "digest"},
      {"redis@sha512:" + kHex, "sha256"},
      {"redis@", "digest"},
      {"a//b", "repository"},
      {"a/b/", "repository"},
      {"/a", "repository"},
      {"a/../b", "repository"},
      {"a___b", "repository"},
      {"a._b", "repository"},
      {"a b", "repository"},
      {"host:99999/a", "port"},
      {"host:x1/a", "port"},
      {"-bad.host/a", "host name"},
      {"bad..host/a", "host name"},
      {"[zz::]/a", "host name"},
      {std::string(256, 'a'), "255"},
      {std::string("re\0dis", 6), "repository"},
  };
  for (const auto& [text, reason] : cases) {
    const auto parsed = Reference::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, HasSubstr(reason)) << text;
    EXPECT_LT(parsed.error().message.size(), 600U);
  }
}

}  // namespace
}  // namespace paceline::oci
