#include "adaptive/range_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace paceline::adaptive {
namespace {

using std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

constexpr std::uint64_t kKB = 1000;
constexpr std::uint64_t kMB = 1000 * kKB;

StreamHint hint(unsigned streams, double rate = 0, int rtt_ms = 40, int ttfb_ms = 10) {
  return {rate, streams, milliseconds(rtt_ms), milliseconds(ttfb_ms)};
}

TEST(RangePlanner, EmptyHasNothing) {
  RangePlanner p;
  EXPECT_FALSE(p.next(hint(6)));
  EXPECT_FALSE(p.steal(Seconds(0), hint(6)));
  EXPECT_TRUE(p.tail());
  EXPECT_EQ(p.remaining(), 0U);
  EXPECT_TRUE(p.add(1, 0));
  EXPECT_FALSE(p.next(hint(6))) << "an empty layer is complete";
  EXPECT_TRUE(p.layer_complete(1));
  EXPECT_FALSE(p.layer_complete(2));
}

TEST(RangePlanner, RefusesAKnownIdAndAbsurdSizes) {
  RangePlanner p;
  EXPECT_TRUE(p.add(1, 10));
  EXPECT_FALSE(p.add(1, 10));
  EXPECT_FALSE(p.add(2, UINT64_MAX));
  EXPECT_EQ(p.total(), 10U);
}

TEST(RangePlanner, HandsOutInManifestOrder) {
  RangePlanner p;
  p.add(30, 500 * kKB);
  p.add(10, 200 * kKB);
  p.add(20, 1);
  std::vector<LayerId> order;
  while (auto r = p.next(hint(2))) {
    if (order.empty() || order.back() != r->layer) order.push_back(r->layer);
  }
  EXPECT_EQ(order, (std::vector<LayerId>{30, 10, 20}));
}

TEST(RangePlanner, ChunkFollowsWhatRemains) {
  RangePlanner p;
  p.add(1, 180 * kMB);
  EXPECT_EQ(p.next(hint(6))->size(), 20 * kMB);         // 180 / (1.5·6)
  EXPECT_NEAR(p.next(hint(6))->size(), 17.7e6, 0.1e6);  // of 160
  EXPECT_EQ(p.next(hint(1, 1e9))->size(), 32 * kMB);    // the most
  EXPECT_EQ(p.next(hint(6, 1e6))->size(), 3 * kMB);     // three seconds of a slow stream
  EXPECT_EQ(p.next(hint(6, 1e3))->size(), RangePlanner::kMinRange);
}

TEST(RangePlanner, APullOfFewDelaysStartsWithOneEqualPartForEachStream) {
  StreamHint fast = hint(16, 0, 150, 5);
  fast.path_rate = 117e6;  // 100 MB: 0.85 s, under six delays
  RangePlanner p;
  p.add(1, 100 * kMB);
  std::vector<std::uint64_t> sizes;
  while (auto r = p.next(fast)) sizes.push_back(r->size());
  ASSERT_EQ(sizes.size(), 16U);
  EXPECT_LE(*std::ranges::max_element(sizes) - *std::ranges::min_element(sizes), 16U);

  // What lasts longer, or nobody can tell, leaves something to even out with.
  for (const double rate : {10e6, 0.0}) {
    RangePlanner longer;
    longer.add(1, 100 * kMB);
    StreamHint usual = fast;
    usual.path_rate = rate;
    EXPECT_NEAR(longer.next(usual)->size(), 100e6 / 24, 1) << rate;
  }

  // A layer's end bounds a part; what its streams leave is handed out in the usual pieces.
  RangePlanner layers;
  for (LayerId id = 1; id <= 10; ++id) layers.add(id, 10 * kMB);
  for (int i = 0; i < 16; ++i) EXPECT_LE(layers.next(fast)->size(), 6'250'001U);
  EXPECT_GT(layers.unassigned(), 0U);
  EXPECT_LE(layers.next(fast)->size(), 4 * kMB);
}

TEST(RangePlanner, ChunkKeepsBubblesSmallNearTheEnd) {
  RangePlanner p;
  p.add(1, 4 * kMB);
  EXPECT_EQ(p.next(hint(16, 5e6))->size(), 2 * kMB);  // 8 · 5 MB/s · 50 ms, not 4 MB / 24
  RangePlanner fast;
  fast.add(1, 40 * kMB);
  EXPECT_EQ(fast.next(hint(16, 1e8))->size(), 4 * kMB);  // the usual least for fast streams
  RangePlanner cold;
  cold.add(1, 4 * kMB);
  EXPECT_EQ(cold.next(hint(16))->size(), 166'666U);  // nothing known of the rate: an equal share
}

TEST(RangePlanner, NeverLeavesACrumb) {
  for (std::uint64_t size = 1; size < 3 * kMB; size += 77'777) {
    RangePlanner p;
    p.add(1, size);
    while (auto r = p.next(hint(16))) {
      EXPECT_TRUE(r->size() >= RangePlanner::kMinRange || size < RangePlanner::kMinRange) << size;
    }
    EXPECT_EQ(p.unassigned(), 0U);
  }
}

TEST(RangePlanner, SkipsWhatIsPresent) {
  RangePlanner p;
  p.add(1, 1000, {{900, 5000}, {0, 100}, {50, 200}, {300, 300}, {500, 400}, {600, 700}});
  EXPECT_EQ(p.remaining(), 600U);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> got;
  while (auto r = p.next(hint(1))) got.emplace_back(r->first, r->last);
  EXPECT_EQ(got, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{200, 600}, {700, 900}}));
}

