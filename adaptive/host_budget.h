// Shares one host's n streams among its pulls: foreground before prefetch, every foreground pull at least one stream as
// long as n allows, bytes evened out between equals (round-robin with a deficit, paid after each range). Deterministic;
// one thread at a time; linear in the number of pulls.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "adaptive/time.h"

namespace paceline::adaptive {

using PullId = std::uint64_t;  ///< Chosen by the caller.

enum class PullClass : std::uint8_t {
  kForeground,  ///< Somebody waits for it.
  kPrefetch,    ///< Nobody asked yet.
};

class HostBudget {
 public:
  /// [assumed] A queue that long is felt by the foreground: prefetches pause.
  static constexpr Duration kPrefetchPauseQueue = std::chrono::milliseconds(25);

  explicit HostBudget(unsigned limit) : limit_(limit) {}

  void add(PullId pull, PullClass pull_class);  ///< Known ids are only reclassed.
  void remove(PullId pull);                     ///< Its running streams no longer count.
  void reclass(PullId pull, PullClass pull_class);
  /// n: what the controller of the class in charge says (foreground's while one is active).
  void set_limit(unsigned streams) { limit_ = streams; }
  /// rtt_now − rtt_min of the host.
  void set_queue_delay(Duration delay) { queue_delay_ = delay; }

  /// Whether the pull has ranges for another stream.
  void wants(PullId pull, bool more);
  /// The pull that may start one more stream now; call started() if it does, wants(pull, false) if it cannot.
  [[nodiscard]] std::optional<PullId> next() const;
  void started(PullId pull);
  /// One of its streams ended after `bytes`.
  void finished(PullId pull, std::uint64_t bytes);

  /// Streams to stop at once, one entry a stream: prefetches above their share while a foreground pull is active, and
  /// streams above n (only of prefetches: a foreground stream ends with its range); then those of foreground pulls that
  /// have more than their part of n while another one has none at all.
  [[nodiscard]] std::vector<PullId> preempt() const;

  /// Streams prefetches may hold now.
  [[nodiscard]] unsigned prefetch_share() const;
  [[nodiscard]] unsigned limit() const { return limit_; }
  [[nodiscard]] unsigned running() const;
  [[nodiscard]] unsigned running(PullId pull) const;
  /// The pull's share of n if all that want get theirs: the n for RangePlanner's hint. At least 1.
  [[nodiscard]] unsigned share(PullId pull) const;

 private:
  struct Pull {
    PullClass pull_class = PullClass::kForeground;
    bool wants = false;
    unsigned running = 0;
    std::uint64_t served = 0;   // bytes, on the common scale of its class
    std::uint64_t granted = 0;  // serial of the last started(): ties go to who waited longest
    [[nodiscard]] bool active() const { return wants || running > 0; }
  };

  [[nodiscard]] bool foreground_active() const;
  [[nodiscard]] std::vector<PullId> make_way_for_newcomers(unsigned freed) const;
  [[nodiscard]] unsigned running(PullClass pull_class) const;
  [[nodiscard]] std::uint64_t level(PullClass pull_class, PullId except) const;

  std::map<PullId, Pull> pulls_;
  unsigned limit_;
  Duration queue_delay_{0};
  std::uint64_t serial_ = 0;
  std::uint64_t high_[2] = {0, 0};  // highest `served` a class has seen: where an idle class goes on
};

}  // namespace paceline::adaptive
