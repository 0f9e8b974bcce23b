#include "adaptive/fixed_streams.h"

#include <algorithm>

namespace paceline::adaptive {
namespace {

constexpr Duration kWindow = std::chrono::seconds(1);  // of the goodput shown

}  // namespace

FixedStreams::FixedStreams(unsigned streams, Limits limits) : limits_(limits) {
  limits_.max_streams = std::max(1U, limits_.max_streams);
  n_ = std::clamp(streams, 1U, limits_.max_streams);
}

Decision FixedStreams::initial(const PathFacts& facts) {
  base_ = std::max(Duration{0}, facts.rtt);
  rtt_now_ = Duration{0};
  goodput_ = 0;
  open_ = false;
  return {n_, Reason::kFixed, false};
}

Decision FixedStreams::tick(const Observation& o) {
  for (const Duration rtt : {o.rtt_base, o.rtt_now}) {
    if (rtt > Duration{0} && (base_ == Duration{0} || rtt < base_)) base_ = rtt;
  }
  rtt_now_ = o.rtt_now;
  if (!open_ || o.now < t0_ || o.bytes < b0_) {
    open_ = true;
    t0_ = o.now;
    b0_ = o.bytes;
  } else if (o.now - t0_ >= kWindow) {
    goodput_ = static_cast<double>(o.bytes - b0_) / seconds(o.now - t0_);
    t0_ = o.now;
    b0_ = o.bytes;
  }
  return {n_, Reason::kFixed, false};
}

Snapshot FixedStreams::snapshot() const {
  Snapshot s;
  s.policy = s.mode = "fixed";
  s.streams = n_;
  s.limit = limits_.max_streams;
  s.goodput = goodput_;
  s.rtt_min = base_;
  s.rtt_now = rtt_now_;
  s.last_reason = Reason::kFixed;
  return s;
}

// A configured n is no finding about the path: `streams` stays unknown.
PathProfile FixedStreams::learned(std::int64_t wall_now) const {
  PathProfile p;
  p.rtt_min = base_;
  p.observed_at = wall_now;
  return p;
}

}  // namespace paceline::adaptive
