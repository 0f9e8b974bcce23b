#include "adaptive/ramp_hold_trim.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace paceline::adaptive {
namespace {

using std::chrono::milliseconds;

// Initial n: six streams fill 95 % of a link (Altman et al., 1 − 1/(1+3n)); long paths pay more for slow start.
constexpr unsigned kPriorStreams = 6;
constexpr double kPriorRttSeconds = 0.020;
constexpr unsigned kPriorMost = 16;
// More than these only where the path itself has asked for it: a ramp that doubles to 32 comes too late to see a queue
// that the earlier ones fill, and loses 2 to 6 % [measured].
constexpr unsigned kUnprovenMost = 16;
constexpr int kBeyondEpochs = 6;  // hold epochs that must be left for it
constexpr double kBeyondStep = 1.25;
constexpr std::uint64_t kSmallImage = 16'000'000;
constexpr unsigned kSmallImageStreams = 10;
constexpr std::uint64_t kLeastBytesPerStream = 256U << 10U;

// Ten segments, with which each connection begins (RFC 6928). Streams whose first windows fill the path within one
// round trip gain nothing by company.
constexpr double kFirstWindow = 10 * 1448;

// A queue below these is jitter.
constexpr Duration kQueueFloor = milliseconds(4);
constexpr double kQueueShare = 0.15;
// A short buffer on a near path drops before its delay reaches that floor: half an RTT of delay with reordering counts.
constexpr double kShortQueueShare = 0.5;

// TCP + TLS + first byte is the earliest a new stream can show.
constexpr Duration kRampEpochFloor = milliseconds(60);
constexpr int kRampEpochRtts = 3;
constexpr Duration kHoldEpochFloor = milliseconds(250);
constexpr int kHoldEpochRtts = 6;

// A new stream pays for its slow start after about ten RTT.
constexpr int kPaybackRtts = 10;

constexpr double kGain = 1.1;        // more than noise
constexpr double kTrialLoss = 0.95;  // less than this of the old goodput: the trial cost too much
constexpr double kTrialClear = 0.8;  // less than this: no need to look longer
constexpr double kWeak = 0.7;        // goodput that says "the path changed"
constexpr unsigned kPatience = 3;    // epochs
constexpr unsigned kPatienceMost = 48;
constexpr unsigned kTrimFloor = 4;  // fills about 92 % of a link
// A trial that fails costs a long path some RTT of a quarter of its streams: up to 1 s of a 6 s pull at 150 ms
// [measured].
constexpr int kTrialEpochs = 16;
constexpr int kAmpleEpochs = 64;  // a trial that is likely vain costs at most 0.4 % of these
constexpr unsigned kGapFirst = 4, kGapMost = 64;
constexpr double kLossyReorder = 0.06;  // rcv_ooopack share that goes with about 1.5 % true loss [measured, rough]

// A queue that all streams share leaves nothing to gain; one that each stream has at its own cap lets every stream
// bring its part. Half of the proportional gain tells the two apart [measured: caps of 5 Mbps gave 80 to 100 % of it,
// full links under 10 %].
constexpr double kProbeStep = 1.5;
constexpr double kProbeShare = 0.5;
constexpr unsigned kProbeGapFirst = 8, kProbeGapMost = 128;
// What it is decided by: enough bytes of each stream, even at a cap of 1 Mbps, not to take a late wake-up for a full
// path [measured: 60 ms at 5 Mbps a stream did, on a busy machine].
constexpr Duration kProbeEpochFloor = milliseconds(200);
constexpr unsigned kSettleMost = 6;  // epochs that streams which do not deliver yet are waited for

// One epoch of a full path swings by 15 % and more, since a hole that is filled hands over all that waited behind it;
// four together do so by a few percent [measured at 10 Mbps: by one, trials failed that cost nothing and probes
// succeeded that brought nothing, until 21 streams stood where 6 do].
constexpr unsigned kLooks = 4;
constexpr unsigned kMeanOf = 8;  // epochs of a hold

constexpr double kThrottleCut = 0.7;
constexpr Duration kCoolFloor = std::chrono::seconds(1);
constexpr Duration kRetryAfterMost = std::chrono::minutes(5);
// A limit of connections makes every raise cost one refusal: rarely, and ever more rarely where raises fail.
constexpr Duration kRaiseFirst = std::chrono::seconds(3);
constexpr Duration kRaiseLeast = std::chrono::seconds(1);
constexpr Duration kRaiseMost = std::chrono::minutes(10);

// Bounds what a caller may hand in, so that sums and products of durations cannot overflow.
Duration sane(Duration d) { return std::clamp(d, Duration{0}, Duration(std::chrono::hours(1))); }

std::uint64_t grown(std::uint64_t from, std::uint64_t to) { return to > from ? to - from : 0; }

}  // namespace

