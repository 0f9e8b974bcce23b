#include "plugin/pull/prefetch_caps.h"

#include <gtest/gtest.h>

namespace paceline::pull {
namespace {

using adaptive::Duration;
using Seconds = std::chrono::seconds;

constexpr std::uint64_t kMB = 1'000'000;
const adaptive::Time kStart = Seconds(1000);

config::Config capped(std::uint64_t all, std::uint64_t usual, const std::map<std::string, std::uint64_t>& own = {}) {
  config::Config config;
  config.prefetch.bytes_per_second = all;
  config.concurrency.prefetch_bytes_per_second = usual;
  for (const auto& [registry, rate] : own) {
    config.concurrency_by_registry[registry].prefetch_bytes_per_second = rate;
  }
  return config;
}

TEST(PrefetchCaps, WithoutCapsNobodyWaits) {
  PrefetchCaps caps(capped(0, 0));
  caps.take("a", 1000 * kMB, kStart);
  EXPECT_EQ(caps.wait("a", kStart), Duration{0});
}

TEST(PrefetchCaps, ARegistryWaitsForItsOwnCapAndForTheOneOverAll) {
  PrefetchCaps caps(capped(10 * kMB, 0, {{"slow", kMB}}));
  caps.take("slow", 2 * kMB, kStart);
  EXPECT_GT(caps.wait("slow", kStart), Duration(Seconds(1)));
  EXPECT_GT(caps.wait("other", kStart), Duration{0}) << "the cap over all is overdrawn too";
  EXPECT_EQ(caps.wait("other", kStart + Seconds(1)), Duration{0});
  EXPECT_GT(caps.wait("slow", kStart + Seconds(1)), Duration{0});
}

TEST(PrefetchCaps, EveryRegistryHasTheUsualCapForItself) {
  PrefetchCaps caps(capped(0, kMB, {{"free", 0}}));
  for (const auto* registry : {"a", "free"}) caps.take(registry, 10 * kMB, kStart);
  EXPECT_GT(caps.wait("a", kStart), Duration{0});
  EXPECT_EQ(caps.wait("b", kStart), Duration{0});
  EXPECT_EQ(caps.wait("free", kStart), Duration{0});
}

TEST(PrefetchCaps, ANewConfigurationHoldsAtOnce) {
  PrefetchCaps caps(capped(kMB, kMB));
  caps.take("a", 10 * kMB, kStart);
  caps.reconfigure(capped(0, 0), kStart);
  EXPECT_EQ(caps.wait("a", kStart), Duration{0});
  caps.reconfigure(capped(0, kMB), kStart);
  caps.take("a", kMB, kStart);
  EXPECT_GT(caps.wait("a", kStart), Duration{0});
}

}  // namespace
}  // namespace paceline::pull
