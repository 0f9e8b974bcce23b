#include "adaptive/pull_calibration.h"

#include <algorithm>
#include <cmath>

#include "adaptive/robust_fit.h"

namespace paceline::adaptive {
namespace {

/// Times below that are mostly the scheduler's: they count as much as that when residuals are made relative.
constexpr double kTimeFloor = 0.02;
constexpr double kCpuFloor = 0.002;
/// A pull shows how the path is filled only when slow start and requests are a part of it, not all of it.
constexpr double kLeastFetch = 0.05;
constexpr std::size_t kLeastRows = 3;

double bytes_of(const PullObservation& pull) {
  double sum = 0;
  for (const PullLayer& layer : pull.layers) sum += static_cast<double>(layer.compressed_bytes);
  return sum;
}

void fit_unpacking(const std::vector<PullObservation>& pulls, NodeCosts& costs) {
  std::vector<FitRow> inflating, writing;
  for (const PullObservation& pull : pulls) {
    for (std::size_t i = 0; i < pull.layers.size() && i < pull.unpacking.size(); ++i) {
      if (!pull.unpacking[i]) continue;
      const auto bytes = static_cast<double>(pull.layers[i].uncompressed_bytes);
      const auto files = static_cast<double>(pull.layers[i].files);
      inflating.push_back({{bytes, 0, 0}, pull.unpacking[i]->inflate});
      writing.push_back({{1, bytes, files}, pull.unpacking[i]->write});
    }
  }
  if (inflating.size() < kLeastRows) return;
  if (const double fitted = fit_nonnegative(inflating, 1, kCpuFloor)[0]; fitted > 0) costs.inflate_byte = fitted;
  const auto fitted = fit_nonnegative(writing, 3, kCpuFloor);
  costs.unpack_layer = fitted[0];
  costs.unpack_byte = fitted[1];
  costs.unpack_file = fitted[2];
}

void fit_verifying(const std::vector<PullObservation>& pulls, NodeCosts& costs) {
  std::vector<FitRow> rows, settling;
  for (const PullObservation& pull : pulls) {
    const double bytes = bytes_of(pull);
    settling.push_back({{1, bytes, 0}, pull.verify});
    if (!pull.cpu) continue;
    double own = *pull.cpu;
    bool known = true;
    for (const auto& layer : pull.unpacking) {
      known = known && (layer.has_value() || !pull.options.unpack);
      if (layer) own -= layer->inflate + layer->write;
    }
    if (known && own > 0 && bytes > 0) rows.push_back({{1, bytes, 0}, own});
  }
  if (settling.size() >= kLeastRows) {
    const auto fitted = fit_nonnegative(settling, 2, kTimeFloor);
    costs.settle = fitted[0];
    costs.settle_byte = fitted[1];
  }
  if (rows.size() >= kLeastRows) {
    if (const double fitted = fit_nonnegative(rows, 2, kTimeFloor)[1]; fitted > 0) costs.verify_byte = fitted;
  }
}

void fit_path(const std::vector<PullObservation>& pulls, NodeCosts& costs) {
  std::vector<FitRow> starting, fetching;
  for (const PullObservation& pull : pulls) {
    starting.push_back({{1, seconds(setup_time(pull.path)), 0}, pull.setup});
    const Path path = effective_path(pull.path);
    const bool limited = path.link_rate > 0 || path.connection_cap > 0;
    if (!limited || pull.fetch < kLeastFetch) continue;
    const auto bytes = static_cast<std::uint64_t>(bytes_of(pull));
    const unsigned streams = expected_streams(path, bytes, pull.options);
    fetching.push_back({{seconds(data_time(path, bytes, streams)), seconds(path.rtt_blob), 0}, pull.fetch});
  }
  if (starting.size() >= kLeastRows) {
    const auto fitted = fit_nonnegative(starting, 2, kTimeFloor);
    costs.start = fitted[0];
    costs.setup = fitted[1];
  }
  if (fetching.size() < kLeastRows) return;
  const auto fitted = fit_nonnegative(fetching, 2, kTimeFloor);
  if (fitted[0] > 0) costs.fill = std::clamp(1 / fitted[0], 0.3, 1.5);
  costs.ramp = fitted[1];
}

/// Of pulls that unpack: how much of the cores they had, by golden section over the sum of errors.
void fit_cores(const std::vector<PullObservation>& pulls, NodeCosts& costs) {
  std::vector<PullObservation> unpacked;
  for (const PullObservation& pull : pulls) {
    if (pull.options.unpack && pull.total > 0) unpacked.push_back(pull);
  }
  if (unpacked.size() < kLeastRows) return;
  const auto loss = [&](double cores) {
    NodeCosts tried = costs;
    tried.cores = cores;
    double sum = 0;
    for (const PullObservation& pull : unpacked) {
      sum += std::abs(std::log(predict_pull(pull.layers, pull.path, tried, pull.options).total() / pull.total));
    }
    return sum;
  };
  constexpr double kGolden = 0.6180339887498949;
  double low = 0.3 * costs.cores, high = costs.cores;
  double left = high - kGolden * (high - low), right = low + kGolden * (high - low);
  double at_left = loss(left), at_right = loss(right);
  for (int round = 0; round < 16; ++round) {
    if (at_left <= at_right) {
      high = right;
      right = left;
      at_right = at_left;
      left = high - kGolden * (high - low);
      at_left = loss(left);
    } else {
      low = left;
      left = right;
      at_left = at_right;
      right = low + kGolden * (high - low);
      at_right = loss(right);
    }
  }
  const double found = (low + high) / 2;
  // Where no pull waited for its unpacking every number of cores does as well: then it keeps all.
  if (loss(found) < loss(costs.cores)) costs.cores = found;
}

}  // namespace

double prediction_error(const PullObservation& pull, const NodeCosts& costs) {
  if (pull.total <= 0) return 0;
  const double predicted = predict_pull(pull.layers, pull.path, costs, pull.options).total();
  return std::abs(predicted - pull.total) / pull.total;
}

NodeCosts fit_costs(const std::vector<PullObservation>& pulls, const NodeCosts& defaults) {
  NodeCosts costs = defaults;
  if (pulls.size() < kLeastPulls) return costs;
  fit_unpacking(pulls, costs);
  fit_verifying(pulls, costs);
  fit_path(pulls, costs);
  fit_cores(pulls, costs);
  return costs;
}

Calibration calibrate(const std::vector<PullObservation>& pulls, const NodeCosts& defaults) {
  Calibration out;
  out.costs = fit_costs(pulls, defaults);
  if (pulls.size() < kLeastPulls) return out;
  out.pulls = pulls.size();
  if (pulls.size() < kLeastPulls + 2) return out;
  out.folds = kFolds;
  std::vector<double> errors;
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<PullObservation> fitted_to;
    for (std::size_t i = 0; i < pulls.size(); ++i) {
      if (i % kFolds != fold) fitted_to.push_back(pulls[i]);
    }
    const NodeCosts costs = fit_costs(fitted_to, defaults);
    for (std::size_t i = fold; i < pulls.size(); i += kFolds) errors.push_back(prediction_error(pulls[i], costs));
  }
  out.median_error = quantile(errors, 0.5);
  out.p90_error = quantile(errors, 0.9);
  return out;
}

}  // namespace paceline::adaptive