RampHoldTrim::RampHoldTrim(Limits limits) : limits_(limits) { limits_.max_streams = std::max(1U, limits_.max_streams); }

unsigned RampHoldTrim::limit() const {
  return ceiling_ == 0 ? limits_.max_streams : std::clamp(ceiling_, 1U, limits_.max_streams);
}

/// Up to where n may grow without having seen that more streams than usual bring more.
unsigned RampHoldTrim::usual_limit() const { return beyond_ ? limit() : std::min(limit(), kUnprovenMost); }

Decision RampHoldTrim::initial(const PathFacts& facts) {
  const unsigned before = n_;
  const Duration rtt = sane(facts.rtt);
  base_ = rtt;
  rtt_now_ = Duration{0};
  goodput_ = gh_ = 0;
  agg_ = ticked_ = flowing_ = throttled_here_ = false;
  first_bytes_.reset();
  gap_ = kGapFirst;
  probe_gap_ = kProbeGapFirst;
  patience_ = kPatience;
  since_ = stood_ = 0;
  beyond_ = false;
  enter_ramp();

  const double stretch = std::sqrt(seconds(rtt) / kPriorRttSeconds);
  double v = std::clamp<double>(std::round(kPriorStreams * stretch), kPriorStreams, kPriorMost);
  last_reason_ = Reason::kInitialCold;
  if (facts.total_bytes > 0 && facts.total_bytes <= kSmallImage) {
    v = std::max<double>(v, std::min(facts.layers, kSmallImageStreams));
    last_reason_ = Reason::kInitialSmall;
  }
  size_limited_ = false;
  if (facts.total_bytes > 0) {
    const double most = std::ceil(static_cast<double>(facts.total_bytes) / kLeastBytesPerStream);
    size_limited_ = most < v;
    v = std::min(v, most);
  }
  if (facts.profile) {
    ceiling_ = facts.profile->throttle_ceiling;
    if (ceiling_ > 0 && raise_after_ == Duration{0}) raise_after_ = kRaiseFirst;
    const double confidence = std::clamp(facts.profile->confidence, 0.0, 1.0);
    if (facts.profile->streams > 0 && confidence > 0) {
      v = std::round(v + confidence * (facts.profile->streams - v));
      size_limited_ = false;
      last_reason_ = Reason::kInitialProfile;
      beyond_ = v > kUnprovenMost;
    }
  }
  n_ = static_cast<unsigned>(std::clamp<double>(v, 1, limit()));
  return {n_, last_reason_, n_ != before};
}

Decision RampHoldTrim::tick(const Observation& o) {
  const unsigned before = n_;
  const Reason reason = evaluate(o);
  last_now_ = o.now;
  ticked_ = true;
  if (reason != Reason::kEpochOpen && reason != Reason::kNoBytes && reason != Reason::kIdle) last_reason_ = reason;
  return {n_, reason, n_ != before};
}

