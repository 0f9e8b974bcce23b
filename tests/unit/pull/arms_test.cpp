#include "plugin/pull/arms.h"

#include <gtest/gtest.h>

namespace paceline::pull {
namespace {

Arms arms_of(const std::vector<std::string>& texts) {
  std::vector<config::ExperimentArm> arms;
  for (const auto& text : texts) arms.push_back(config::ExperimentArm::parse(text).value());
  return Arms(std::move(arms));
}

TEST(Arms, WithoutAnExperimentThereIsNone) { EXPECT_EQ(Arms({}).next("host"), std::nullopt); }

TEST(Arms, EachRegistryTakesItsOwnTurn) {
  auto arms = arms_of({"adaptive", "fixed:3", "fixed:5"});
  std::string first, second;
  for (int i = 0; i < 3; ++i) {
    first += arms.next("a")->name() + " ";
    second += arms.next("b")->name() + " ";
  }
  EXPECT_EQ(first, "adaptive fixed:3 fixed:5 ");
  EXPECT_EQ(second, first);
}

TEST(Arms, AWeightIsKeptAndSpreadOut) {
  auto arms = arms_of({"adaptive*2", "fixed:3"});
  std::string order;
  for (int i = 0; i < 6; ++i) order += arms.next("a")->name()[0];
  EXPECT_EQ(order, "afaafa");
}

TEST(Arms, AFixedArmGetsItsStreamsAlsoAboveTheCeiling) {
  auto arms = arms_of({"fixed:40"});
  config::Concurrency concurrency;
  arms.next("a")->apply(concurrency);
  EXPECT_EQ(concurrency.mode, config::ConcurrencyMode::kFixed);
  EXPECT_EQ(concurrency.streams, 40U);
  EXPECT_EQ(concurrency.max_streams, 40U);
}

}  // namespace
}  // namespace paceline::pull
