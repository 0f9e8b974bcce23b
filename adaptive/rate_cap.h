// A token bucket as a function of time: caps the bytes per second of prefetches. Tokens may go below zero: a buffer
// that has arrived is paid afterwards. One thread at a time.
#pragma once

#include <cstdint>

#include "adaptive/time.h"

namespace paceline::adaptive {

class RateCap {
 public:
  /// `bytes_per_second` 0 = no cap. The burst is what 100 ms bring, at least 64 KB:
  /// over 2 s that is 5 % above the rate.
  explicit RateCap(std::uint64_t bytes_per_second = 0);

  void set_rate(std::uint64_t bytes_per_second, Time now);
  [[nodiscard]] std::uint64_t rate() const { return rate_; }
  [[nodiscard]] bool unlimited() const { return rate_ == 0; }

  /// `bytes` have arrived.
  void take(std::uint64_t bytes, Time now);
  /// How long to read nothing from now on; 0 = go on.
  [[nodiscard]] Duration wait(Time now) const;

 private:
  [[nodiscard]] double tokens_at(Time now) const;

  std::uint64_t rate_;
  double burst_;
  double tokens_;
  Time at_{0};
  bool started_ = false;
};

}  // namespace paceline::adaptive