Reason RampHoldTrim::evaluate(const Observation& o) {
  if (mode_ == Mode::kIdle) return Reason::kIdle;
  for (const Duration rtt : {sane(o.rtt_base), sane(o.rtt_now)}) {
    if (rtt > Duration{0} && (base_ == Duration{0} || rtt < base_)) base_ = rtt;
  }
  rtt_now_ = sane(o.rtt_now);

  const bool clock_back = ticked_ && o.now < last_now_;
  if (clock_back && cool_until_) {  // what is left of the cool-down, on the new clock
    cool_until_ = o.now + std::max(Duration{0}, *cool_until_ - last_now_);
  }
  if (clock_back) quiet_since_ = o.now;
  if (o.throttled < throttled_) throttled_ = o.throttled;
  if (o.throttled > throttled_) return throttle(o, o.throttled - std::exchange(throttled_, o.throttled));

  if (!ticked_) {
    if (quiet_since_ == Time{0}) quiet_since_ = o.now;
    begin_epoch(o);
    return Reason::kNoBytes;
  }
  if (clock_back || o.bytes < b0_) {
    begin_epoch(o);
    return Reason::kMeasurementReset;
  }
  if (!flowing_ && !has_begun(o)) {
    begin_epoch(o);
    return Reason::kNoBytes;
  }
  flowing_ = true;
  if (o.tail) return Reason::kTail;
  if (o.now - t0_ < epoch_length(o)) return Reason::kEpochOpen;

  const Epoch e = measure(o);
  if (e.goodput <= 0) {  // a silent path says nothing about n
    begin_epoch(o);
    return Reason::kNoBytes;
  }
  goodput_ = e.goodput;
  switch (mode_) {
    case Mode::kRamp:
      return ramp(o, e);
    case Mode::kProbe:
      return probe(o, e);
    case Mode::kHold:
      return hold(o, e);
    case Mode::kTrial:
      return trial(o, e);
    case Mode::kIdle:
      break;
  }
  return Reason::kIdle;
}

/// Whether the rest of the pull is worth the streams that asking takes.
bool RampHoldTrim::may_ask_for_more(const Epoch& e) const {
  return !e.late && n_ < limit() && (n_ < kUnprovenMost || !e.near_end);
}

/// A stream shows what it brings within one epoch of the ramp.
bool RampHoldTrim::near() const { return kRampEpochRtts * base_ < kRampEpochFloor; }

/// On a near path a config that arrives ahead of the layers, or the first stream of many, says nothing of what n
/// streams bring. Streams that the host never answers are waited for no longer than an epoch. On a far path that would
/// be too long, and more streams help through slow start.
bool RampHoldTrim::has_begun(const Observation& o) {
  if (o.bytes == b0_ && !first_bytes_) return false;
  if (!first_bytes_) first_bytes_ = o.now;
  return !near() || 2 * o.delivering >= o.active || o.now - *first_bytes_ >= kRampEpochFloor;
}

Reason RampHoldTrim::throttle(const Observation& o, std::uint64_t refused) {
  quiet_since_ = o.now;
  const unsigned served = served_at_once(o, refused);
  if (cool_until_ && o.now < *cool_until_) {
    // More of the same burst: by now more of those that were let through have shown it.
    if (o.delivering > 0 && served < limit()) {
      ceiling_ = served;
      set(std::min(n_, served), o);
    }
    return Reason::kThrottleCooldown;
  }
  raise_after_ = raised_ ? std::clamp(2 * raise_after_, kRaiseFirst, kRaiseMost) : kRaiseFirst;
  raised_ = false;
  ceiling_ = served;
  throttled_here_ = true;
  cool_until_ = o.now + std::max({kCoolFloor, 10 * base_, std::min(sane(o.retry_after), kRetryAfterMost)});
  enter_hold();
  set(ceiling_, o);
  return Reason::kThrottled;
}

/// What the host may be trusted with after it refused some. Streams that it was serving at that moment are proof; of
/// the others, answered or not, 0.7 are worth a try.
unsigned RampHoldTrim::served_at_once(const Observation& o, std::uint64_t refused) const {
  const double tried =
      o.active == 0 ? n_ : std::min<double>(n_, static_cast<double>(o.active) + static_cast<double>(refused));
  const double most = std::max<double>(std::floor(kThrottleCut * tried), o.delivering);
  return static_cast<unsigned>(std::clamp<double>(most, 1, std::max(1U, n_ - 1)));
}

/// Growth beyond what the host once refused resumes only after lasting success.
Reason RampHoldTrim::raise_ceiling(const Observation& o) {
  quiet_since_ = o.now;
  // The last raise was borne, too: whatever refused may have been a burst, of which this is no part.
  if (raised_) raise_after_ = std::max(kRaiseLeast, raise_after_ / 2);
  raised_ = true;
  ++ceiling_;
  set(n_ + 1.0, o);
  return Reason::kCeilingRaised;
}

