// The coefficients of pull_model.h for one node, from pulls that it has made: robust least squares, and how far off the
// model is on pulls that it was not fitted to. Pure functions of values; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "adaptive/pull_model.h"

namespace paceline::adaptive {

/// One pull as it was. Seconds; what was not seen is absent.
struct PullObservation {
  struct Unpacking {
    double inflate = 0;  ///< CPU seconds: inflated, and hashed.
    double write = 0;    ///< CPU seconds: all else.
  };
  std::vector<PullLayer> layers;                    ///< Those that were fetched.
  std::vector<std::optional<Unpacking>> unpacking;  ///< As many as layers.
  Path path;
  PullOptions options;
  double setup = 0;           ///< Until the first byte.
  double fetch = 0;           ///< … the last.
  double verify = 0;          ///< … it is in place.
  double total = 0;           ///< … stored, or unpacked where options.unpack.
  std::optional<double> cpu;  ///< CPU seconds of the daemon meanwhile.
};

struct Calibration {
  NodeCosts costs;
  std::size_t pulls = 0;    ///< Fitted to; 0: the defaults.
  std::size_t folds = 0;    ///< Of the cross-validation; 0: too few pulls for one.
  double median_error = 0;  ///< |predicted − measured| / measured, on pulls left out.
  double p90_error = 0;
};

/// Fewer pulls than that say too little: the defaults stay.
inline constexpr std::size_t kLeastPulls = 6;
inline constexpr std::size_t kFolds = 5;

/// `defaults`: for what the pulls say nothing of (none of them unpacked, say).
[[nodiscard]] NodeCosts fit_costs(const std::vector<PullObservation>& pulls, const NodeCosts& defaults);
/// The fit over all of them, and k-fold cross-validated errors (every k-th pull is left out in turn).
[[nodiscard]] Calibration calibrate(const std::vector<PullObservation>& pulls, const NodeCosts& defaults);
/// |predicted − measured| / measured.
[[nodiscard]] double prediction_error(const PullObservation& pull, const NodeCosts& costs);

}  // namespace paceline::adaptive
