#include "adaptive/robust_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace paceline::adaptive {
namespace {

using Coefficients = std::array<double, kMostTerms>;

constexpr double kHuber = 1.345;
constexpr double kMadToSigma = 1.4826;
constexpr int kRounds = 20;

/// The normal equations of the terms in `subset`, by Gauss with pivots; empty when they do not determine them.
std::optional<Coefficients> solve(const std::vector<FitRow>& rows, const std::vector<double>& weights,
                                  unsigned subset) {
  std::array<std::size_t, kMostTerms> terms{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < kMostTerms; ++i) {
    if ((subset >> i & 1U) != 0) terms[count++] = i;
  }
  double matrix[kMostTerms][kMostTerms + 1] = {};
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < count; ++j) matrix[i][j] += weights[r] * rows[r].x[terms[i]] * rows[r].x[terms[j]];
      matrix[i][count] += weights[r] * rows[r].x[terms[i]] * rows[r].y;
    }
  }
  // Columns differ by many orders of magnitude (bytes beside ones): each is scaled by its own diagonal.
  Coefficients scale{};
  for (std::size_t i = 0; i < count; ++i) {
    if (matrix[i][i] <= 0) return std::nullopt;
    scale[i] = std::sqrt(matrix[i][i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) matrix[i][j] /= scale[i] * scale[j];
    matrix[i][count] /= scale[i];
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t pivot = i;
    for (std::size_t j = i + 1; j < count; ++j) {
      if (std::abs(matrix[j][i]) > std::abs(matrix[pivot][i])) pivot = j;
    }
    if (std::abs(matrix[pivot][i]) < 1e-9) return std::nullopt;
    for (std::size_t k = 0; k <= count; ++k) std::swap(matrix[i][k], matrix[pivot][k]);
    for (std::size_t j = 0; j < count; ++j) {
      if (j == i) continue;
      const double factor = matrix[j][i] / matrix[i][i];
      for (std::size_t k = i; k <= count; ++k) matrix[j][k] -= factor * matrix[i][k];
    }
  }
  Coefficients out{};
  for (std::size_t i = 0; i < count; ++i) {
    out[terms[i]] = matrix[i][count] / matrix[i][i] / scale[i];
    if (!(out[terms[i]] >= 0)) return std::nullopt;
  }
  return out;
}

double residual(const FitRow& row, const Coefficients& coefficients) {
  double sum = -row.y;
  for (std::size_t i = 0; i < kMostTerms; ++i) sum += row.x[i] * coefficients[i];
  return sum;
}

Coefficients best_subset(const std::vector<FitRow>& rows, const std::vector<double>& weights, std::size_t terms) {
  Coefficients best{};
  double least = std::numeric_limits<double>::infinity();
  for (unsigned subset = 1; subset < 1U << terms; ++subset) {
    const auto found = solve(rows, weights, subset);
    if (!found) continue;
    double sum = 0;
    for (std::size_t r = 0; r < rows.size(); ++r) sum += weights[r] * std::pow(residual(rows[r], *found), 2);
    if (sum < least) {
      least = sum;
      best = *found;
    }
  }
  return best;
}

}  // namespace

double quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = part * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - std::floor(at)) * (values[high] - values[low]);
}

Coefficients fit_nonnegative(const std::vector<FitRow>& rows, std::size_t terms, double floor) {
  if (rows.empty()) return {};
  terms = std::min(terms, kMostTerms);
  // The start is absolute: relative to itself, a wild point that is small would outweigh all others.
  Coefficients out = best_subset(rows, std::vector<double>(rows.size(), 1), terms);
  std::vector<double> weights(rows.size(), 1);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> distances, sizes;
    for (const FitRow& row : rows) {
      const double distance = residual(row, out);
      sizes.push_back(std::max({std::abs(row.y), std::abs(row.y + distance), floor}));
      distances.push_back(std::abs(distance) / sizes.back());
    }
    const double sigma = std::max(1e-9, kMadToSigma * quantile(distances, 0.5));
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const double huber = distances[r] <= kHuber * sigma ? 1 : kHuber * sigma / distances[r];
      weights[r] = huber / (sizes[r] * sizes[r]);
    }
    const Coefficients next = best_subset(rows, weights, terms);
    if (next == out) break;
    out = next;
  }
  return out;
}

}  // namespace paceline::adaptive
