#include "adaptive/stream_controller.h"

#include <algorithm>

#include "adaptive/fixed_streams.h"
#include "adaptive/ramp_hold_trim.h"

namespace paceline::adaptive {

std::string_view reason_name(Reason reason) {
  switch (reason) {
    case Reason::kIdle:
      return "idle";
    case Reason::kInitialCold:
      return "initial_cold";
    case Reason::kInitialSmall:
      return "initial_small";
    case Reason::kInitialProfile:
      return "initial_profile";
    case Reason::kNoBytes:
      return "no_bytes";
    case Reason::kEpochOpen:
      return "epoch_open";
    case Reason::kMeasurementReset:
      return "measurement_reset";
    case Reason::kTail:
      return "tail";
    case Reason::kThrottled:
      return "throttled";
    case Reason::kThrottleCooldown:
      return "throttle_cooldown";
    case Reason::kCeilingRaised:
      return "ceiling_raised";
    case Reason::kRampDouble:
      return "ramp_double";
    case Reason::kRampQueue:
      return "ramp_queue";
    case Reason::kRampQueueFlat:
      return "ramp_queue_flat";
    case Reason::kRampSettle:
      return "ramp_settle";
    case Reason::kRampProbe:
      return "ramp_probe";
    case Reason::kRampEach:
      return "ramp_each";
    case Reason::kRampFlat:
      return "ramp_flat";
    case Reason::kRampLate:
      return "ramp_late";
    case Reason::kRampLimit:
      return "ramp_limit";
    case Reason::kHoldSteady:
      return "hold_steady";
    case Reason::kHoldQueue:
      return "hold_queue";
    case Reason::kHoldLate:
      return "hold_late";
    case Reason::kHoldCapped:
      return "hold_capped";
    case Reason::kReramp:
      return "reramp";
    case Reason::kReprobe:
      return "reprobe";
    case Reason::kPathChanged:
      return "path_changed";
    case Reason::kTrialStart:
      return "trial_start";
    case Reason::kTrialKept:
      return "trial_kept";
    case Reason::kTrialReverted:
      return "trial_reverted";
    case Reason::kFixed:
      return "fixed";
  }
  return "unknown";
}

std::unique_ptr<StreamController> make_controller(std::optional<unsigned> fixed, Limits limits) {
  if (fixed) return std::make_unique<FixedStreams>(*fixed, limits);
  return std::make_unique<RampHoldTrim>(limits);
}

Duration tick_interval(Duration rtt) {
  return std::clamp<Duration>(rtt, std::chrono::milliseconds(20), std::chrono::milliseconds(250));
}

}  // namespace paceline::adaptive
