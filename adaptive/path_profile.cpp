#include "adaptive/path_profile.h"

#include <algorithm>
#include <cmath>

namespace paceline::adaptive {
namespace {

double confidence_at(std::int64_t observed_at, std::int64_t wall_now) {
  if (wall_now <= observed_at) return 1;
  const double age = static_cast<double>(wall_now) - static_cast<double>(observed_at);
  return std::max(0.0, 1 - age / static_cast<double>(kProfileLifeSeconds));
}

/// From `later` towards `older`, by `weight` of the older.
double drift(double older, double later, double weight) { return later + weight * (older - later); }

}  // namespace

PathProfile PathProfile::aged(std::int64_t wall_now) const {
  PathProfile p = *this;
  p.confidence = confidence_at(observed_at, wall_now);
  if (p.confidence <= 0) {
    p = PathProfile{};
    p.confidence = 0;
    p.observed_at = observed_at;
  }
  // The ceiling rises as its evidence fades, so that a limit that was lifted is found out without a burst of 429s.
  const double sure = throttle_ceiling == 0 ? 0 : confidence_at(throttled_at, wall_now);
  p.throttled_at = sure > 0 ? throttled_at : 0;
  p.throttle_ceiling = 0;
  if (sure > 0) p.throttle_ceiling = static_cast<unsigned>(std::min(1e6, std::ceil(throttle_ceiling / sure)));
  return p;
}

PathProfile PathProfile::merged(const PathProfile& later) const {
  const PathProfile old = aged(later.observed_at);
  PathProfile p = old;
  p.confidence = 1;
  // What is stored is the ceiling as observed; aged() is applied anew when it is read.
  if (old.throttle_ceiling > 0) p.throttle_ceiling = throttle_ceiling;
  if (later.throttle_ceiling > 0) {
    p.throttle_ceiling = later.throttle_ceiling;
    p.throttled_at = later.throttled_at;
  }
  if (later.ranges_ok) p.ranges_ok = later.ranges_ok;
  if (later.rtt_min > Duration{0}) {
    p.rtt_min = later.rtt_min;
    // An older minimum may be of a route that is gone: it counts less with age.
    if (old.rtt_min > Duration{0} && old.rtt_min < later.rtt_min) {
      p.rtt_min = from_seconds(drift(seconds(old.rtt_min), seconds(later.rtt_min), old.confidence));
    }
  }
  if (later.streams > 0) {
    p.streams = later.streams;
    p.goodput = later.goodput;
    p.stream_rate = later.stream_rate;
    // "Best goodput" with half the weight of the older, so that one lucky pull is not kept for ever.
    if (old.goodput > later.goodput) p.goodput = drift(old.goodput, later.goodput, 0.5 * old.confidence);
  }
  // A pull too short to settle must not make an old n look fresh.
  if (later.streams > 0 || streams == 0 || old.cold()) p.observed_at = later.observed_at;
  return p;
}

}  // namespace paceline::adaptive
