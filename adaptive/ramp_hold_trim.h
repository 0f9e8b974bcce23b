// The adaptive policy: ramp until delay says stop, probe whether it is the path's, hold, trim by trial. The algorithm
// and where its constants come from: docs/controller.md. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "adaptive/stream_controller.h"

namespace paceline::adaptive {

class RampHoldTrim final : public StreamController {
 public:
  explicit RampHoldTrim(Limits limits);

  Decision initial(const PathFacts& facts) override;
  Decision tick(const Observation& observation) override;
  [[nodiscard]] unsigned streams() const override { return n_; }
  [[nodiscard]] Snapshot snapshot() const override;
  [[nodiscard]] PathProfile learned(std::int64_t wall_now) const override;

 private:
  enum class Mode : std::uint8_t { kIdle, kRamp, kProbe, kHold, kTrial };

  /// What made it ask whether more streams bring more.
  enum class Asking : std::uint8_t { kFirst, kQueueStands, kQueueWent };

  /// What one closed epoch measured.
  struct Epoch {
    double goodput = 0;     // bytes per second
    bool queue = false;     // a standing queue: the path is full
    bool lossy = false;     // enough reordering to suspect real loss
    bool late = false;      // a new stream would no longer pay back
    bool brief = false;     // a trial would cost the pull more than its rest can win back
    bool near_end = false;  // too little is left for more streams than usual
    bool ample = false;     // the rest is long enough to try what is likely vain
  };

  [[nodiscard]] unsigned limit() const;
  [[nodiscard]] unsigned usual_limit() const;
  [[nodiscard]] bool may_ask_for_more(const Epoch& e) const;
  [[nodiscard]] bool standing_queue(bool lossy) const;
  [[nodiscard]] Epoch measure(const Observation& o) const;
  [[nodiscard]] Duration epoch_length(const Observation& o) const;
  [[nodiscard]] Duration one_epoch(const Observation& o) const;
  [[nodiscard]] Duration hold_epoch() const;
  void set(double streams, const Observation& o);
  void begin_epoch(const Observation& o);
  void enter_ramp();
  void enter_probe();
  void enter_hold();
  Reason evaluate(const Observation& o);
  [[nodiscard]] bool near() const;
  [[nodiscard]] bool has_begun(const Observation& o);
  Reason throttle(const Observation& o, std::uint64_t refused);
  [[nodiscard]] unsigned served_at_once(const Observation& o, std::uint64_t refused) const;
  Reason raise_ceiling(const Observation& o);
  Reason ramp(const Observation& o, const Epoch& e);
  Reason probe(const Observation& o, const Epoch& e);
  [[nodiscard]] unsigned filling(double goodput) const;
  [[nodiscard]] bool likely_full() const;
  void ask(double goodput);
  void ask_again(Asking why, double goodput, const Observation& o);
  [[nodiscard]] double probe_step() const;
  [[nodiscard]] bool all_deliver(const Observation& o) const;
  Reason end_probe(double back, Reason reason, const Observation& o);
  Reason look_longer();
  Reason hold(const Observation& o, const Epoch& e);
  [[nodiscard]] unsigned trim_floor(const Epoch& e) const;
  Reason trial(const Observation& o, const Epoch& e);

  Limits limits_;
  unsigned n_ = 1;
  Mode mode_ = Mode::kIdle;
  Reason last_reason_ = Reason::kIdle;
  bool agg_ = false;           // the aggregate is capped somewhere without a queue
  bool full_ = false;          // the last growth brought nothing but queue
  bool beyond_ = false;        // this path wants more streams than usual
  bool size_limited_ = false;  // the pull was too small to show what the path wants

  Duration base_{0};  // smallest RTT seen, 0 = unknown
  Duration rtt_now_{0};
  double goodput_ = 0;  // of the last closed epoch

  unsigned waited_ = 0;  // epochs at this n, for its streams to deliver

  // Start of the epoch.
  bool ticked_ = false;   // since initial()
  bool flowing_ = false;  // enough streams deliver since initial() to measure n by
  std::optional<Time> first_bytes_;
  Time t0_{0}, last_now_{0};
  std::uint64_t b0_ = 0, l0_ = 0, s0_ = 0;
  unsigned looks_ = 0;  // at what it has measured, that did not suffice

  // Ramp: the last two stops (n, goodput); n = 0: none.
  unsigned n1_ = 0, n2_ = 0;
  double g1_ = 0, g2_ = 0;

  // Probe: the settled n and goodput that a larger n is compared with; n = 0: none yet.
  unsigned probe_n_ = 0;
  double probe_g_ = 0;
  bool settled_ = false;  // all streams of this n deliver
  Asking why_ = Asking::kFirst;

  // Hold and trial.
  double gh_ = 0;                       // mean goodput of the hold, 0 = none
  unsigned mean_of_ = 0;                // epochs that it is the mean of
  unsigned patience_ = 3;               // epochs without a queue that make it ask
  double unsat_sum_ = 0;                // goodput of the epochs without a queue
  unsigned unsat_ = 0, weak_ = 0;       // epochs without a queue; those of them far below gh_
  unsigned since_ = 0, gap_ = 4;        // hold epochs since the last trial, and how many there should be (times two)
  unsigned before_ = 1;                 // n before the trial
  unsigned stood_ = 0, probe_gap_ = 8;  // hold epochs with a queue, and how many make the next probe due

  // Throttling.
  unsigned ceiling_ = 0;         // 0 = none
  bool throttled_here_ = false;  // the ceiling was set since initial()
  std::uint64_t throttled_ = 0;
  std::optional<Time> cool_until_;
  Time quiet_since_{0};      // of the last 429/503, or the last raise of the ceiling
  Duration raise_after_{0};  // how long it must be quiet for the next raise
  bool raised_ = false;      // the ceiling was raised since the last 429/503
};

}  // namespace paceline::adaptive