Reason RampHoldTrim::ramp(const Observation& o, const Epoch& e) {
  if (near() && !all_deliver(o) && ++waited_ < kSettleMost) {
    begin_epoch(o);
    return Reason::kRampSettle;
  }
  const bool flat = n1_ > 0 && e.goodput < kGain * g1_;
  const bool stuck = (n2_ > 0 && e.goodput < kGain * g2_) || (near() && flat);
  if (!e.queue && !stuck && !e.late && n_ < usual_limit()) {
    n2_ = n1_;
    g2_ = g1_;
    n1_ = n_;
    g1_ = e.goodput;
    set(std::min<double>(2.0 * n_, usual_limit()), o);
    return Reason::kRampDouble;
  }
  if (e.queue && !flat && may_ask_for_more(e)) {
    enter_probe();
    begin_epoch(o);
    return Reason::kRampSettle;
  }
  unsigned back = n_;
  Reason reason = Reason::kRampLimit;
  if (e.queue && flat) {
    back = std::min(n1_, filling(g1_));
    reason = Reason::kRampQueueFlat;
  } else if (e.queue && n_ < limit()) {
    reason = Reason::kRampQueue;
  } else if (stuck) {
    back = near() && flat ? n1_ : n2_;
    reason = Reason::kRampFlat;
  } else if (e.late) {
    reason = Reason::kRampLate;
  }
  agg_ = stuck && !e.queue;
  full_ = reason == Reason::kRampQueueFlat;
  if (reason != Reason::kRampLate) size_limited_ = false;
  enter_hold();
  set(back, o);
  return reason;
}

Reason RampHoldTrim::probe(const Observation& o, const Epoch& e) {
  if (e.late) return end_probe(n_, Reason::kRampLate, o);
  const bool first = probe_n_ == 0;
  if (first && !e.queue) {  // It has drained: nothing to ask any more.
    enter_ramp();
    return ramp(o, e);
  }
  if (!settled_) {  // New streams were still connecting, or in slow start.
    settled_ = all_deliver(o) || ++waited_ >= kSettleMost;
    begin_epoch(o);
    return Reason::kRampSettle;
  }
  if (!first) {
    const double gain = e.goodput / probe_g_;
    const double proportional = static_cast<double>(n_) / probe_n_;
    const bool each = gain >= 1 + kProbeShare * (proportional - 1);
    const unsigned needed = !each ? kLooks : likely_full() ? kLooks / 2 : 1;
    if (gain >= kGain && looks_ + 1 < needed) return look_longer();
    if (!each) {
      // The first one judges a path that it has only just met: it is soon asked again.
      if (why_ == Asking::kQueueStands) probe_gap_ = std::min(kProbeGapMost, 4 * probe_gap_);
      if (why_ == Asking::kQueueWent) patience_ = std::min(kPatienceMost, 4 * patience_);
      if (gain >= kGain) return end_probe(n_, Reason::kRampQueue, o);
      if (!e.queue) return end_probe(probe_n_, Reason::kRampFlat, o);
      return end_probe(std::min(probe_n_, filling(probe_g_)), Reason::kRampQueueFlat, o);
    }
    probe_gap_ = kProbeGapFirst;
    patience_ = kPatience;
    beyond_ = true;
  }
  if (!may_ask_for_more(e)) return end_probe(n_, n_ < limit() ? Reason::kRampLate : Reason::kRampLimit, o);
  ask(e.goodput);
  set(first ? std::ceil(probe_step() * n_) : 2.0 * n_, o);
  return first ? Reason::kRampProbe : Reason::kRampEach;
}

/// As many streams as fill a path of this goodput.
unsigned RampHoldTrim::filling(double goodput) const {
  if (base_ <= Duration{0}) return limit();
  const double streams = std::ceil(goodput * seconds(base_) / kFirstWindow);
  return static_cast<unsigned>(std::clamp<double>(streams, kPriorStreams, std::max(kPriorStreams, limit())));
}

/// Whether it takes more than one lucky epoch to believe that more streams bring more: a queue has stood for long, or a
/// far path was filled by those that there were, and new ones gain in slow start what the others lose.
bool RampHoldTrim::likely_full() const {
  return why_ == Asking::kQueueStands || (!near() && probe_n_ >= filling(probe_g_));
}

/// The next number of streams is compared with this one.
void RampHoldTrim::ask(double goodput) {
  probe_n_ = n_;
  probe_g_ = goodput;
  settled_ = false;
}

void RampHoldTrim::ask_again(Asking why, double goodput, const Observation& o) {
  enter_probe();
  why_ = why;
  ask(goodput);
  set(std::ceil(probe_step() * n_), o);
}

