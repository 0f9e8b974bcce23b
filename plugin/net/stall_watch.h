// The stall floor of one transfer: whether the mean rate over the last window fell below the floor. libcurl's own
// LOW_SPEED_* counts in whole seconds; this works for any window. Fed with the bytes so far, kTicks times a window.
// Value, one thread.
#pragma once

#include <array>
#include <cstdint>

#include "plugin/base/clock.h"

namespace paceline::net {

class StallWatch {
 public:
  /// A stall is noticed at most a quarter of a window late.
  static constexpr unsigned kTicks = 4;

  StallWatch(std::uint64_t bytes_per_second, Duration window)
      : floor_(static_cast<double>(bytes_per_second) * std::chrono::duration<double>(window).count()) {}

  /// True when the window that ends now brought less than the floor; never before a first whole window passed.
  bool tick(std::uint64_t bytes_so_far) {
    const std::uint64_t window_start = history_[ticks_ % kTicks];
    history_[ticks_ % kTicks] = bytes_so_far;
    return ++ticks_ > kTicks && static_cast<double>(bytes_so_far - window_start) < floor_;
  }

  /// Forgets what was measured; a whole window passes before the next verdict.
  void restart(std::uint64_t bytes_so_far) {
    history_.fill(bytes_so_far);
    ticks_ = 0;
  }

 private:
  double floor_;
  std::array<std::uint64_t, kTicks> history_{};
  std::uint64_t ticks_ = 0;
};

}  // namespace paceline::net
