// Two images side by side: what they share, how long each takes, and which of their differences that comes from. Pure
// functions of values, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "plugin/analyze/advice.h"
#include "plugin/analyze/analysis.h"

namespace paceline::cli {

/// One difference between two images, and the part of the difference in predicted time that comes from it.
struct Factor {
  std::string name;    ///< "compressed bytes", "uncompressed bytes", "files", "layers".
  double seconds = 0;  ///< B's time less A's, by this alone.
};

struct Comparison {
  std::uint64_t shared_blobs = 0, shared_bytes = 0;  ///< Blobs of both; compressed.
  adaptive::PullPrediction a, b;                     ///< Each pulled to an empty node.
  adaptive::PullPrediction b_after_a;                ///< B, where A is already.
  std::vector<Factor> factors;                       ///< They add up to b.total() − a.total(); the largest first.
};

/// The layers of A are turned into those of B in four steps, each of which changes one thing and keeps the others:
/// compressed bytes, uncompressed bytes, files, and last how all that is spread over layers.
[[nodiscard]] Comparison compare_images(const analyze::Analysis& a, const analyze::Analysis& b,
                                        const analyze::Target& target);

/// Measured pulls of one image; seconds.
struct MeasuredPulls {
  struct Phases {
    double setup = 0, fetch = 0, verify = 0, unpack = 0, total = 0;
  };
  std::vector<Phases> pulls;

  /// Each phase's own median, and that of the totals.
  [[nodiscard]] Phases median() const;
};

}  // namespace paceline::cli
