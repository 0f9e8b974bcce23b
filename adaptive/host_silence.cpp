#include "adaptive/host_silence.h"

#include <algorithm>

namespace paceline::adaptive {
namespace {

constexpr Duration kFirst = std::chrono::seconds(1);
constexpr unsigned kMostDoublings = 5;  // 32 s
constexpr Duration kMost = std::chrono::minutes(5);

}  // namespace

void HostSilence::throttled(Time now, Duration retry_after) {
  // Answers of one burst belong together: only one that comes after the pause doubles the next.
  const bool burst = silent(now);
  Duration pause = std::min(retry_after, kMost);
  if (retry_after <= Duration{0}) {
    if (burst) return;
    pause = kFirst * (1U << std::min(in_a_row_, kMostDoublings));
  }
  if (!burst) ++in_a_row_;
  until_ = std::max(until_, now + pause);
}

}  // namespace paceline::adaptive
