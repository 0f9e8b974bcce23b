#include "fluid_path.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace paceline::adaptive {
namespace {

constexpr double kMss = 1448;
constexpr double kCubicBeta = 0.7, kCubicC = 0.4;  // RFC 9438

struct Stream {
  bool connected = false;
  double busy_until = 0;  // handshake or request in flight
  std::optional<RangeId> range;
  double window = 10;  // segments
  double w_max = 0;
  double loss_at = -1;
  double last_cut = -1;
  bool slow_start = true;
  bool stolen_from = false;  // its connection ends with the range
  double rate = 0;           // of the last range
  double range_start = 0;
  std::uint64_t range_bytes = 0;
  double carry = 0;  // fractions of bytes
};

}  // namespace

Outcome pull(const Cell& cell, StreamController& controller, const std::optional<PathProfile>& profile, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  RangePlanner planner;
  for (std::size_t i = 0; i < cell.layers.size(); ++i) planner.add(i, cell.layers[i]);

  PathFacts facts;
  facts.rtt = from_seconds(cell.rtt);
  facts.total_bytes = planner.total();
  facts.layers = static_cast<unsigned>(cell.layers.size());
  facts.profile = profile;
  controller.initial(facts);

  const double dt = std::clamp(cell.rtt / 6, 0.001, 0.01);
  const double buffer = std::max(64e3, cell.link * std::max(cell.rtt, 0.05));
  const double interval = seconds(tick_interval(facts.rtt));
  std::vector<Stream> streams(64);
  double queue = 0, now = 0, next_tick = 0, smoothed_rtt = cell.rtt, sent = 0, lost = 0, stream_seconds = 0,
         received = 0;
  Observation o;
  o.rtt_base = facts.rtt;
  o.first_byte = from_seconds(cell.first_byte);

  while (planner.remaining() > 0 && now < 10'000) {
    now += dt;
    const Time t = from_seconds(now);
    const double rtt = cell.rtt + queue / cell.link;
    const unsigned n = controller.streams();
    stream_seconds += n * dt;

    unsigned running = 0;
    for (const Stream& s : streams) running += s.range ? 1 : 0;
    for (Stream& s : streams) {
      if (s.range || running >= n) continue;
      const StreamHint hint{s.rate, n, facts.rtt, o.first_byte};
      if (const auto r = planner.next(hint)) {
        s.range = r->id;
      } else if (const auto st = planner.steal(t, hint)) {
        s.range = st->range.id;
        for (Stream& v : streams) {
          if (v.range != st->victim) continue;
          v.stolen_from = true;
          if (st->abandon_victim) v = Stream{};
        }
      } else {
        break;
      }
      ++running;
      s.busy_until = now + (s.connected ? 1 : 3) * rtt + cell.first_byte;
      s.connected = true;
      s.range_start = s.busy_until;
      s.range_bytes = 0;
    }

    double demand = 0;
    for (Stream& s : streams) {
      if (!s.range || now < s.busy_until) continue;
      double rate = s.window * kMss / rtt;
      if (cell.connection_cap > 0) rate = std::min(rate, cell.connection_cap);
      demand += rate;
    }
    queue += (demand - cell.link) * dt;
    const bool overflow = queue > buffer;
    const double dropped = overflow ? queue - buffer : 0;
    queue = std::clamp(queue, 0.0, buffer);
    const double served = demand > cell.link ? cell.link / demand : 1;

    for (Stream& s : streams) {
      if (!s.range || now < s.busy_until) continue;
      double rate = s.window * kMss / rtt;
      const bool capped = cell.connection_cap > 0 && rate > cell.connection_cap;
      if (capped) rate = cell.connection_cap;
      const double got = rate * served * dt + s.carry;
      auto whole = static_cast<std::uint64_t>(got);
      s.carry = got - static_cast<double>(whole);
      if (!s.stolen_from) whole = std::min(whole, planner.running(*s.range)->size());
      const std::uint64_t accepted = planner.progress(*s.range, whole, t);
      received += static_cast<double>(accepted);
      s.range_bytes += accepted;
      const double segments = got / kMss;
      sent += segments;
      o.bytes += accepted;

      const double share = demand > 0 ? rate / demand : 0;
      const double drops = dropped * share / kMss;
      const double p = 1 - std::pow(1 - cell.loss, segments) * std::exp(-drops);
      if (now - s.last_cut > rtt && uniform(random) < p) {
        lost += std::max(1.0, drops);
        o.out_of_order += static_cast<std::uint64_t>(std::max(1.0, drops) * 4);
        s.w_max = s.window;
        s.window = std::max(2.0, s.window * kCubicBeta);
        s.loss_at = s.last_cut = now;
        s.slow_start = false;
      } else if (s.slow_start) {
        if (!capped) s.window += segments;
        // HyStart (RFC 9406): leave when the delay grows by an eighth of the RTT.
        if (rtt - cell.rtt > std::max(0.004, cell.rtt / 8)) {
          s.slow_start = false;
          s.w_max = s.window;
          s.loss_at = now;
        }
      } else if (!capped) {
        const double k = std::cbrt(s.w_max * (1 - kCubicBeta) / kCubicC);
        const double target = kCubicC * std::pow(now - s.loss_at - k, 3) + s.w_max;
        const double reno = s.window + segments / s.window * 0.53;
        s.window = std::max({s.window, reno, std::min(target, s.window * (1 + 0.5 * dt / rtt))});
      }
      const auto r = planner.running(*s.range);
      if (!r || r->size() == 0) {
        planner.done(*s.range);
        s.rate = static_cast<double>(s.range_bytes) / std::max(dt, now - s.range_start);
        s.range.reset();
        if (s.stolen_from) s = Stream{};
      }
    }

    smoothed_rtt += (rtt - smoothed_rtt) * std::min(1.0, dt / (2 * rtt));
    if (now >= next_tick) {
      next_tick = now + interval;
      o.now = t;
      o.rtt_now = from_seconds(smoothed_rtt);
      o.segments = static_cast<std::uint64_t>(sent);
      o.remaining = planner.remaining();
      o.tail = planner.tail();
      o.active = running;
      o.delivering = static_cast<unsigned>(std::count_if(
          streams.begin(), streams.end(), [now](const Stream& s) { return s.range && now >= s.busy_until; }));
      controller.tick(o);
    }
  }
  Outcome out;
  out.time = now;
  out.streams = controller.streams();
  out.streams_mean = stream_seconds / now;
  out.lost = sent > 0 ? lost / sent : 0;
  out.wasted = received > 0 ? static_cast<double>(planner.wasted()) / received : 0;
  out.learned = controller.learned(0);
  return out;
}

}  // namespace paceline::adaptive
