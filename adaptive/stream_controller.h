// How many streams one blob host gets, decided from observations alone: no clock, no I/O. One instance a host and
// priority class; call initial() when the host goes from idle to busy, then tick() every tick_interval(rtt).
// One thread at a time; owned by the caller.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "adaptive/path_profile.h"
#include "adaptive/time.h"

namespace paceline::adaptive {

/// Everything the controller is told. Counters only grow; one that falls (sockets replaced) restarts the measurement.
struct Observation {
  Time now{0};
  std::uint64_t bytes = 0;         ///< Body bytes received so far, this host and class.
  Duration rtt_base{0};            ///< Smallest TCP connect time seen; 0 = none yet.
  Duration rtt_now{0};             ///< Mean tcpi_rcv_rtt of the sockets with data in flight; 0 = not available.
  std::uint64_t out_of_order = 0;  ///< Cumulative tcpi_rcv_ooopack.
  std::uint64_t segments = 0;      ///< Cumulative tcpi_data_segs_in.
  Duration first_byte{0};          ///< Usual time from request to first byte, without the RTT.
  std::uint64_t remaining = 0;     ///< Bytes still to receive over all pulls of this host and class.
  bool tail = false;               ///< Nothing left to hand out: only splits of running ranges.
  std::uint64_t throttled = 0;     ///< Cumulative count of 429 and 503 answers.
  Duration retry_after{0};         ///< Longest Retry-After among the new ones; 0 = none.
  unsigned active = 0;             ///< Streams running now.
  unsigned delivering = 0;         ///< Those of them that the host has answered with data.
};

/// Why a decision is what it is. Every value has a stable snake_case name.
enum class Reason : std::uint8_t {
  kIdle,              ///< No pull yet.
  kInitialCold,       ///< Start from RTT and size: nothing is remembered.
  kInitialSmall,      ///< Start of a small image: one stream a layer or a 256 KB piece.
  kInitialProfile,    ///< Start where the last pull of this path ended.
  kNoBytes,           ///< Nothing has arrived yet: nothing to judge.
  kEpochOpen,         ///< The measurement since the last change is still running.
  kMeasurementReset,  ///< Clock or counters went backwards: measure anew.
  kTail,              ///< The last ranges run; splitting them is the planner's work.
  kThrottled,         ///< 429/503: ceiling and n lowered to what the host served at that moment, 0.7 n at least.
  kThrottleCooldown,  ///< Another 429/503 within the cool-down of the last cut.
  kCeilingRaised,     ///< No 429/503 for a while: one stream above the ceiling that the last one set.
  kRampDouble,        ///< No standing queue: doubled.
  kRampQueue,         ///< A standing queue: the path is full; n kept.
  kRampQueueFlat,     ///< A standing queue and no gain from the last growth: back to n before it.
  kRampSettle,        ///< A standing queue, perhaps each stream's own: wait until this n has settled before judging it.
  kRampProbe,         ///< A standing queue at a settled n: half as many more, to see whether it is one that all share.
  kRampEach,          ///< The probe brought as much as it added: each stream is capped, not the path; go on.
  kRampFlat,          ///< Two doublings bought under 10 % and no queue: an aggregate cap; back to n before them.
  kRampLate,          ///< Too little is left to pay a new stream back.
  kRampLimit,         ///< n_max or the throttle ceiling is reached.
  kHoldSteady,        ///< Nothing calls for a change.
  kHoldQueue,         ///< The path is full; n kept.
  kHoldLate,          ///< Too little is left for a change.
  kHoldCapped,        ///< Held below the ceiling because of a cap on the aggregate.
  kReramp,            ///< Three epochs without a queue: grow by half and ramp again.
  kReprobe,           ///< A queue has stood for long: half as many more, to see whether the path still is what is full.
  kPathChanged,       ///< Goodput fell for three epochs: the aggregate cap is forgotten.
  kTrialStart,        ///< Try three quarters of n.
  kTrialKept,         ///< The trial lost under 5 %: the smaller n stays.
  kTrialReverted,     ///< The trial lost 5 % or more: back, and longer until the next.
  kFixed,             ///< A fixed number of streams is configured.
};

/// "ramp_double" and so on; for records and metrics.
[[nodiscard]] std::string_view reason_name(Reason reason);

struct Decision {
  unsigned streams = 1;
  Reason reason = Reason::kIdle;
  bool changed = false;  ///< `streams` differs from before this call.
};

struct Limits {
  unsigned max_streams = 32;  ///< n_max. Above 16 only what a path has shown to bring more (controller.md).
};

/// What is known when a pull starts.
struct PathFacts {
  Duration rtt{0};                     ///< TCP connect time to the blob host or the nearest guess; 0 = unknown.
  std::uint64_t total_bytes = 0;       ///< Bytes to fetch; 0 = unknown.
  unsigned layers = 0;                 ///< Layers to fetch.
  std::optional<PathProfile> profile;  ///< Already aged() by the caller.
};

/// For display, records and metrics.
struct Snapshot {
  std::string_view policy;  ///< "adaptive" or "fixed".
  std::string_view mode;    ///< "idle", "ramp", "probe", "hold", "trial", "fixed".
  unsigned streams = 0;
  unsigned limit = 0;             ///< min(max_streams, throttle ceiling).
  unsigned throttle_ceiling = 0;  ///< 0 = never throttled.
  double goodput = 0;             ///< Bytes per second of the last closed epoch.
  Duration rtt_min{0};
  Duration rtt_now{0};
  Reason last_reason = Reason::kIdle;  ///< Of the last decision that closed an epoch or changed n.
};

class StreamController {
 public:
  virtual ~StreamController() = default;
  virtual Decision initial(const PathFacts& facts) = 0;
  virtual Decision tick(const Observation& observation) = 0;
  [[nodiscard]] virtual unsigned streams() const = 0;
  [[nodiscard]] virtual Snapshot snapshot() const = 0;
  /// What a pull that ends now teaches about the path (ranges_ok stays unknown: the engine knows). Join it with the old
  /// memory by PathProfile::merged().
  [[nodiscard]] virtual PathProfile learned(std::int64_t wall_now) const = 0;
};

/// The adaptive policy (ramp_hold_trim.h), or always `fixed` streams (fixed_streams.h).
[[nodiscard]] std::unique_ptr<StreamController> make_controller(std::optional<unsigned> fixed, Limits limits);

/// How often to call tick(): about once an RTT, within [20 ms, 250 ms].
[[nodiscard]] Duration tick_interval(Duration rtt);

}  // namespace paceline::adaptive
