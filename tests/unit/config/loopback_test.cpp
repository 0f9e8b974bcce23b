#include <gtest/gtest.h>

#include "plugin/config/config.h"

namespace paceline::config {
namespace {

TEST(Loopback, TakesThisMachinesAddresses) {
  EXPECT_EQ(parse_loopback("127.0.0.1:5151")->to_string(), "127.0.0.1:5151");
  EXPECT_EQ(parse_loopback("127.9.8.7:0")->to_string(), "127.9.8.7:0");
  EXPECT_EQ(parse_loopback("localhost:80")->to_string(), "127.0.0.1:80");
  EXPECT_EQ(parse_loopback("[::1]:65535")->to_string(), "[::1]:65535");
}

TEST(Loopback, RefusesWhatOthersCouldReachOrIsMalformed) {
  for (const auto* bad : {"0.0.0.0:5151", "10.0.0.1:80", "[::]:80", "[fe80::1]:80", "example.com:80", "::1:80",
                          "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:8x", ":80", "",
                          "[127.0.0.1]:80", "127.1:80", "localhost.example.com:80"}) {
    const auto parsed = parse_loopback(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace paceline::config
