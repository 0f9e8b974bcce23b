// Linear least squares that a few wild points do not bend and whose coefficients are never negative: times and costs.
// Pure functions of values; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace paceline::adaptive {

inline constexpr std::size_t kMostTerms = 3;

/// One observation: y ≈ Σ x[i] · coefficient[i].
struct FitRow {
  std::array<double, kMostTerms> x{};
  double y = 0;
};

/// Minimises the relative residuals with Huber's weights (Huber, "Robust Estimation of a Location Parameter", 1964;
/// k = 1.345, the scale from the median absolute deviation), iteratively reweighted. Of all subsets of the terms whose
/// least-squares solution has no negative coefficient the one with the smallest residual is taken; the others are 0.
/// Relative means to the larger of measured and fitted value, and to `floor` at least. Without rows all are 0.
[[nodiscard]] std::array<double, kMostTerms> fit_nonnegative(const std::vector<FitRow>& rows, std::size_t terms,
                                                             double floor);

/// The value below which that part of them lies, interpolated; 0 of none.
[[nodiscard]] double quantile(std::vector<double> values, double part);

}  // namespace paceline::adaptive
