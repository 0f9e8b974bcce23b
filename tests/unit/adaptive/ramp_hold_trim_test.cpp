#include "adaptive/ramp_hold_trim.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

namespace paceline::adaptive {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr double kMB = 1e6;

PathFacts facts(int rtt_ms, std::uint64_t bytes, unsigned layers = 10) {
  PathFacts f;
  f.rtt = milliseconds(rtt_ms);
  f.total_bytes = bytes;
  f.layers = layers;
  return f;
}

/// A path given by two functions of n and time: goodput in bytes per second, and the RTT now.
class Drive {
 public:
  explicit Drive(unsigned max_streams = 16) : controller(Limits{max_streams}) {}

  RampHoldTrim controller;
  std::function<double(unsigned)> goodput = [](unsigned n) { return n * kMB; };
  std::function<Duration(unsigned)> rtt = [](unsigned) { return milliseconds(20); };
  std::function<unsigned(unsigned)> delivering = [](unsigned n) { return n; };
  Observation o;
  std::vector<Decision> events;  // that closed an epoch or changed n

  Decision start(const PathFacts& f) {
    o.rtt_base = f.rtt;
    o.remaining = f.total_bytes;
    const Decision d = controller.initial(f);
    controller.tick(o);
    return d;
  }
  Decision tick(Duration step = milliseconds(20)) {
    const auto bytes = static_cast<std::uint64_t>(goodput(controller.streams()) * seconds(step));
    o.now += step;
    o.bytes += bytes;
    o.segments += bytes / 1448 + 1;
    o.remaining -= std::min(o.remaining, bytes);
    o.rtt_now = rtt(controller.streams());
    if (delivering) {
      o.active = controller.streams();
      o.delivering = delivering(o.active);
    }
    const Decision d = controller.tick(o);
    if (d.reason != Reason::kEpochOpen && d.reason != Reason::kNoBytes) events.push_back(d);
    return d;
  }
  void run(Duration length) {
    for (Duration t{0}; t < length; t += milliseconds(20)) tick();
  }
  [[nodiscard]] bool saw(Reason reason) const {
    return std::any_of(events.begin(), events.end(), [&](const Decision& d) { return d.reason == reason; });
  }
  [[nodiscard]] unsigned count(Reason reason) const {
    return static_cast<unsigned>(
        std::count_if(events.begin(), events.end(), [&](const Decision& d) { return d.reason == reason; }));
  }
};

TEST(RampHoldTrim, InitialTable) {
  struct Row {
    int rtt_ms;
    std::uint64_t bytes;
    unsigned layers;
    unsigned want;
    Reason reason;
  };
  const Row rows[] = {
      {0, 0, 0, 6, Reason::kInitialCold},             // nothing known: the prior
      {2, 100'000'000, 10, 6, Reason::kInitialCold},  // near
      {20, 100'000'000, 10, 6, Reason::kInitialCold},
      {35, 100'000'000, 10, 8, Reason::kInitialCold},  // 6·sqrt(1.75)
      {100, 100'000'000, 10, 13, Reason::kInitialCold},
      {150, 100'000'000, 10, 16, Reason::kInitialCold},
      {2000, 100'000'000, 10, 16, Reason::kInitialCold},
      {2, 10'000'000, 10, 10, Reason::kInitialSmall},  // near and small likes a stream a layer
      {2, 10'000'000, 40, 10, Reason::kInitialSmall},
      {2, 10'000'000, 2, 6, Reason::kInitialSmall},
      {150, 1'000'000, 10, 4, Reason::kInitialSmall},  // 256 KB a stream at least
      {150, 1, 1, 1, Reason::kInitialSmall},
  };
  for (const Row& r : rows) {
    RampHoldTrim c(Limits{});
    const Decision d = c.initial(facts(r.rtt_ms, r.bytes, r.layers));
    EXPECT_EQ(d.streams, r.want) << r.rtt_ms << " ms, " << r.bytes << " bytes, " << r.layers << " layers";
    EXPECT_EQ(d.reason, r.reason) << r.rtt_ms << " ms, " << r.bytes << " bytes";
  }
}

TEST(RampHoldTrim, InitialKeepsTheLimit) {
  RampHoldTrim c(Limits{3});
  EXPECT_EQ(c.initial(facts(150, 100'000'000)).streams, 3U);
  RampHoldTrim none(Limits{0});
  EXPECT_EQ(none.initial(facts(150, 100'000'000)).streams, 1U);
}

TEST(RampHoldTrim, StartsWhereTheProfileEnded) {
  PathFacts f = facts(20, 100'000'000);
  PathProfile p;
  p.streams = 12;
  f.profile = p;
  RampHoldTrim c(Limits{});
  EXPECT_EQ(c.initial(f).streams, 12U);
  EXPECT_EQ(c.snapshot().last_reason, Reason::kInitialProfile);
  f.profile->confidence = 0.5;  // half way back to the cold start of 6
  EXPECT_EQ(c.initial(f).streams, 9U);
  f.profile->confidence = 0;
  EXPECT_EQ(c.initial(f).streams, 6U);
  f.profile->confidence = 1;
  f.profile->throttle_ceiling = 5;
  EXPECT_EQ(c.initial(f).streams, 5U);
  EXPECT_EQ(c.snapshot().limit, 5U);
}

TEST(RampHoldTrim, WithoutQueueDoublesToTheMost) {
  Drive d;
  d.start(facts(20, 10'000'000'000));
  d.run(milliseconds(400));
  ASSERT_GE(d.events.size(), 2U);
  EXPECT_EQ(d.events[0].reason, Reason::kRampDouble);
  EXPECT_EQ(d.events[0].streams, 12U);
  EXPECT_EQ(d.events[1].reason, Reason::kRampDouble);
  EXPECT_EQ(d.events[1].streams, 16U);
  EXPECT_TRUE(d.saw(Reason::kRampLimit));
  EXPECT_EQ(d.controller.streams(), 16U);
}

TEST(RampHoldTrim, AQueueThatAllShareEndsTheRampAfterOneProbe) {
  Drive d;
  d.goodput = [](unsigned) { return 1.17 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(60); };
  d.start(facts(20, 100'000'000));
  d.run(std::chrono::seconds(1));
  std::vector<Reason> reasons;
  for (const Decision& e : d.events) {
    if (e.reason != Reason::kHoldQueue) reasons.push_back(e.reason);
  }
  EXPECT_EQ(reasons, (std::vector{Reason::kRampSettle, Reason::kRampSettle, Reason::kRampProbe, Reason::kRampSettle,
                                  Reason::kRampQueueFlat}));
  EXPECT_EQ(d.controller.streams(), 6U);
  d.run(std::chrono::seconds(60));
  EXPECT_FALSE(d.saw(Reason::kTrialStart)) << "no loss: no trial";
  EXPECT_FALSE(d.saw(Reason::kRampEach));
  EXPECT_GE(d.count(Reason::kReprobe), 2U) << "the path may have changed";
  EXPECT_LE(d.count(Reason::kReprobe), 5U) << "rarer with every vain one";
}

TEST(RampHoldTrim, QueuesOfStreamsThatAreCappedEachDoNotStopIt) {
  // A pacer per connection delays what it holds back: each stream has a queue, the path has none.
  Drive d(32);
  d.goodput = [](unsigned n) { return std::min(24U, n) * 0.6 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(15); };
  d.start(facts(2, 10'000'000'000));
  d.run(std::chrono::seconds(3));
  EXPECT_TRUE(d.saw(Reason::kRampProbe));
  EXPECT_TRUE(d.saw(Reason::kRampEach));
  EXPECT_GE(d.controller.streams(), 18U);
  EXPECT_LE(d.controller.streams(), 32U);
}

TEST(RampHoldTrim, AboveSixteenOnlyWhatThePathHasShownToBringMore) {
  // Each connection capped: its own queue stands, and every stream brings its part.
  Drive capped(32);
  capped.goodput = [](unsigned n) { return n * 0.6 * kMB; };
  capped.rtt = [](unsigned) { return milliseconds(60); };
  capped.start(facts(20, 1'000'000'000));
  capped.run(std::chrono::seconds(5));
  EXPECT_EQ(capped.controller.streams(), 32U);
  EXPECT_EQ(capped.controller.learned(0).streams, 32U);

  // No queue at all is no reason to double at once: at sixteen it waits for a lasting sign.
  Drive wide(32);
  wide.start(facts(20, 10'000'000'000));
  wide.run(milliseconds(600));
  EXPECT_EQ(wide.controller.streams(), 16U);
  wide.run(std::chrono::seconds(5));
  EXPECT_EQ(wide.controller.streams(), 32U);

  // Full at sixteen: one step of a quarter finds out, and it goes back for good.
  Drive full(32);
  full.goodput = [](unsigned) { return 20 * kMB; };
  full.rtt = [](unsigned) { return milliseconds(220); };
  unsigned most = full.start(facts(150, 10'000'000'000)).streams;
  for (int i = 0; i < 3000; ++i) most = std::max(most, full.tick().streams);
  EXPECT_EQ(most, 20U);
  EXPECT_LE(full.controller.learned(0).streams, 16U);
}

TEST(RampHoldTrim, NearItsEndAPullIsNotAskedForMoreThanSixteen) {
  Drive d(32);
  d.goodput = [](unsigned n) { return n * 0.6 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(260); };
  d.start(facts(150, 45'000'000));  // under five hold epochs at sixteen
  d.run(std::chrono::seconds(5));
  EXPECT_EQ(d.controller.streams(), 16U);
}

TEST(RampHoldTrim, MoreThanSixteenAreRememberedAndStartedWith) {
  Drive d(32);
  PathFacts f = facts(20, 1'000'000'000);
  f.profile = PathProfile{};
  f.profile->streams = 32;
  f.profile->confidence = 1;
  EXPECT_EQ(d.start(f).streams, 32U);
}

TEST(RampHoldTrim, AProbeIsNotJudgedByStreamsThatDoNotDeliverYet) {
  // A busy machine: what a probe adds needs a quarter of a second to connect.
  Drive d(32);
  Duration grown{0};
  unsigned old = 6;
  d.delivering = [&](unsigned n) { return d.o.now - grown > milliseconds(250) ? n : old; };
  d.goodput = [&](unsigned n) { return d.delivering(n) * 0.6 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(20); };
  d.start(facts(2, 1'000'000'000));
  for (int i = 0; i < 250; ++i) {
    const Decision now = d.tick();
    if (!now.changed) continue;
    grown = d.o.now;
    old = now.streams > 9 ? 9 : 6;
  }
  EXPECT_FALSE(d.saw(Reason::kRampQueueFlat));
  EXPECT_EQ(d.controller.streams(), 32U);
}

TEST(RampHoldTrim, AProbeUnderWayIsNotLearned) {
  Drive d;
  d.goodput = [](unsigned) { return 1.17 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(60); };
  d.start(facts(20, 100'000'000));
  while (!d.saw(Reason::kRampProbe)) d.tick();
  EXPECT_EQ(d.controller.streams(), 9U);
  EXPECT_EQ(d.controller.learned(0).streams, 6U);
}

TEST(RampHoldTrim, AQueueThatDrainsEndsTheProbe) {
  Drive d;
  bool queue = true;
  d.rtt = [&](unsigned) { return queue ? milliseconds(60) : milliseconds(20); };
  d.start(facts(20, 10'000'000'000));
  while (!d.saw(Reason::kRampSettle)) d.tick();
  queue = false;
  d.run(milliseconds(300));
  EXPECT_TRUE(d.saw(Reason::kRampDouble));
  EXPECT_EQ(d.controller.streams(), 16U);
}

TEST(RampHoldTrim, SmallJitterIsNoQueue) {
  Drive d;
  d.rtt = [](unsigned) { return milliseconds(23); };  // below 4 ms
  d.start(facts(20, 10'000'000'000));
  d.run(milliseconds(400));
  EXPECT_EQ(d.controller.streams(), 16U);
}

TEST(RampHoldTrim, PerStreamCapIsReachedInLogEpochs) {
  Drive d(64);
  // 60 MB/s link, 2 MB/s a connection: 30 streams, and a queue from there on.
  d.goodput = [](unsigned n) { return std::min(60.0, 2.0 * n) * kMB; };
  d.rtt = [](unsigned n) { return n >= 30 ? milliseconds(40) : milliseconds(20); };
  d.start(facts(20, 10'000'000'000));
  d.run(std::chrono::seconds(4));
  EXPECT_GE(d.count(Reason::kRampDouble), 2U);               // 6 → 12 → 16
  EXPECT_TRUE(d.saw(Reason::kReramp));                       // → 20, which brings its part: → 40
  const unsigned settled = d.controller.learned(0).streams;  // A trial of fewer may be under way.
  EXPECT_GE(settled, 30U);
  EXPECT_LE(settled, 48U);
}

TEST(RampHoldTrim, AggregateCapWithoutQueueGoesBack) {
  Drive d(64);
  d.goodput = [](unsigned) { return 5 * kMB; };
  d.start(facts(20, 10'000'000'000));
  d.run(milliseconds(300));
  const auto flat =
      std::find_if(d.events.begin(), d.events.end(), [](auto& e) { return e.reason == Reason::kRampFlat; });
  ASSERT_NE(flat, d.events.end());
  EXPECT_EQ(flat->streams, 6U);
  // Then it trims without losing anything, and never ramps again.
  d.run(std::chrono::seconds(20));
  EXPECT_EQ(d.controller.streams(), 4U);
  EXPECT_TRUE(d.saw(Reason::kTrialKept));
  EXPECT_TRUE(d.saw(Reason::kHoldCapped));
  EXPECT_FALSE(d.saw(Reason::kReramp));
}

TEST(RampHoldTrim, AggregateCapIsForgottenWhenThePathChanges) {
  Drive d;
  double total = 5 * kMB;
  d.goodput = [&](unsigned) { return total; };
  d.start(facts(20, 10'000'000'000));
  d.run(std::chrono::seconds(1));
  ASSERT_TRUE(d.saw(Reason::kRampFlat));
  total = 1 * kMB;
  d.run(std::chrono::seconds(10));
  EXPECT_TRUE(d.saw(Reason::kPathChanged));
  EXPECT_TRUE(d.saw(Reason::kReramp));
}

TEST(RampHoldTrim, QueueWithFlatGoodputGoesBackOneDoubling) {
  Drive d;
  d.goodput = [](unsigned) { return 5 * kMB; };
  d.rtt = [](unsigned n) { return n > 6 ? milliseconds(40) : milliseconds(20); };
  d.start(facts(20, 10'000'000'000));
  d.run(milliseconds(300));
  ASSERT_GE(d.events.size(), 2U);
  EXPECT_EQ(d.events[0].reason, Reason::kRampDouble);
  EXPECT_EQ(d.events[1].reason, Reason::kRampQueueFlat);
  EXPECT_EQ(d.events[1].streams, 6U);
}

TEST(RampHoldTrim, TrimSucceedsOnALossyFullPath) {
  Drive d;
  d.goodput = [](unsigned) { return 1.1 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(60); };
  d.start(facts(20, 1'000'000'000, 10));
  for (int i = 0; i < 1000; ++i) {
    d.o.out_of_order += 8;  // of about 16 segments a tick
    d.tick();
  }
  EXPECT_TRUE(d.saw(Reason::kTrialStart));
  EXPECT_TRUE(d.saw(Reason::kTrialKept));
  EXPECT_FALSE(d.saw(Reason::kTrialReverted));
  EXPECT_EQ(d.controller.streams(), 4U) << "never below the floor";
}

TEST(RampHoldTrim, StreamsThatOnlyLengthenTheQueueAreGivenBack) {
  // 10 Mbps at 150 ms: it starts at the limit, where no probe can tell whose queue it is.
  Drive d;
  d.goodput = [](unsigned) { return 1.17 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(260); };
  EXPECT_EQ(d.start(facts(150, 500'000'000)).streams, 16U);
  d.run(std::chrono::seconds(60));
  EXPECT_EQ(d.controller.learned(0).streams, 6U) << "no lower without loss";
  EXPECT_FALSE(d.saw(Reason::kTrialReverted));
}

TEST(RampHoldTrim, AtTheLimitAConnectionsOwnQueueCostsATrialAndNoMore) {
  Drive d;
  d.goodput = [](unsigned n) { return n * 0.6 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(260); };
  EXPECT_EQ(d.start(facts(150, 2'000'000'000)).streams, 16U);
  const double seconds_run = 120;
  d.run(from_seconds(seconds_run));
  EXPECT_EQ(d.controller.learned(0).streams, 16U);
  EXPECT_TRUE(d.saw(Reason::kTrialReverted));
  EXPECT_GE(static_cast<double>(d.o.bytes), 0.98 * 16 * 0.6 * kMB * seconds_run);
}

/// Goodput as a receiver sees it in order: a hole holds bytes back, and hands them over a quarter of a second later.
class LateBytes {
 public:
  LateBytes(unsigned seed, double share) : random_(seed), held_(0, share) {}
  double operator()(double goodput, Time now) {
    const auto quarter = now / milliseconds(250);
    if (quarter != quarter_) {
      released_ = kept_;
      kept_ = held_(random_);
      quarter_ = quarter;
    }
    return goodput * (1 - kept_ + released_);
  }

 private:
  std::mt19937 random_;
  std::uniform_real_distribution<double> held_;
  double kept_ = 0, released_ = 0;
  std::int64_t quarter_ = -1;
};

TEST(RampHoldTrim, LuckyEpochsOnAFullPathDoNotMakeItCrowded) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Drive d(32);
    LateBytes late(seed, 0.4);
    d.goodput = [&](unsigned) { return late(1.17 * kMB, d.o.now); };
    d.rtt = [](unsigned) { return milliseconds(95); };
    PathFacts f = facts(35, 500'000'000);
    f.profile = PathProfile{};
    f.profile->streams = 14;
    EXPECT_EQ(d.start(f).streams, 14U);
    for (int i = 0; i < 6000; ++i) {  // two minutes
      d.o.out_of_order += 2;          // of about 17 segments a tick
      d.tick();
    }
    EXPECT_LE(d.controller.learned(0).streams, 7U) << "seed " << seed;
  }
}

TEST(RampHoldTrim, UnluckyEpochsDoNotHoldCappedConnectionsBack) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Drive d(32);
    LateBytes late(seed, 0.4);
    d.goodput = [&](unsigned n) { return late(n * 0.5 * kMB, d.o.now); };
    d.rtt = [](unsigned) { return milliseconds(95); };
    d.start(facts(35, 2'000'000'000));
    d.run(std::chrono::seconds(60));
    EXPECT_EQ(d.controller.learned(0).streams, 32U) << "seed " << seed;
  }
}

TEST(RampHoldTrim, AShortPullIsNotAskedWhoseQueueItIsAtTheLimit) {
  Drive d;
  d.goodput = [](unsigned) { return 1.17 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(260); };
  d.start(facts(150, 40'000'000));  // 34 s: 38 hold epochs
  d.run(std::chrono::seconds(34));
  EXPECT_FALSE(d.saw(Reason::kTrialStart));
}

TEST(RampHoldTrim, FailedTrimGoesBackAndWidensTheGap) {
  Drive d;
  d.goodput = [](unsigned n) { return std::min(6U, n) * kMB; };
  d.rtt = [](unsigned) { return milliseconds(60); };
  d.start(facts(20, 100'000'000'000));
  std::vector<double> starts;
  for (int i = 0; i < 3000; ++i) {
    d.o.out_of_order += 1000;
    if (d.tick().reason == Reason::kTrialStart) starts.push_back(seconds(d.o.now));
  }
  EXPECT_TRUE(d.saw(Reason::kTrialReverted));
  EXPECT_FALSE(d.saw(Reason::kTrialKept));
  EXPECT_EQ(d.controller.streams(), 6U);
  ASSERT_GE(starts.size(), 3U);
  const double first = starts[1] - starts[0];
  const double second = starts[2] - starts[1];
  EXPECT_GT(second, 2 * first);
  if (starts.size() > 4) {
    EXPECT_LE(starts[4] - starts[3], 34 * 0.28) << "the gap has an end";
  }
}

TEST(RampHoldTrim, ARememberedCeilingRisesToo) {
  Drive d;
  PathFacts f = facts(20, 10'000'000'000);
  f.profile = PathProfile{};
  f.profile->streams = 2;
  f.profile->throttle_ceiling = 2;
  EXPECT_EQ(d.start(f).streams, 2U);
  d.run(milliseconds(2500));
  EXPECT_EQ(d.controller.streams(), 2U);
  d.run(std::chrono::seconds(10));
  EXPECT_TRUE(d.saw(Reason::kCeilingRaised));
  EXPECT_GE(d.controller.streams(), 4U);
  EXPECT_EQ(d.controller.learned(7).throttle_ceiling, d.controller.streams()) << "and is remembered so";
}

TEST(RampHoldTrim, NoTrialThatThePullIsTooShortToPayFor) {
  Drive d;
  d.goodput = [](unsigned) { return 10 * kMB; };
  d.rtt = [](unsigned) { return milliseconds(300); };
  d.start(facts(150, 100'000'000));  // 10 s: eleven hold epochs
  for (int i = 0; i < 490; ++i) {
    d.o.out_of_order += 1000;
    d.tick();
  }
  EXPECT_TRUE(d.saw(Reason::kHoldQueue));
  EXPECT_FALSE(d.saw(Reason::kTrialStart));
}

TEST(RampHoldTrim, ThrottlingCutsOncePerCoolDown) {
  Drive d;
  d.delivering = nullptr;
  d.start(facts(20, 100'000'000'000));
  d.run(milliseconds(500));
  ASSERT_EQ(d.controller.streams(), 16U);
  d.o.throttled = 3;
  Decision cut = d.tick();
  EXPECT_EQ(cut.reason, Reason::kThrottled);
  EXPECT_EQ(cut.streams, 11U);
  EXPECT_TRUE(cut.changed);
  d.o.throttled = 7;
  cut = d.tick();
  EXPECT_EQ(cut.reason, Reason::kThrottleCooldown);
  EXPECT_EQ(cut.streams, 11U);
  d.run(milliseconds(2500));
  EXPECT_EQ(d.controller.streams(), 11U) << "the ceiling stays until it has been quiet for long enough";
  d.o.throttled = 8;
  EXPECT_EQ(d.tick().streams, 7U);
  EXPECT_EQ(d.controller.snapshot().throttle_ceiling, 7U);
}

TEST(RampHoldTrim, WhatTheHostServesAtThatMomentIsNotCut) {
  Drive d;
  d.delivering = nullptr;
  d.start(facts(35, 100'000'000'000));
  ASSERT_EQ(d.controller.streams(), 8U);
  d.o.throttled = 2;
  d.o.active = 6;
  d.o.delivering = 6;
  EXPECT_EQ(d.tick().streams, 6U) << "two of eight were refused";
}

TEST(RampHoldTrim, ABurstOfRefusalsEndsAtWhatWasServed) {
  Drive d;
  d.delivering = nullptr;
  d.start(facts(150, 100'000'000'000));
  ASSERT_EQ(d.controller.streams(), 16U);
  d.o.throttled = 3;  // the first answers: most are still out
  d.o.active = 13;
  d.o.delivering = 2;
  EXPECT_EQ(d.tick().streams, 11U);
  d.o.throttled = 10;
  d.o.active = 6;
  d.o.delivering = 6;
  const Decision rest = d.tick();
  EXPECT_EQ(rest.reason, Reason::kThrottleCooldown);
  EXPECT_EQ(rest.streams, 7U) << "0.7 of the eleven, or the six that are served";
  d.o.throttled = 11;
  EXPECT_EQ(d.tick().streams, 6U);
}

TEST(RampHoldTrim, AfterASilentWhileTheCeilingIsTriedAgainEverMoreRarely) {
  Drive d;
  d.start(facts(20, 100'000'000'000));
  d.run(milliseconds(500));
  d.o.active = d.o.delivering = 16;
  d.delivering = nullptr;
  const auto refuse = [&](unsigned served) {
    ++d.o.throttled;
    d.o.active = d.o.delivering = served;
    d.tick();
  };
  refuse(11);
  ASSERT_EQ(d.controller.streams(), 11U);
  d.run(milliseconds(2500));
  EXPECT_EQ(d.controller.streams(), 11U);
  d.run(std::chrono::seconds(1));
  EXPECT_EQ(d.controller.streams(), 12U);
  EXPECT_TRUE(d.saw(Reason::kCeilingRaised));
  refuse(11);
  EXPECT_EQ(d.controller.streams(), 11U);
  d.run(milliseconds(5500));
  EXPECT_EQ(d.controller.streams(), 11U) << "twice as long";
  d.run(std::chrono::seconds(1));
  EXPECT_EQ(d.controller.streams(), 12U);
  d.run(std::chrono::minutes(3));
  EXPECT_EQ(d.controller.streams(), 16U) << "nothing was refused: on to the limit";
}

TEST(RampHoldTrim, RetryAfterLengthensTheCoolDown) {
  Drive d;
  d.start(facts(20, 100'000'000'000));
  d.run(milliseconds(500));
  d.o.throttled = 1;
  d.o.retry_after = std::chrono::seconds(10);
  d.tick();
  d.run(std::chrono::seconds(9));
  d.o.throttled = 2;
  EXPECT_EQ(d.tick().reason, Reason::kThrottleCooldown);
  d.run(std::chrono::seconds(2));
  d.o.throttled = 3;
  EXPECT_EQ(d.tick().reason, Reason::kThrottled);
}

TEST(RampHoldTrim, ThrottlingNeverGoesBelowOne) {
  Drive d;
  d.start(facts(20, 100'000'000'000));
  for (int i = 0; i < 30; ++i) {
    ++d.o.throttled;
    d.run(std::chrono::seconds(2));
  }
  EXPECT_EQ(d.controller.streams(), 1U);
}

TEST(RampHoldTrim, LateNeverGrows) {
  Drive d;
  d.goodput = [](unsigned n) { return n * 100 * kMB; };
  d.start(facts(20, 100'000'000));
  d.run(milliseconds(400));
  EXPECT_TRUE(d.saw(Reason::kRampLate));
  EXPECT_EQ(d.controller.streams(), 6U);
}

TEST(RampHoldTrim, TheTailIsNotItsBusiness) {
  Drive d;
  d.start(facts(20, 100'000'000));
  d.o.tail = true;
  d.run(std::chrono::seconds(2));
  EXPECT_TRUE(d.saw(Reason::kTail));
  EXPECT_EQ(d.controller.streams(), 6U);
}

TEST(RampHoldTrim, WithoutAnyRttTheGainRuleStopsGrowth) {
  Drive d(64);
  d.goodput = [](unsigned) { return 5 * kMB; };
  d.rtt = [](unsigned) { return Duration{0}; };
  d.start(facts(0, 10'000'000'000));
  d.run(std::chrono::seconds(3));
  EXPECT_TRUE(d.saw(Reason::kRampFlat));
  EXPECT_LE(d.controller.streams(), 6U);
}

TEST(RampHoldTrim, ReRampsWhenTheQueueGoes) {
  // The path widens in mid-pull: the queue vanishes, more streams help again.
  Drive d;
  double link = 6;
  d.goodput = [&](unsigned n) { return std::min(link, 1.0 * n) * kMB; };
  d.rtt = [&](unsigned n) { return n >= link ? milliseconds(50) : milliseconds(20); };
  d.start(facts(20, 10'000'000'000));
  d.run(std::chrono::seconds(3));
  ASSERT_EQ(d.controller.streams(), 6U);
  link = 14;
  d.run(std::chrono::seconds(3));
  EXPECT_TRUE(d.saw(Reason::kReramp));
  EXPECT_GE(d.controller.streams(), 14U);
  // And when each stream gets slower without a queue, more of them are tried up to the limit.
  d.goodput = [](unsigned n) { return 0.2 * n * kMB; };
  d.rtt = [](unsigned) { return milliseconds(20); };
  d.run(std::chrono::seconds(3));
  EXPECT_EQ(d.controller.streams(), 16U);
}

TEST(RampHoldTrim, LongerRttInMidPullIsProbedAndShorterIsTakenAtOnce) {
  Drive d;
  Duration now = milliseconds(40);
  bool longer_path_pays = false;
  d.goodput = [&](unsigned n) { return (longer_path_pays ? n : std::min(8U, n)) * kMB; };
  d.rtt = [&](unsigned) { return now; };
  d.start(facts(40, 10'000'000'000));
  d.tick();
  now = milliseconds(90);  // another route, or a queue
  d.run(std::chrono::seconds(2));
  EXPECT_EQ(d.controller.streams(), 8U) << "more streams brought nothing";
  longer_path_pays = true;
  d.run(std::chrono::seconds(60));
  EXPECT_TRUE(d.saw(Reason::kReprobe));
  EXPECT_EQ(d.controller.streams(), 16U);
  now = milliseconds(10);
  d.run(milliseconds(100));
  EXPECT_EQ(d.controller.snapshot().rtt_min, Duration(milliseconds(10)));
}

TEST(RampHoldTrim, NothingHappensUntilBytesCome) {
  Drive d;
  d.goodput = [](unsigned) { return 0.0; };
  d.start(facts(20, 100'000'000));
  d.run(std::chrono::seconds(20));
  EXPECT_EQ(d.controller.streams(), 6U);
  EXPECT_TRUE(d.events.empty());
}

TEST(RampHoldTrim, AStallIsNoReasonToGrow) {
  Drive d;
  d.start(facts(20, 10'000'000'000));
  d.tick();
  d.tick();
  d.goodput = [](unsigned) { return 0.0; };
  d.run(std::chrono::seconds(20));
  EXPECT_LE(d.controller.streams(), 12U);
}

TEST(RampHoldTrim, SecondPullOnTheSameControllerMeasuresAnew) {
  Drive d;
  d.start(facts(20, 10'000'000'000));
  d.run(std::chrono::seconds(1));
  ASSERT_EQ(d.controller.streams(), 16U);
  d.o.now += minutes(10);  // idle; the counters go on
  EXPECT_EQ(d.start(facts(20, 10'000'000'000)).streams, 6U);
  EXPECT_EQ(d.tick().reason, Reason::kEpochOpen) << "the idle time is no epoch";
}

TEST(RampHoldTrim, LearnsOnlyWhatItMeasured) {
  Drive d;
  d.start(facts(20, 10'000'000'000));
  EXPECT_EQ(d.controller.learned(1000).streams, 0U);
  d.run(std::chrono::seconds(2));
  const PathProfile p = d.controller.learned(1000);
  EXPECT_EQ(p.streams, 16U);
  EXPECT_NEAR(p.goodput, 16 * kMB, kMB);
  EXPECT_NEAR(p.stream_rate, 1 * kMB, 0.1 * kMB);
  EXPECT_EQ(p.rtt_min, Duration(milliseconds(20)));
  EXPECT_EQ(p.observed_at, 1000);
  EXPECT_EQ(p.throttle_ceiling, 0U);

  Drive tiny;  // 2 streams because of its size: says nothing about the path
  tiny.start(facts(20, 500'000));
  tiny.run(milliseconds(200));
  EXPECT_EQ(tiny.controller.learned(1000).streams, 0U);
}

TEST(RampHoldTrim, SameObservationsSameDecisions) {
  auto trace = [] {
    std::mt19937 random(7);
    Drive d;
    d.goodput = [&](unsigned n) { return n * kMB * (0.5 + static_cast<double>(random() % 1000) / 1000.0); };
    d.rtt = [&](unsigned) { return milliseconds(20 + random() % 30); };
    d.start(facts(20, 10'000'000'000));
    d.run(std::chrono::seconds(20));
    std::vector<unsigned> ns;
    for (const Decision& e : d.events) ns.push_back(e.streams);
    return ns;
  };
  EXPECT_EQ(trace(), trace());
}

TEST(RampHoldTrim, StaysWithinBoundsUnderAnyObservations) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    auto pick = [&](std::uint64_t below) { return random() % below; };
    const unsigned most = 1 + static_cast<unsigned>(pick(40));
    RampHoldTrim c(Limits{most});
    Observation o;
    c.tick(o);  // before initial(): harmless
    for (int i = 0; i < 2000; ++i) {
      if (pick(200) == 0) {
        PathFacts f = facts(static_cast<int>(pick(3000)), random() >> pick(64), static_cast<unsigned>(pick(2000)));
        if (pick(2) == 0) {
          PathProfile p;
          p.streams = static_cast<unsigned>(random());
          p.throttle_ceiling = pick(2) == 0 ? static_cast<unsigned>(random()) : 0;
          p.confidence = static_cast<double>(pick(100)) / 50;
          f.profile = p;
        }
        c.initial(f);
      }
      o.now += milliseconds(pick(400));
      if (pick(50) == 0) o.now -= Duration(random() >> (2 + pick(40)));  // the clock jumps
      if (pick(50) == 0) o.now += hours(pick(1000));
      o.now = std::clamp<Time>(o.now, -hours(24 * 365 * 50), hours(24 * 365 * 50));
      if (pick(2) == 0) o.bytes += random() >> (20 + pick(40));
      if (pick(100) == 0) o.bytes = 0;  // counters start over
      if (pick(100) == 0) o.segments = o.out_of_order = 0;
      o.segments += pick(10000);
      o.out_of_order += pick(1000);
      o.throttled = pick(300) == 0 ? o.throttled + pick(5) : (pick(300) == 0 ? 0 : o.throttled);
      o.retry_after = Duration(static_cast<Duration::rep>(random() >> pick(64)));
      o.rtt_base = Duration(static_cast<Duration::rep>(random() >> (30 + pick(30))));
      o.rtt_now = pick(4) == 0 ? Duration{0} : Duration(static_cast<Duration::rep>(random() >> pick(60)));
      o.first_byte = milliseconds(pick(1000));
      o.remaining = random() >> pick(64);
      o.tail = pick(10) == 0;
      const unsigned before = c.streams();
      const Decision d = c.tick(o);
      ASSERT_GE(d.streams, 1U);
      ASSERT_LE(d.streams, most);
      ASSERT_EQ(d.streams, c.streams());
      ASSERT_EQ(d.changed, before != d.streams);
      ASSERT_NE(reason_name(d.reason), "unknown");
    }
  }
}

TEST(RampHoldTrim, IsNeverStuckAtOneWhereMoreHelps) {
  // Every path where goodput grows with n and no queue stands: from one stream (a tiny profile) to near the limit.
  for (int rtt_ms : {1, 20, 80, 200}) {
    for (double noise : {0.0, 0.2}) {
      std::mt19937 random(rtt_ms);
      Drive d;
      d.goodput = [&](unsigned n) {
        return n * kMB * (1 - noise / 2 + noise * static_cast<double>(random() % 1000) / 1000.0);
      };
      d.rtt = [&](unsigned) { return milliseconds(rtt_ms); };
      PathFacts f = facts(rtt_ms, 100'000'000'000);
      f.profile = PathProfile{};
      f.profile->streams = 1;
      EXPECT_EQ(d.start(f).streams, 1U);
      d.run(std::chrono::seconds(40));
      EXPECT_EQ(d.controller.streams(), 16U) << rtt_ms << " ms, noise " << noise;
    }
  }
}

TEST(Reason, NamesAreUniqueSnakeCase) {
  std::vector<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Reason::kFixed); ++i) names.push_back(reason_name(static_cast<Reason>(i)));
  for (const std::string_view name : names) {
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << name;
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  }
}

}  // namespace
}  // namespace paceline::adaptive
