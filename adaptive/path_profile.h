// What is remembered of one path (blob host after redirects, from this network) between pulls. A plain value: who
// stores it decides where. It ages linearly to "cold" (knows nothing) in seven days. Any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "adaptive/time.h"

namespace paceline::adaptive {

/// [assumed] Routes and registries' limits rarely change within a day, often within weeks.
inline constexpr std::int64_t kProfileLifeSeconds = std::int64_t{7} * 24 * 3600;

struct PathProfile {
  unsigned streams = 0;           ///< n at the end of the last pull long enough to settle; 0 = unknown.
  Duration rtt_min{0};            ///< 0 = unknown.
  double goodput = 0;             ///< Bytes per second with `streams` streams; 0 = unknown.
  double stream_rate = 0;         ///< Bytes per second of one stream; 0 = unknown.
  std::optional<bool> ranges_ok;  ///< Whether the host answers Range correctly; empty = unknown.
  unsigned throttle_ceiling = 0;  ///< Most streams the host tolerated after a 429/503; 0 = never throttled.
  std::int64_t observed_at = 0;   ///< Wall seconds of the last pull.
  std::int64_t throttled_at = 0;  ///< Wall seconds of the throttle that set the ceiling: it ages on its own.
  double confidence = 1;          ///< 1 = just observed, 0 = cold. Made by aged(); what is stored holds 1.

  /// The profile as it counts at `wall_now`: confidence falls with age, the throttle ceiling rises and then goes, and
  /// at seven days nothing is left. A time before observed_at (the clock was set back) counts as fresh.
  [[nodiscard]] PathProfile aged(std::int64_t wall_now) const;

  /// This memory joined with what a later pull learned (its observed_at is the time of joining). Unknown fields of
  /// `later` keep the aged older value.
  [[nodiscard]] PathProfile merged(const PathProfile& later) const;

  [[nodiscard]] bool cold() const { return confidence <= 0; }
  bool operator==(const PathProfile&) const = default;
};

}  // namespace paceline::adaptive
