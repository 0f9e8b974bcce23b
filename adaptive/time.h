// Time as this folder sees it: nanoseconds since some fixed, unknown origin of a monotonic clock. Nothing here reads a
// clock; the caller passes `now` (e.g. steady_clock's time_since_epoch()). Any thread.
#pragma once

#include <chrono>

namespace paceline::adaptive {

using Duration = std::chrono::nanoseconds;
using Time = std::chrono::nanoseconds;

constexpr double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

/// Saturates at about 31 years either way: NaN and infinities from a division cannot overflow.
constexpr Duration from_seconds(double s) {
  constexpr double kLimit = 1e9;
  if (!(s < kLimit)) s = kLimit;
  if (s < -kLimit) s = -kLimit;
  return Duration(static_cast<Duration::rep>(s * 1e9));
}

}  // namespace paceline::adaptive