TEST(RangePlanner, FailureReturnsTheRemainder) {
  RangePlanner p;
  p.add(1, 100 * kKB);
  const Range r = *p.next(hint(1));
  EXPECT_EQ(p.progress(r.id, 30 * kKB, Seconds(1)), 30 * kKB);
  EXPECT_EQ(p.remaining(), 70 * kKB);
  EXPECT_EQ(p.failed(r.id), 70 * kKB);
  EXPECT_EQ(p.failed(r.id), 0U) << "only once";
  const Range again = *p.next(hint(1));
  EXPECT_EQ(again.first, 30 * kKB);
  EXPECT_EQ(again.last, 100 * kKB);
  EXPECT_NE(again.id, r.id);
  EXPECT_EQ(p.progress(r.id, 10, Seconds(2)), 0U) << "a closed range wants nothing";
  EXPECT_EQ(p.wasted(), 10U);
}

TEST(RangePlanner, DoneThatCameShortReturnsTheRest) {
  RangePlanner p;
  p.add(1, 1000);
  const Range r = *p.next(hint(1));
  p.progress(r.id, 600, Seconds(1));
  p.done(r.id);
  EXPECT_FALSE(p.layer_complete(1));
  EXPECT_EQ(p.next(hint(1))->first, 600U);
}

TEST(RangePlanner, MoreThanAskedIsWaste) {
  RangePlanner p;
  p.add(1, 1000);
  const Range r = *p.next(hint(1));
  EXPECT_EQ(p.progress(r.id, 1500, Seconds(1)), 1000U);
  EXPECT_EQ(p.wasted(), 500U);
  EXPECT_TRUE(p.layer_complete(1));
}

TEST(RangePlanner, RemoveForgetsEverythingOfTheLayer) {
  RangePlanner p;
  p.add(1, 10 * kMB);
  p.add(2, 500);
  const Range r = *p.next(hint(4));
  p.remove(1);
  p.remove(1);
  EXPECT_EQ(p.remaining(), 500U);
  EXPECT_EQ(p.progress(r.id, 100, Seconds(1)), 0U);
  EXPECT_EQ(p.failed(r.id), 0U);
  EXPECT_EQ(p.next(hint(4))->layer, 2U);
  EXPECT_TRUE(p.add(1, 77)) << "and may come back";
}

TEST(RangePlanner, SingleStreamLayerIsOneRangeAtATime) {
  RangePlanner p;
  p.add(1, 100 * kMB, {{0, 5 * kMB}, {50 * kMB, 60 * kMB}});
  p.add(2, 10 * kMB);
  p.set_single_stream(1);
  EXPECT_EQ(p.layer_remaining(1), 95 * kMB) << "what lies behind the first gap comes again";
  EXPECT_EQ(p.wasted(), 10 * kMB);
  const Range r = *p.next(hint(8));
  EXPECT_EQ(r.first, 5 * kMB);
  EXPECT_EQ(r.last, 100 * kMB);
  EXPECT_EQ(p.next(hint(8))->layer, 2U) << "nothing beside it in its layer";
  p.progress(r.id, 20 * kMB, Seconds(1));
  p.failed(r.id);
  const Range again = *p.next(hint(8));
  EXPECT_EQ(again.layer, 1U);
  EXPECT_EQ(again.first, 25 * kMB);
  EXPECT_EQ(again.last, 100 * kMB);
}

