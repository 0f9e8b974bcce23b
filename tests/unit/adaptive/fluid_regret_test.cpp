// The controller against the best fixed n of each cell, on the fluid model: a guard against regressions of the policy,
// not a proof about networks (docs/study holds measurements).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "adaptive/fixed_streams.h"
#include "adaptive/ramp_hold_trim.h"
#include "fluid_path.h"

namespace paceline::adaptive {
namespace {

std::vector<Cell> cells() {
  const std::vector<std::uint64_t> equal(10, 6'000'000);
  const std::vector<std::uint64_t> skewed{40'000'000, 1'000,     12'000'000, 3'000'000, 500'000, 200'000,
                                          20'000,     2'000'000, 1'500'000,  300'000,   5'000,   400'000};
  std::vector<Cell> all;
  for (double mbps : {10.0, 100.0, 1000.0}) {
    for (double rtt : {0.005, 0.040, 0.150}) {
      for (double loss : {0.0, 0.001}) {
        for (double cap : {0.0, 2.5e6}) {
          if (cap > 0 && mbps < 50) continue;
          for (const auto& layers : {equal, skewed}) {
            Cell c;
            c.link = mbps * 1e6 / 8 * 1448 / 1538;
            c.rtt = rtt;
            c.loss = loss;
            c.connection_cap = cap;
            c.layers = layers;
            if (mbps < 50) {  // enough to settle, and quick to simulate
              for (std::uint64_t& size : c.layers) size = size / 3 + 1;
            }
            all.push_back(c);
          }
        }
      }
    }
  }
  return all;
}

struct Regrets {
  std::vector<double> all;
  [[nodiscard]] double mean() const {
    double sum = 0;
    for (double r : all) sum += r;
    return sum / static_cast<double>(all.size());
  }
  [[nodiscard]] double quantile(double q) const {
    std::vector<double> sorted = all;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
  }
};

TEST(FluidRegret, StaysCloseToTheBestFixedNumber) {
  const bool verbose = std::getenv("PACELINE_VERBOSE") != nullptr;
  Regrets cold, warm, six;
  double fixed_loss = 0, adaptive_loss = 0;
  const auto grid = cells();
  ASSERT_GE(grid.size(), 50U);
  for (const Cell& cell : grid) {
    double best = 1e9;
    unsigned best_n = 0;
    double at_six = 0;
    for (unsigned n : {1U, 3U, 6U, 8U, 11U, 16U}) {
      FixedStreams fixed(n, Limits{16});
      const Outcome r = pull(cell, fixed, std::nullopt);
      if (n == 6) at_six = r.time;
      if (n == 16) fixed_loss += r.lost;
      if (r.time < best) {
        best = r.time;
        best_n = n;
      }
    }
    RampHoldTrim first(Limits{});
    const Outcome a = pull(cell, first, std::nullopt);
    RampHoldTrim second(Limits{});
    const Outcome b = pull(cell, second, PathProfile{}.merged(a.learned));
    adaptive_loss += a.lost;
    cold.all.push_back(a.time / best - 1);
    warm.all.push_back(b.time / best - 1);
    six.all.push_back(at_six / best - 1);
    EXPECT_LE(a.wasted, RangePlanner::kMaxWaste + 0.01);
    EXPECT_LE(a.streams, Limits{}.max_streams);
    if (verbose) {
      std::printf(
          "%6.0f Mbps %4.0f ms loss %.3f cap %4.1f layers %zu: best n=%2u %7.2f s | cold %7.2f (%+5.1f %%) n %.1f→%u"
          " | warm %7.2f (%+5.1f %%) | waste %.2f %%\n",
          cell.link * 8e-6, cell.rtt * 1e3, cell.loss, cell.connection_cap * 1e-6, cell.layers.size(), best_n, best,
          a.time, 100 * cold.all.back(), a.streams_mean, a.streams, b.time, 100 * warm.all.back(), 100 * a.wasted);
    }
  }
  std::printf("regret: cold mean %.1f %% p90 %.1f %%, warm mean %.1f %% p90 %.1f %%, fixed 6 mean %.1f %%\n",
              100 * cold.mean(), 100 * cold.quantile(0.9), 100 * warm.mean(), 100 * warm.quantile(0.9),
              100 * six.mean());
  EXPECT_LE(cold.mean(), 0.15);
  EXPECT_LE(cold.quantile(0.9), 0.35);
  EXPECT_LE(warm.mean(), 0.10);
  EXPECT_LT(cold.mean(), six.mean());
  EXPECT_LE(adaptive_loss, fixed_loss) << "speed must not be bought with loss";
}

TEST(FluidRegret, EmptyAndTinyImagesEnd) {
  Cell cell;
  cell.link = 1e6;
  cell.rtt = 0.05;
  for (const std::vector<std::uint64_t>& layers : {std::vector<std::uint64_t>{}, {0, 0}, {1}, {300, 20}}) {
    cell.layers = layers;
    RampHoldTrim c(Limits{});
    EXPECT_LT(pull(cell, c, std::nullopt).time, 1);
  }
}

}  // namespace
}  // namespace paceline::adaptive
