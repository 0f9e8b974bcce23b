#include "plugin/cli/path_name.h"

#include <gtest/gtest.h>

namespace paceline::cli {
namespace {

TEST(PathName, RateAndRoundTrip) {
  const auto path = parse_path_name("100mbps-35ms");
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_DOUBLE_EQ(path->link_rate, 12.5e6);
  EXPECT_EQ(path->rtt_blob, std::chrono::milliseconds(35));
  EXPECT_DOUBLE_EQ(parse_path_name("1.5Gbps-0.5ms")->link_rate, 187.5e6);
}

TEST(PathName, CapAndLoss) {
  const auto path = parse_path_name("200mbps-35ms-cap5mbps-loss0.5%");
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_DOUBLE_EQ(path->connection_cap, 625'000 * adaptive::kWireEfficiency);
  EXPECT_DOUBLE_EQ(path->loss, 0.005);
}

TEST(PathName, OthersAreExplained) {
  for (const char* name : {"", "fast", "100mbps", "35ms-100mbps", "100mbps-35", "-5mbps-35ms", "0mbps-35ms",
                           "1e3mbps-1ms", "100mbps-35ms-x", "100mbps-35ms-loss99%", "100mbps-nanms", "100mbps--35ms"}) {
    const auto path = parse_path_name(name);
    ASSERT_FALSE(path) << name;
    EXPECT_NE(path.error().message.find("100mbps-35ms"), std::string::npos);
  }
}

}  // namespace
}  // namespace paceline::cli
