// Always n streams, clamped to the limits: for the study, and for users who know better. One thread at a time.
#pragma once

#include "adaptive/stream_controller.h"

namespace paceline::adaptive {

class FixedStreams final : public StreamController {
 public:
  FixedStreams(unsigned streams, Limits limits);

  Decision initial(const PathFacts& facts) override;
  Decision tick(const Observation& observation) override;
  [[nodiscard]] unsigned streams() const override { return n_; }
  [[nodiscard]] Snapshot snapshot() const override;
  [[nodiscard]] PathProfile learned(std::int64_t wall_now) const override;

 private:
  Limits limits_;
  unsigned n_;
  Duration base_{0};
  Duration rtt_now_{0};
  Time t0_{0};
  std::uint64_t b0_ = 0;
  bool open_ = false;
  double goodput_ = 0;
};

}  // namespace paceline::adaptive
