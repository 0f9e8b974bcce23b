// A small fluid model of TCP streams over one bottleneck, to compare policies with: shared drop-tail queue, random
// loss, a cap per connection, cubic windows with slow start. Deterministic for a seed. Not a network: see tests/wan for
// one.
#pragma once

#include <cstdint>
#include <vector>

#include "adaptive/range_planner.h"
#include "adaptive/stream_controller.h"

namespace paceline::adaptive {

struct Cell {
  double link = 0;  // bytes per second of payload
  double rtt = 0;   // seconds
  double loss = 0;
  double connection_cap = 0;  // bytes per second, 0 = none
  double first_byte = 0.01;
  std::vector<std::uint64_t> layers;
};

struct Outcome {
  double time = 0;          // seconds, from the first connection to the last byte
  unsigned streams = 0;     // at the end
  double streams_mean = 0;  // over time
  double lost = 0;          // share of segments
  double wasted = 0;        // share of bytes
  PathProfile learned;
};

Outcome pull(const Cell& cell, StreamController& controller, const std::optional<PathProfile>& profile,
             unsigned seed = 1);

}  // namespace paceline::adaptive
