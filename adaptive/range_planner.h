// Which bytes a free stream fetches next: the layers of one pull on one host, cut into ranges in manifest order, so
// that unpacking overlaps. Every missing byte is in exactly one place: the pool, or one running range. At the end a
// free stream takes part of the range that would finish last. One thread at a time; no I/O; at most a few µs a call.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "adaptive/time.h"

namespace paceline::adaptive {

using LayerId = std::uint64_t;  ///< Chosen by the caller.
using RangeId = std::uint64_t;  ///< Given by the planner, never reused.

/// Bytes [first, last).
struct Interval {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  [[nodiscard]] std::uint64_t size() const { return last - first; }
  bool operator==(const Interval&) const = default;
};

struct Range {
  RangeId id = 0;
  LayerId layer = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;  ///< Exclusive.
  [[nodiscard]] std::uint64_t size() const { return last - first; }
};

/// What is known of the stream that asks.
struct StreamHint {
  double rate = 0;         ///< Bytes per second of its last range; 0 = a new stream.
  unsigned streams = 1;    ///< n, all streams of this pull.
  Duration rtt{0};         ///< 0 = unknown.
  Duration first_byte{0};  ///< Usual time from request to first byte, without the RTT.
  double path_rate = 0;    ///< Bytes per second that all streams together are expected to bring; 0 = unknown.
};

struct Steal {
  RangeId victim = 0;
  std::uint64_t split = 0;      ///< The victim's range now ends here.
  bool abandon_victim = false;  ///< The victim is stalled and keeps nothing: cancel it; its id is already closed.
  Range range;                  ///< The thief's.
};

/// How fast the running ranges are that have settled: neither held nor gaining speed. Bytes per second of one.
struct Pace {
  unsigned ranges = 0;
  double mean = 0;
  double deviation = 0;  ///< Standard deviation.
};

class RangePlanner {
 public:
  static constexpr std::uint64_t kMinRange = 128U << 10U;
  static constexpr std::uint64_t kUsualMinRange = 4'000'000;
  static constexpr std::uint64_t kMaxRange = 32'000'000;
  static constexpr double kMaxWaste = 0.02;  ///< Of all bytes added: what splits may cost.

  /// Adds a layer behind those already there. `present` is what a resumed blob holds already, in any order, clipped to
  /// the size. False (and nothing done) when the id is in use.
  bool add(LayerId layer, std::uint64_t size, const std::vector<Interval>& present = {});
  /// Forgets a layer and its running ranges: progress() of those returns 0 from now on.
  void remove(LayerId layer);
  /// The host mishandles Range for this layer: from now on it is one range, from the first missing byte to the end.
  /// What is present behind that byte is fetched again. Ranges running now should be failed by the caller.
  void set_single_stream(LayerId layer);

  /// The next range for a free stream; empty when nothing is left to hand out (then try steal()).
  std::optional<Range> next(const StreamHint& hint);
  /// `bytes` more arrived for the range. Returns how many of them the range still wants: less than `bytes` when it was
  /// shortened or closed meanwhile; the rest is waste and must not be written.
  std::uint64_t progress(RangeId id, std::uint64_t bytes, Time now);
  /// The request ended well. Bytes it did not bring go back to the pool.
  void done(RangeId id);
  /// The request failed. Returns how many bytes went back to the pool.
  std::uint64_t failed(RangeId id);

  /// For a stream that got nothing from next(): part of the running range with the longest time to go, if that is more
  /// than 3·(RTT + first byte), its rate no longer rises and the waste stays bounded; or all that is left of a range
  /// that stopped moving. The planner is already updated when it returns. A range that is held is left alone.
  std::optional<Steal> steal(Time now, const StreamHint& hint);

  /// The caller itself reads no more of a range for now (a rate cap), then goes on: in between it is neither slow nor
  /// stalled. Unknown ids are ignored.
  void hold(RangeId id);
  void release(RangeId id, Time now);

  /// The range as it stands (position = first byte still missing); empty when closed.
  [[nodiscard]] std::optional<Range> running(RangeId id) const;
  /// Nothing to hand out now.
  [[nodiscard]] bool tail() const { return open_.empty(); }
  [[nodiscard]] bool layer_complete(LayerId layer) const;
  [[nodiscard]] std::uint64_t layer_remaining(LayerId layer) const;
  [[nodiscard]] std::uint64_t remaining() const { return pooled_ + running_; }  ///< Not yet received.
  [[nodiscard]] std::uint64_t unassigned() const { return pooled_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::size_t running_ranges() const { return active_.size(); }
  [[nodiscard]] Pace pace(Time now) const;

  /// Bytes fetched in vain (splits: an estimate of what was in flight).
  [[nodiscard]] std::uint64_t wasted() const { return wasted_; }
  /// The caller threw bytes away that the planner does not know of.
  void add_waste(std::uint64_t bytes) { wasted_ += bytes; }

 private:
  struct Layer {
    LayerId id = 0;
    std::uint64_t size = 0;
    std::map<std::uint64_t, std::uint64_t> missing;  // pool: first → last, never touching each other
    std::set<RangeId> ranges;                        // running
    std::uint64_t pooled = 0;
    std::uint64_t running = 0;
    bool single_stream = false;
  };
  struct Active {
    std::uint64_t order = 0;  // of its layer
    std::uint64_t position = 0;
    std::uint64_t last = 0;
    std::optional<Time> window_start;  // first byte, then the start of each rate window
    std::uint64_t window_bytes = 0;
    std::optional<Time> moved;  // last arrival
    double rate = 0;            // smoothed; 0 = no window closed yet
    bool rising = true;         // the last window was clearly faster than those before
    bool held = false;
    unsigned takeovers = 0;     // how often these bytes were taken from a stalled stream
    std::uint64_t charged = 0;  // waste already counted for a split of this range
  };

  Layer* find(LayerId layer);
  [[nodiscard]] const Layer* find(LayerId layer) const;
  void pool(Layer& layer, Interval interval);
  void refresh_open(std::uint64_t order, Layer& layer);
  std::uint64_t close(RangeId id);
  Range start(std::uint64_t order, Layer& layer, Interval interval);
  Steal split(RangeId id, std::uint64_t keep, double in_flight);
  void measure(Active& a, std::uint64_t bytes, Time now) const;
  [[nodiscard]] double current_rate(const Active& a, Time now) const;
  [[nodiscard]] std::uint64_t chunk(const StreamHint& hint) const;
  [[nodiscard]] bool one_each(const StreamHint& hint) const;

  std::map<std::uint64_t, Layer> layers_;  // by order of add()
  std::unordered_map<LayerId, std::uint64_t> order_;
  std::set<std::uint64_t> open_;  // orders of layers with something to hand out
  std::unordered_map<RangeId, Active> active_;
  RangeId next_id_ = 1;
  std::uint64_t next_order_ = 0;
  std::uint64_t pooled_ = 0, running_ = 0, total_ = 0, wasted_ = 0;
  Duration window_{std::chrono::milliseconds(50)};  // of the rate measurement: about an RTT
};

}  // namespace paceline::adaptive