double RampHoldTrim::probe_step() const { return n_ < kUnprovenMost ? kProbeStep : kBeyondStep; }

/// But for one in eight, which may be between two ranges.
bool RampHoldTrim::all_deliver(const Observation& o) const { return 8 * o.delivering >= 7 * n_; }

Reason RampHoldTrim::end_probe(double back, Reason reason, const Observation& o) {
  agg_ = false;
  full_ = reason == Reason::kRampQueueFlat;
  if (reason != Reason::kRampLate) size_limited_ = false;
  enter_hold();
  set(back, o);
  return reason;
}

/// The epoch goes on, with what it has measured so far.
Reason RampHoldTrim::look_longer() {
  ++looks_;
  return Reason::kEpochOpen;
}

Reason RampHoldTrim::hold(const Observation& o, const Epoch& e) {
  const double held = gh_ == 0 ? e.goodput : gh_;
  mean_of_ = std::min(kMeanOf, mean_of_ + 1);
  gh_ = held + (e.goodput - held) / mean_of_;
  ++since_;
  if (!e.queue && n_ < limit()) {
    ++unsat_;
    unsat_sum_ += e.goodput;
    if (e.goodput < kWeak * held) ++weak_;
  } else {
    unsat_ = weak_ = 0;
    unsat_sum_ = 0;
  }
  if (e.queue && n_ < limit()) ++stood_;

  if (!agg_ && unsat_ >= patience_ && may_ask_for_more(e)) {
    ask_again(Asking::kQueueWent, unsat_sum_ / unsat_, o);
    gap_ = kGapFirst;
    return Reason::kReramp;
  }
  if (!e.late && ceiling_ > 0 && n_ == ceiling_ && n_ < limits_.max_streams && raise_after_ > Duration{0} &&
      o.now - quiet_since_ >= raise_after_) {
    return raise_ceiling(o);
  }
  if (const unsigned floor = trim_floor(e); since_ >= gap_ / 2 && n_ > floor) {
    before_ = n_;
    mode_ = Mode::kTrial;
    since_ = 0;
    set(std::max<double>(floor, std::floor(0.75 * n_)), o);
    return Reason::kTrialStart;
  }
  if (e.queue && stood_ >= probe_gap_ && may_ask_for_more(e)) {
    ask_again(Asking::kQueueStands, gh_, o);
    return Reason::kReprobe;
  }
  begin_epoch(o);
  if (agg_ && weak_ >= kPatience) {
    agg_ = false;
    return Reason::kPathChanged;
  }
  if (e.late) return Reason::kHoldLate;
  if (e.queue) return Reason::kHoldQueue;
  return agg_ ? Reason::kHoldCapped : Reason::kHoldSteady;
}

/// The least n that a trial may go down to; n itself where none is due.
unsigned RampHoldTrim::trim_floor(const Epoch& e) const {
  if (e.brief) return n_;
  if (e.queue ? e.lossy : agg_) return kTrimFloor;
  // A queue that streams only make longer: fewer of them lose less, of others' packets too. At the limit no probe has
  // shown whose queue it is; asking costs an epoch at a quarter less.
  if (e.queue && (full_ || (n_ == limit() && e.ample))) return kPriorStreams;
  return n_;
}

Reason RampHoldTrim::trial(const Observation& o, const Epoch& e) {
  const double kept = e.goodput / gh_;
  if (kept >= kTrialClear && looks_ + 1 < kLooks && !e.late) return look_longer();
  mode_ = Mode::kHold;
  if (kept < kTrialLoss) {
    gap_ = std::min(kGapMost, 4 * gap_);
    set(before_, o);
    return Reason::kTrialReverted;
  }
  // The next trial is measured against what more streams brought, or a few that each cost a little would cost a lot.
  mean_of_ = kMeanOf;
  begin_epoch(o);
  return Reason::kTrialKept;
}

void RampHoldTrim::enter_ramp() {
  mode_ = Mode::kRamp;
  full_ = false;
  n1_ = n2_ = 0;
  g1_ = g2_ = 0;
  unsat_ = weak_ = 0;
  unsat_sum_ = 0;
}

