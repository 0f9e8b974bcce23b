#include "adaptive/range_planner.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>

namespace paceline::adaptive {
namespace {

constexpr std::uint64_t kMostLayerBytes = 1ULL << 50U;  // keeps every sum far from overflow
constexpr double kShare = 1.5;                          // a stream gets remaining / (kShare · n)
constexpr double kRangeSeconds = 3;  // of the stream's own rate: nobody waits longer for it at the end
constexpr double kBubbles = 8;       // a range of 8·(RTT + first byte) idles at most 1/8 of its time between requests
constexpr double kStealDelays = 3;
// A pull shorter than this many delays loses more to the pauses between a stream's requests than to uneven shares.
constexpr double kFewDelays = 10;
constexpr double kRising = 1.15;
// No byte for that long is more than a lost retransmission (RTO at least 200 ms, then 400, 800).
constexpr Duration kStall = std::chrono::milliseconds(1500);
constexpr double kStallDelays = 10;
constexpr unsigned kMostBackoff = 6;

/// From request to first byte on an open connection.
double delay_of(const StreamHint& hint) {
  return std::max(0.0, seconds(hint.rtt)) + std::max(0.0, seconds(hint.first_byte));
}

/// A rate is measured over about an RTT: shorter windows see the bursts of slow start.
Duration window_of(const StreamHint& hint) {
  return std::clamp<Duration>(hint.rtt, std::chrono::milliseconds(50), std::chrono::milliseconds(500));
}

double positive(double rate) { return rate > 0 && std::isfinite(rate) ? rate : 0; }

std::uint64_t to_bytes(double bytes) {
  return static_cast<std::uint64_t>(std::clamp(bytes, 0.0, static_cast<double>(kMostLayerBytes)));
}

}  // namespace

bool RangePlanner::add(LayerId layer, std::uint64_t size, const std::vector<Interval>& present) {
  if (size > kMostLayerBytes || order_.contains(layer)) return false;
  const std::uint64_t order = next_order_++;
  order_.emplace(layer, order);
  Layer& l = layers_[order];
  l.id = layer;
  l.size = size;
  total_ += size;

  std::vector<Interval> have = present;
  std::sort(have.begin(), have.end(), [](const Interval& a, const Interval& b) { return a.first < b.first; });
  std::uint64_t from = 0;
  for (const Interval& i : have) {
    const std::uint64_t first = std::min(i.first, size);
    const std::uint64_t last = std::min(i.last, size);
    if (last <= first) continue;
    if (first > from) pool(l, {from, first});
    from = std::max(from, last);
  }
  if (from < size) pool(l, {from, size});
  refresh_open(order, l);
  return true;
}

void RangePlanner::remove(LayerId layer) {
  const auto it = order_.find(layer);
  if (it == order_.end()) return;
  const Layer& l = layers_.at(it->second);
  for (const RangeId id : l.ranges) active_.erase(id);
  pooled_ -= l.pooled;
  running_ -= l.running;
  total_ -= l.size;
  open_.erase(it->second);
  layers_.erase(it->second);
  order_.erase(it);
}

void RangePlanner::set_single_stream(LayerId layer) {
  Layer* l = find(layer);
  if (l == nullptr || l->single_stream) return;
  l->single_stream = true;
  refresh_open(order_.at(layer), *l);
}

std::optional<Range> RangePlanner::next(const StreamHint& hint) {
  window_ = window_of(hint);
  if (open_.empty()) return std::nullopt;
  const std::uint64_t order = *open_.begin();
  Layer& l = layers_.at(order);
  const auto piece = l.missing.begin();
  Interval whole{piece->first, piece->second};
  std::uint64_t take = whole.size();
  if (!l.single_stream) {
    take = std::min(take, chunk(hint));
    if (whole.size() - take < kMinRange) take = whole.size();  // no crumbs
  }
  l.missing.erase(piece);
  if (take < whole.size()) l.missing.emplace(whole.first + take, whole.last);
  l.pooled -= take;
  pooled_ -= take;
  return start(order, l, {whole.first, whole.first + take});
}

std::uint64_t RangePlanner::chunk(const StreamHint& hint) const {
  const double streams = std::max(1U, hint.streams);
  if (one_each(hint)) return std::max(kMinRange, remaining() / hint.streams + 1);
  const double rate = positive(hint.rate);
  const double least = std::clamp<double>(kBubbles * rate * delay_of(hint), kMinRange, kUsualMinRange);
  double bytes = std::clamp<double>(static_cast<double>(pooled_) / (kShare * streams), least, kMaxRange);
  if (rate > 0) bytes = std::min(bytes, kRangeSeconds * rate);
  return to_bytes(std::max<double>(bytes, kMinRange));
}

/// Whether the first n ranges should be one equal part for each stream.
bool RangePlanner::one_each(const StreamHint& hint) const {
  const double rate = positive(hint.path_rate);
  if (rate == 0 || next_id_ > hint.streams) return false;
  return static_cast<double>(remaining()) < kFewDelays * delay_of(hint) * rate;
}

Range RangePlanner::start(std::uint64_t order, Layer& layer, Interval interval) {
  const RangeId id = next_id_++;
  Active a;
  a.order = order;
  a.position = interval.first;
  a.last = interval.last;
  active_.emplace(id, a);
  layer.ranges.insert(id);
  layer.running += interval.size();
  running_ += interval.size();
  refresh_open(order, layer);
  return {id, layer.id, interval.first, interval.last};
}

std::uint64_t RangePlanner::progress(RangeId id, std::uint64_t bytes, Time now) {
  const auto it = active_.find(id);
  if (it == active_.end()) {
    wasted_ += bytes;
    return 0;
  }
  Active& a = it->second;
  const std::uint64_t accepted = std::min(bytes, a.last - a.position);
  const std::uint64_t excess = bytes - accepted;
  const std::uint64_t expected = std::min(excess, a.charged);
  a.charged -= expected;
  wasted_ += excess - expected;
  a.position += accepted;
  layers_.at(a.order).running -= accepted;
  running_ -= accepted;
  if (bytes > 0) measure(a, bytes, now);
  return accepted;
}

void RangePlanner::measure(Active& a, std::uint64_t bytes, Time now) const {
  a.moved = now;
  if (!a.window_start || now < *a.window_start) {
    a.window_start = now;
    a.window_bytes = 0;
    return;
  }
  a.window_bytes += bytes;
  const Duration length = now - *a.window_start;
  if (length < window_) return;
  const double sample = static_cast<double>(a.window_bytes) / seconds(length);
  a.rising = a.rate == 0 || sample > kRising * a.rate;
  a.rate = a.rate == 0 ? sample : (a.rate + sample) / 2;
  a.window_start = now;
  a.window_bytes = 0;
}

void RangePlanner::done(RangeId id) { close(id); }

std::uint64_t RangePlanner::failed(RangeId id) { return close(id); }

std::uint64_t RangePlanner::close(RangeId id) {
  const auto it = active_.find(id);
  if (it == active_.end()) return 0;
  const Active a = it->second;
  active_.erase(it);
  Layer& l = layers_.at(a.order);
  l.ranges.erase(id);
  const Interval rest{a.position, a.last};
  l.running -= rest.size();
  running_ -= rest.size();
  if (rest.size() > 0) pool(l, rest);
  refresh_open(a.order, l);
  return rest.size();
}

void RangePlanner::hold(RangeId id) {
  if (const auto it = active_.find(id); it != active_.end()) it->second.held = true;
}

void RangePlanner::release(RangeId id, Time now) {
  const auto it = active_.find(id);
  if (it == active_.end()) return;
  Active& a = it->second;
  a.held = false;
  a.moved = now;
  // How fast it was while it was held back says nothing about what it can; what waits in its socket comes at once.
  a.window_start.reset();
  a.rate = 0;
  a.rising = true;
}

std::optional<Steal> RangePlanner::steal(Time now, const StreamHint& hint) {
  if (!tail()) return std::nullopt;
  window_ = window_of(hint);
  const double delay = delay_of(hint);
  const double budget = kMaxWaste * static_cast<double>(total_) - static_cast<double>(wasted_);

  Active* victim = nullptr;
  RangeId victim_id = 0;
  double longest = 0;
  bool stalled = false;
  for (auto& [id, a] : active_) {
    if (a.held || a.position == a.last || layers_.at(a.order).single_stream) continue;
    if (!a.moved || now < *a.moved) a.moved = now;  // no byte yet: its patience starts here
    const double patience = std::max(seconds(kStall), kStallDelays * delay) * std::exp2(a.takeovers);
    const double rest = static_cast<double>(a.last - a.position);
    const double rate = current_rate(a, now);
    const bool dead = seconds(now - *a.moved) > patience;
    double eta = 0;
    if (dead) {
      eta = seconds(now - *a.moved);
    } else {
      if (rate == 0 || a.rising) continue;
      eta = rest / rate;
      if (eta <= kStealDelays * delay || std::min(rest, rate * seconds(hint.rtt)) > budget) continue;
    }
    // Ties by id: the same calls give the same plan.
    if (victim == nullptr || std::tuple(dead, eta, id) > std::tuple(stalled, longest, victim_id)) {
      victim = &a;
      victim_id = id;
      longest = eta;
      stalled = dead;
    }
  }
  if (victim == nullptr) return std::nullopt;

  const std::uint64_t rest = victim->last - victim->position;
  const double rate = current_rate(*victim, now);
  const double mine = std::max(positive(hint.rate), rate);
  std::uint64_t keep = 0;
  if (!stalled) {
    // Both ends meet at the same time: half and half when the rates are equal, but for the thief's delay.
    keep = std::min(rest, to_bytes(rate * (static_cast<double>(rest) + delay * mine) / (rate + mine)));
    if (keep < kMinRange || rest - keep < kMinRange) {
      // Too little for two. A much slower stream still must not hold up the end.
      if (delay + static_cast<double>(rest) / mine > longest / 2) return std::nullopt;
      keep = 0;
    }
  }
  return split(victim_id, keep, stalled ? 0 : rate * seconds(hint.rtt));
}

Steal RangePlanner::split(RangeId id, std::uint64_t keep, double in_flight) {
  Active& a = active_.at(id);
  Layer& l = layers_.at(a.order);
  const std::uint64_t order = a.order;
  const Interval taken{a.position + keep, a.last};
  const unsigned takeovers = keep == 0 ? std::min(a.takeovers + 1, kMostBackoff) : 0;
  const std::uint64_t waste = std::min(taken.size(), to_bytes(in_flight));
  wasted_ += waste;
  a.charged += waste;
  a.last = taken.first;
  l.running -= taken.size();
  running_ -= taken.size();
  if (keep == 0) close(id);

  Steal s;
  s.victim = id;
  s.split = taken.first;
  s.abandon_victim = keep == 0;
  s.range = start(order, l, taken);
  active_.at(s.range.id).takeovers = takeovers;
  return s;
}

/// The smoothed rate, or less when its window stays open because the stream slowed down: half for each window overdue,
/// but not less than what arrives.
double RangePlanner::current_rate(const Active& a, Time now) const {
  if (!a.window_start || a.rate == 0) return a.rate;
  const double windows = seconds(now - *a.window_start) / seconds(window_);
  if (windows < 2) return a.rate;
  const double arriving = static_cast<double>(a.window_bytes) / (windows * seconds(window_));
  return std::min(a.rate, std::max({1.0, arriving, a.rate * std::exp2(1 - windows)}));
}

Pace RangePlanner::pace(Time now) const {
  Pace out;
  double squares = 0;
  for (const auto& [id, a] : active_) {
    const double rate = current_rate(a, now);
    if (a.held || a.rising || rate <= 0) continue;
    // Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products" (1962).
    const double before = rate - out.mean;
    out.mean += before / ++out.ranges;
    squares += before * (rate - out.mean);
  }
  if (out.ranges > 1) out.deviation = std::sqrt(squares / out.ranges);
  return out;
}

std::optional<Range> RangePlanner::running(RangeId id) const {
  const auto it = active_.find(id);
  if (it == active_.end()) return std::nullopt;
  const Active& a = it->second;
  return Range{id, layers_.at(a.order).id, a.position, a.last};
}

bool RangePlanner::layer_complete(LayerId layer) const {
  const Layer* l = find(layer);
  return l != nullptr && l->pooled + l->running == 0;
}

std::uint64_t RangePlanner::layer_remaining(LayerId layer) const {
  const Layer* l = find(layer);
  return l == nullptr ? 0 : l->pooled + l->running;
}

RangePlanner::Layer* RangePlanner::find(LayerId layer) {
  const auto it = order_.find(layer);
  return it == order_.end() ? nullptr : &layers_.at(it->second);
}

const RangePlanner::Layer* RangePlanner::find(LayerId layer) const {
  const auto it = order_.find(layer);
  return it == order_.end() ? nullptr : &layers_.at(it->second);
}

void RangePlanner::pool(Layer& layer, Interval interval) {
  layer.pooled += interval.size();
  pooled_ += interval.size();
  auto after = layer.missing.lower_bound(interval.first);
  if (after != layer.missing.end() && after->first == interval.last) {
    interval.last = after->second;
    after = layer.missing.erase(after);
  }
  if (after != layer.missing.begin() && std::prev(after)->second == interval.first) {
    std::prev(after)->second = interval.last;
    return;
  }
  layer.missing.emplace_hint(after, interval.first, interval.last);
}

void RangePlanner::refresh_open(std::uint64_t order, Layer& layer) {
  const bool blocked = layer.single_stream && !layer.ranges.empty();
  if (blocked || layer.pooled == 0) {
    open_.erase(order);
    return;
  }
  open_.insert(order);
  if (!layer.single_stream) return;
  // One range to the end: what lies behind the first gap is fetched again.
  const std::uint64_t first = layer.missing.begin()->first;
  const std::uint64_t again = layer.size - first - layer.pooled;
  layer.missing.clear();
  layer.missing.emplace(first, layer.size);
  layer.pooled += again;
  pooled_ += again;
  wasted_ += again;
}

}  // namespace paceline::adaptive
