// What is known of the pulls being followed: the latest state of each, the speed of each layer, the sums.
// Thread rule: one thread. Time is handed in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "paceline/v1/paceline.pb.h"
#include "plugin/base/clock.h"

namespace paceline::cli {

[[nodiscard]] bool is_over(const v1::Pull& pull);

struct Totals {
  std::uint64_t images = 0, done = 0, failed = 0, running = 0, queued = 0;
  std::uint64_t received_bytes = 0, total_bytes = 0;
  std::uint64_t streams = 0;
  double bytes_per_second = 0;
  bool sizes_known = true;                ///< Of every image that is not over.
  std::optional<double> seconds_left;     ///< At the speed of now, once all sizes are known.
  [[nodiscard]] double fraction() const;  ///< 0 … 1: of the bytes, or of the images while sizes are unknown.
};

class ProgressModel {
 public:
  void update(const v1::Pull& pull, TimePoint now);
  /// Drops what is over, where pulls are followed without end.
  void forget_finished();

  [[nodiscard]] const std::vector<v1::Pull>& pulls() const { return pulls_; }  ///< In order of appearance.
  /// Bytes a second of one blob, over about the last second.
  [[nodiscard]] double blob_rate(const std::string& pull_id, const std::string& digest) const;
  [[nodiscard]] Totals totals() const;

 private:
  /// Speed from two readings at least kWindow apart.
  struct Speed {
    TimePoint since{};
    std::uint64_t bytes = 0;
    double bytes_per_second = 0;
  };
  using Speeds = std::unordered_map<std::string, Speed>;
  static constexpr std::chrono::milliseconds kWindow{800};

  std::vector<v1::Pull> pulls_;
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_map<std::string, Speeds> speeds_;
};

}  // namespace paceline::cli