void RampHoldTrim::enter_probe() {
  mode_ = Mode::kProbe;
  probe_n_ = 0;
  probe_g_ = 0;
  waited_ = 0;
  settled_ = false;
  why_ = Asking::kFirst;
}

void RampHoldTrim::enter_hold() {
  mode_ = Mode::kHold;
  gh_ = 0;  // of another n
  mean_of_ = 0;
  unsat_ = weak_ = since_ = stood_ = 0;
  unsat_sum_ = 0;
}

bool RampHoldTrim::standing_queue(bool lossy) const {
  if (rtt_now_ <= Duration{0} || base_ <= Duration{0}) return false;
  const Duration delay = rtt_now_ - base_;
  if (lossy && delay > from_seconds(kShortQueueShare * seconds(base_))) return true;
  return delay > std::max(kQueueFloor, from_seconds(kQueueShare * seconds(base_)));
}

Duration RampHoldTrim::epoch_length(const Observation& o) const { return (looks_ + 1) * one_epoch(o); }

Duration RampHoldTrim::one_epoch(const Observation& o) const {
  if (mode_ != Mode::kRamp && mode_ != Mode::kProbe) return hold_epoch();
  const Duration floor = mode_ == Mode::kProbe && settled_ ? kProbeEpochFloor : kRampEpochFloor;
  return std::max(floor, kRampEpochRtts * base_ + sane(o.first_byte));
}

Duration RampHoldTrim::hold_epoch() const { return std::max(kHoldEpochFloor, kHoldEpochRtts * base_); }

RampHoldTrim::Epoch RampHoldTrim::measure(const Observation& o) const {
  Epoch e;
  e.goodput = static_cast<double>(o.bytes - b0_) / seconds(o.now - t0_);
  const std::uint64_t segments = grown(s0_, o.segments);
  e.lossy =
      segments > 0 && static_cast<double>(grown(l0_, o.out_of_order)) > kLossyReorder * static_cast<double>(segments);
  e.queue = standing_queue(e.lossy);
  const double payback = seconds(kPaybackRtts * base_ + 2 * sane(o.first_byte));
  e.late = static_cast<double>(o.remaining) < e.goodput * payback;
  const double epochs = static_cast<double>(o.remaining) / (e.goodput * seconds(hold_epoch()));
  e.brief = e.late || epochs < kTrialEpochs;
  e.near_end = e.late || epochs < kBeyondEpochs;
  e.ample = epochs >= kAmpleEpochs;
  return e;
}

void RampHoldTrim::set(double streams, const Observation& o) {
  n_ = static_cast<unsigned>(std::clamp<double>(streams, 1, limit()));
  waited_ = 0;
  begin_epoch(o);
}

void RampHoldTrim::begin_epoch(const Observation& o) {
  t0_ = o.now;
  b0_ = o.bytes;
  l0_ = o.out_of_order;
  s0_ = o.segments;
  looks_ = 0;
}

Snapshot RampHoldTrim::snapshot() const {
  Snapshot s;
  s.policy = "adaptive";
  switch (mode_) {
    case Mode::kIdle:
      s.mode = "idle";
      break;
    case Mode::kRamp:
      s.mode = "ramp";
      break;
    case Mode::kProbe:
      s.mode = "probe";
      break;
    case Mode::kHold:
      s.mode = "hold";
      break;
    case Mode::kTrial:
      s.mode = "trial";
      break;
  }
  s.streams = n_;
  s.limit = limit();
  s.throttle_ceiling = ceiling_;
  s.goodput = goodput_;
  s.rtt_min = base_;
  s.rtt_now = rtt_now_;
  s.last_reason = last_reason_;
  return s;
}

PathProfile RampHoldTrim::learned(std::int64_t wall_now) const {
  PathProfile p;
  p.rtt_min = base_;
  p.observed_at = wall_now;
  if (goodput_ > 0 && !size_limited_) {
    const bool asking = mode_ == Mode::kProbe && probe_n_ > 0;
    p.streams = mode_ == Mode::kTrial ? before_ : asking ? probe_n_ : n_;
    p.goodput = std::max(gh_, goodput_);
    p.stream_rate = p.goodput / p.streams;
  }
  if (throttled_here_ || raised_) {
    p.throttle_ceiling = ceiling_;
    p.throttled_at = wall_now;
  }
  return p;
}

}  // namespace paceline::adaptive