TEST(RangePlanner, SingleStreamWaitsForRunningRanges) {
  RangePlanner p;
  p.add(1, 100 * kMB);
  const Range a = *p.next(hint(4));
  const Range b = *p.next(hint(4));
  p.set_single_stream(1);
  EXPECT_FALSE(p.next(hint(4)));
  p.progress(b.id, b.size(), Seconds(1));
  p.done(b.id);
  EXPECT_FALSE(p.next(hint(4)));
  p.failed(a.id);
  const Range whole = *p.next(hint(4));
  EXPECT_EQ(whole.first, 0U);
  EXPECT_EQ(whole.last, 100 * kMB);
}

/// Lets a range run at a steady rate from `from` for `length`, or to its end.
void feed(RangePlanner& p, RangeId id, double rate, Time from, Duration length) {
  for (Duration t{0}; t <= length; t += milliseconds(50)) {
    const std::uint64_t left = p.running(id)->size();
    p.progress(id, std::min(left, static_cast<std::uint64_t>(rate * 0.05)), from + t);
  }
}

/// Fetches all that can be handed out, at once.
void finish_pool(RangePlanner& p, const StreamHint& h, Time now) {
  while (const auto r = p.next(h)) {
    p.progress(r->id, r->size(), now);
    p.done(r->id);
  }
}

TEST(RangePlanner, StealsHalfOfTheSlowestRange) {
  RangePlanner p;
  p.add(1, 20 * kMB);
  const Range a = *p.next(hint(1, 0));  // 13.3 MB
  const Range b = *p.next(hint(1, 0));
  EXPECT_FALSE(p.steal(Seconds(0), hint(3))) << "not before the pool is empty";
  finish_pool(p, hint(1), Seconds(0));
  feed(p, a.id, 1e6, Seconds(0), Seconds(1));
  feed(p, b.id, 1e6, Seconds(0), Seconds(1));
  const std::uint64_t position = p.running(a.id)->first;
  const auto s = p.steal(Seconds(1), hint(3, 1e6));
  ASSERT_TRUE(s);
  EXPECT_EQ(s->victim, a.id);
  EXPECT_FALSE(s->abandon_victim);
  EXPECT_EQ(s->range.first, s->split);
  EXPECT_EQ(s->range.last, a.last);
  EXPECT_NEAR(static_cast<double>(s->split - position), static_cast<double>(a.last - position) / 2, 30e3);
  EXPECT_EQ(p.running(a.id)->last, s->split);
  // The victim's bytes beyond the split are not wanted.
  EXPECT_EQ(p.progress(a.id, 100 * kMB, Seconds(2)), s->split - position);
}

TEST(RangePlanner, AFasterThiefTakesMore) {
  RangePlanner p;
  p.add(1, 20 * kMB);
  const Range a = *p.next(hint(1));
  const Range b = *p.next(hint(1));
  feed(p, a.id, 2e5, Seconds(0), Seconds(1));
  feed(p, b.id, 1e7, Seconds(0), milliseconds(600));
  p.done(b.id);
  finish_pool(p, hint(1, 1e7), Seconds(1));
  const std::uint64_t rest = p.remaining();
  const auto s = p.steal(Seconds(1), hint(2, 1.8e6));
  ASSERT_TRUE(s);
  EXPECT_GT(s->range.size(), rest * 8 / 10);
  EXPECT_LT(s->range.size(), rest);
}

TEST(RangePlanner, DoesNotStealWhatEndsSoonOrStillAccelerates) {
  RangePlanner p;
  p.add(1, 1 * kMB);
  const Range a = *p.next(hint(1));
  const Range b = *p.next(hint(1));
  feed(p, a.id, 2e6, Seconds(0), milliseconds(200));
  feed(p, b.id, 2e6, Seconds(0), milliseconds(50));
  EXPECT_FALSE(p.steal(milliseconds(200), hint(2, 2e6))) << "ends within 6·(RTT + first byte)";

  RangePlanner q;
  q.add(1, 40 * kMB);
  const Range r = *q.next(hint(1, 0));
  while (q.next(hint(1))) {
  }
  double rate = 1e5;
  Time now{0};
  for (int i = 0; i < 20; ++i) {
    now += milliseconds(50);
    rate *= 1.3;
    q.progress(r.id, static_cast<std::uint64_t>(rate * 0.05), now);
  }
  EXPECT_FALSE(q.steal(now, hint(2, 1e6))) << "in slow start";
}

