#include "adaptive/pull_calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "adaptive/robust_fit.h"

namespace paceline::adaptive {
namespace {

NodeCosts truth() {
  NodeCosts costs;
  costs.start = 0.05;
  costs.setup = 0.7;
  costs.ramp = 1.5;
  costs.fill = 0.9;
  costs.verify_byte = 3e-9;
  costs.inflate_byte = 4e-9;
  costs.unpack_layer = 5e-3;
  costs.unpack_byte = 1e-9;
  costs.unpack_file = 50e-6;
  costs.settle = 0.02;
  costs.settle_byte = 1e-10;
  costs.cores = 1.4;
  return costs;
}

/// A pull as a node with `costs` would make it, each time off by up to `noise`.
PullObservation pull_of(std::mt19937& random, const NodeCosts& costs, double noise) {
  const auto off = [&] { return 1 + noise * (std::uniform_real_distribution<>(-1, 1)(random)); };
  const double rates[] = {10, 50, 100, 500, 1000};
  const int rtts[] = {2, 20, 100};
  PullObservation pull;
  pull.path.link_rate = rates[random() % 5] * 1e6 / 8;
  pull.path.rtt_registry = pull.path.rtt_token = pull.path.rtt_blob = std::chrono::milliseconds(rtts[random() % 3]);
  pull.path.index = random() % 2 == 0;
  double cpu = 0;
  const std::size_t layers = 1 + random() % 8;
  for (std::size_t i = 0; i < layers; ++i) {
    PullLayer layer;
    layer.compressed_bytes = 100'000 + random() % 30'000'000;
    layer.uncompressed_bytes = layer.compressed_bytes * (1 + random() % 5);
    layer.files = random() % 8000;
    pull.layers.push_back(layer);
  }
  const auto predicted = predict_pull(pull.layers, pull.path, costs, pull.options);
  for (const auto& layer : predicted.layers) {
    pull.unpacking.emplace_back(PullObservation::Unpacking{layer.inflate * off(), layer.unpack * off()});
    cpu += layer.verify + layer.inflate + layer.unpack;
  }
  pull.cpu = cpu * (1 + noise * 0.1);
  pull.setup = predicted.setup * off();
  pull.fetch = predicted.fetch * off();
  pull.verify = predicted.verify * off();
  pull.total = predicted.total() * off();
  return pull;
}

std::vector<PullObservation> pulls_of(std::size_t count, double noise, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::vector<PullObservation> pulls;
  for (std::size_t i = 0; i < count; ++i) pulls.push_back(pull_of(random, truth(), noise));
  return pulls;
}

TEST(RobustFit, FindsTheCoefficientsInSpiteOfWildPoints) {
  std::vector<FitRow> rows;
  for (int i = 1; i <= 40; ++i)
    rows.push_back({{1, 1e6 * i, i % 7 * 100.0}, 0.5 + 2e-6 * i * 1e6 + 1e-3 * (i % 7) * 100});
  rows[3].y *= 30;
  rows[20].y *= 10;
  rows[33].y = 0;
  const auto fitted = fit_nonnegative(rows, 3, 0.001);
  EXPECT_NEAR(fitted[0], 0.5, 0.02);
  EXPECT_NEAR(fitted[1], 2e-6, 2e-8);
  EXPECT_NEAR(fitted[2], 1e-3, 1e-4);
}

TEST(RobustFit, NoCoefficientIsNegative) {
  // y falls with the second term: the first alone is the best that is allowed.
  std::vector<FitRow> rows;
  for (int i = 1; i <= 10; ++i) rows.push_back({{1, 1.0 * i, 0}, 20.0 - i});
  const auto fitted = fit_nonnegative(rows, 2, 0.001);
  EXPECT_GT(fitted[0], 0);
  EXPECT_EQ(fitted[1], 0);
}

TEST(RobustFit, TermsThatAreAlwaysTheSameAreNotToldApart) {
  const std::vector<FitRow> rows(5, FitRow{{1, 1, 0}, 2});
  const auto fitted = fit_nonnegative(rows, 2, 0.001);
  EXPECT_NEAR(fitted[0] + fitted[1], 2, 1e-9);
  EXPECT_EQ(fit_nonnegative({}, 2, 0.001)[0], 0);
}

TEST(RobustFit, Quantiles) {
  EXPECT_EQ(quantile({}, 0.5), 0);
  EXPECT_EQ(quantile({3, 1, 2}, 0.5), 2);
  EXPECT_NEAR(quantile({1, 2, 3, 4}, 0.9), 3.7, 1e-12);
}

TEST(PullCalibration, FindsTheNodesCosts) {
  const auto calibration = calibrate(pulls_of(60, 0.0), {});
  EXPECT_EQ(calibration.pulls, 60U);
  EXPECT_NEAR(calibration.costs.inflate_byte, truth().inflate_byte, 0.05 * truth().inflate_byte);
  EXPECT_NEAR(calibration.costs.unpack_file, truth().unpack_file, 0.05 * truth().unpack_file);
  EXPECT_NEAR(calibration.costs.unpack_byte, truth().unpack_byte, 0.1 * truth().unpack_byte);
  EXPECT_NEAR(calibration.costs.setup, truth().setup, 0.05);
  EXPECT_NEAR(calibration.costs.cores, truth().cores, 0.2);
  EXPECT_LT(calibration.median_error, 0.05);
}

TEST(PullCalibration, TheErrorOnPullsLeftOutFollowsTheNoise) {
  const auto clean = calibrate(pulls_of(60, 0.02), {});
  const auto noisy = calibrate(pulls_of(60, 0.3), {});
  EXPECT_LT(clean.median_error, 0.06);
  EXPECT_LT(clean.p90_error, 0.15);
  EXPECT_GT(noisy.median_error, 2 * clean.median_error);
}

TEST(PullCalibration, WildPullsDoNotBendIt) {
  auto pulls = pulls_of(60, 0.02);
  for (std::size_t i = 0; i < pulls.size(); i += 10) {
    pulls[i].total *= 8;
    pulls[i].fetch *= 8;
    for (auto& layer : pulls[i].unpacking) layer->write *= 20;
  }
  const auto costs = fit_costs(pulls, {});
  std::vector<double> errors;
  for (const auto& pull : pulls_of(40, 0.0, 7)) errors.push_back(prediction_error(pull, costs));
  EXPECT_LT(quantile(errors, 0.5), 0.08);
}

TEST(PullCalibration, ToFewPullsLeaveTheDefaults) {
  const auto calibration = calibrate(pulls_of(kLeastPulls - 1, 0.0), {});
  EXPECT_EQ(calibration.pulls, 0U);
  EXPECT_EQ(calibration.folds, 0U);
  EXPECT_EQ(calibration.costs, NodeCosts{});
}

TEST(PullCalibration, WhatNoPullShowsKeepsItsDefault) {
  auto pulls = pulls_of(20, 0.0);
  for (auto& pull : pulls) {
    pull.options.unpack = false;
    pull.unpacking.assign(pull.layers.size(), std::nullopt);
    pull.total = pull.setup + pull.fetch + pull.verify;
    pull.cpu.reset();
  }
  const auto costs = fit_costs(pulls, {});
  EXPECT_EQ(costs.unpack_file, NodeCosts{}.unpack_file);
  EXPECT_EQ(costs.verify_byte, NodeCosts{}.verify_byte);
  EXPECT_EQ(costs.cores, NodeCosts{}.cores);
}

TEST(PullCalibration, NothingInvalidComesOfOddPulls) {
  auto pulls = pulls_of(20, 0.5, 3);
  pulls[0].layers.clear();
  pulls[0].unpacking.clear();
  pulls[1].total = 0;
  pulls[2].fetch = 0;
  pulls[3].path = Path{};
  pulls[4].cpu = -1;
  const auto calibration = calibrate(pulls, {});
  for (const double cost : {calibration.costs.start, calibration.costs.setup, calibration.costs.ramp,
                            calibration.costs.fill, calibration.costs.verify_byte, calibration.costs.unpack_file,
                            calibration.costs.cores, calibration.median_error, calibration.p90_error}) {
    EXPECT_TRUE(std::isfinite(cost));
    EXPECT_GE(cost, 0);
  }
}

}  // namespace
}  // namespace paceline::adaptive