TEST(RangePlanner, TakesAllOfAStalledRange) {
  RangePlanner p;
  p.add(1, 3 * kMB);
  const Range a = *p.next(hint(1));
  const Range b = *p.next(hint(1));
  feed(p, a.id, 1e5, Seconds(0), Seconds(1));
  p.progress(b.id, b.size(), Seconds(1));
  p.done(b.id);
  finish_pool(p, hint(1), Seconds(1));
  EXPECT_FALSE(p.steal(milliseconds(1100), hint(2, 1e6, 2000, 2000))) << "patient on a slow path";
  const std::uint64_t position = p.running(a.id)->first;
  const auto s = p.steal(Seconds(4), hint(2, 1e6));
  ASSERT_TRUE(s);
  EXPECT_TRUE(s->abandon_victim);
  EXPECT_EQ(s->victim, a.id);
  EXPECT_EQ(s->range.first, position);
  EXPECT_EQ(s->range.last, a.last);
  EXPECT_FALSE(p.running(a.id));
  EXPECT_EQ(p.wasted(), 0U);
  // The thief stalls as well: each time more patience, not a storm of connections.
  int taken = 0;
  for (int ms = 4000; ms < 64000; ms += 100) taken += p.steal(milliseconds(ms), hint(2, 1e6)) ? 1 : 0;
  EXPECT_GE(taken, 2);
  EXPECT_LE(taken, 5);
}

TEST(RangePlanner, AHeldRangeIsNeitherSlowNorStalled) {
  RangePlanner p;
  p.add(1, 3 * kMB);
  const Range a = *p.next(hint(1));
  feed(p, a.id, 1e5, Seconds(0), Seconds(1));
  finish_pool(p, hint(1), Seconds(1));
  p.hold(a.id);
  EXPECT_FALSE(p.steal(Seconds(60), hint(2, 1e6)));
  p.release(a.id, Seconds(60));
  EXPECT_FALSE(p.steal(milliseconds(60'100), hint(2, 1e6))) << "the rate of before is forgotten";
  EXPECT_FALSE(p.steal(Seconds(61), hint(2, 1e6, 2000, 2000))) << "its patience starts anew";
  EXPECT_TRUE(p.steal(Seconds(120), hint(2, 1e6))) << "and ends";
  p.hold(a.id);  // Closed by now: ignored.
  p.release(a.id, Seconds(120));
}

TEST(RangePlanner, ARangeThatNeverStartedIsRescuedToo) {
  RangePlanner p;
  p.add(1, 50 * kKB);
  const Range a = *p.next(hint(1));
  EXPECT_FALSE(p.steal(Seconds(10), hint(2)));
  EXPECT_FALSE(p.steal(Seconds(11), hint(2)));
  const auto s = p.steal(Seconds(12), hint(2));
  ASSERT_TRUE(s);
  EXPECT_EQ(s->victim, a.id);
  EXPECT_EQ(s->range.size(), 50 * kKB);
}

TEST(RangePlanner, PaceIsOfTheRangesThatHaveSettled) {
  RangePlanner p;
  p.add(1, 100 * kMB);
  const auto slow = p.next(hint(4));
  const auto fast = p.next(hint(4));
  const auto held = p.next(hint(4));
  EXPECT_EQ(p.pace(Seconds(0)).ranges, 0U);
  for (int i = 0; i <= 20; ++i) {
    p.progress(slow->id, 100 * kKB, milliseconds(100 * i));
    p.progress(fast->id, 300 * kKB, milliseconds(100 * i));
    p.progress(held->id, 900 * kKB, milliseconds(100 * i));
  }
  p.hold(held->id);
  const Pace pace = p.pace(Seconds(2));
  EXPECT_EQ(pace.ranges, 2U);
  EXPECT_NEAR(pace.mean, 2e6, 1);
  EXPECT_NEAR(pace.deviation, 1e6, 1);
}

TEST(RangePlanner, TheLastBytesDoNotWaitForACrawlingStream) {
  RangePlanner p;
  p.add(1, 20 * kMB);
  const Range a = *p.next(hint(1, 2e4));  // 128 KB for a very slow stream
  finish_pool(p, hint(4, 1e7), Seconds(1));
  feed(p, a.id, 1e4, Seconds(0), Seconds(2));
  const auto s = p.steal(Seconds(2), hint(4, 1e7));
  ASSERT_TRUE(s) << "100 KB at 10 KB/s would take 10 s";
  EXPECT_TRUE(s->abandon_victim);
}

/// A whole pull over streams of random rates that fail, stall and are stolen from: every byte is accepted exactly once.
TEST(RangePlanner, EveryByteExactlyOnce) {
  std::uint64_t all_steals = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](std::uint64_t below) { return random() % below; };
    RangePlanner p;
    std::map<LayerId, std::vector<std::pair<std::uint64_t, std::uint64_t>>> got;
    std::map<LayerId, std::uint64_t> sizes;
    const unsigned layers = 1 + static_cast<unsigned>(pick(12));
    for (LayerId l = 0; l < layers; ++l) {
      sizes[l] = pick(4) == 0 ? pick(1000) : pick(6 * kMB);
      std::vector<Interval> present;
      if (pick(3) == 0 && sizes[l] > 10) {
        const std::uint64_t first = pick(sizes[l]);
        present.push_back({first, first + pick(sizes[l])});
        got[l].emplace_back(first, std::min(sizes[l], present[0].last));
        if (got[l].back().first == got[l].back().second) got[l].pop_back();
      }
      ASSERT_TRUE(p.add(l, sizes[l], present));
    }
    const unsigned n = 1 + static_cast<unsigned>(pick(12));
    struct Stream {
      std::optional<RangeId> id;
      double rate = 0;
      bool dead = false;
      bool stolen_from = false;  // only then more arrives than is wanted
    };
    std::vector<Stream> streams(n);
    for (Stream& s : streams) s.rate = 1e4 + static_cast<double>(pick(3000)) * 1e3;
    std::uint64_t steals = 0;
    Time now{0};
    for (int step = 0; p.remaining() > 0 && step < 200'000; ++step) {
      now += milliseconds(20);
      for (Stream& s : streams) {
        if (!s.id) {
          const StreamHint h = hint(n, pick(2) == 0 ? s.rate : 0);
          if (const auto r = p.next(h)) {
            s.id = r->id;
            s.dead = pick(40) == 0;
            s.stolen_from = false;
          } else if (const auto t = p.steal(now, h)) {
            ++steals;
            s.id = t->range.id;
            s.dead = s.stolen_from = false;
            for (Stream& v : streams) {
              if (v.id != t->victim) continue;
              v.stolen_from = true;
              if (t->abandon_victim) v.id.reset();
            }
          }
          continue;
        }
        const auto r = p.running(*s.id);
        ASSERT_TRUE(r);
        if (r->size() == 0) {
          p.done(*s.id);
          s.id.reset();
        } else if (pick(300) == 0) {
          EXPECT_EQ(p.failed(*s.id), r->size());
          s.id.reset();
        } else if (!s.dead) {
          std::uint64_t bytes = 1 + pick(static_cast<std::uint64_t>(s.rate * 0.04));
          if (!s.stolen_from) bytes = std::min(bytes, r->size());
          const std::uint64_t accepted = p.progress(*s.id, bytes, now);
          ASSERT_LE(accepted, r->size());
          if (accepted > 0) got[r->layer].emplace_back(r->first, r->first + accepted);
        }
      }
    }
    ASSERT_EQ(p.remaining(), 0U) << "seed " << seed << ": a stalled range was never rescued";
    for (auto& [layer, size] : sizes) {
      EXPECT_TRUE(p.layer_complete(layer));
      auto& parts = got[layer];
      std::sort(parts.begin(), parts.end());
      std::uint64_t at = 0;
      for (const auto& [first, last] : parts) {
        ASSERT_EQ(first, at) << "seed " << seed << " layer " << layer;
        at = last;
      }
      EXPECT_EQ(at, size);
    }
    // Splits may cost 2 %; the buffer in which a victim reaches its new end comes on top.
    EXPECT_LE(static_cast<double>(p.wasted()),
              RangePlanner::kMaxWaste * static_cast<double>(p.total()) + static_cast<double>(steals) * 120e3)
        << "seed " << seed;
    all_steals += steals;
  }
  EXPECT_GT(all_steals, 40U) << "or nothing was tested";
}

TEST(RangePlanner, AThousandLayersAreQuick) {
  RangePlanner p;
  for (LayerId l = 0; l < 1000; ++l) p.add(l, 300 * kKB);
  std::uint64_t handed = 0;
  Time now{0};
  while (auto r = p.next(hint(16, 1e6))) {
    now += milliseconds(1);
    handed += p.progress(r->id, r->size(), now);
    p.done(r->id);
  }
  EXPECT_EQ(handed, 300'000 * kKB);
  EXPECT_EQ(p.running_ranges(), 0U);
}

}  // namespace
}  // namespace paceline::adaptive
