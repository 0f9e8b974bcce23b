// The state of one path (a blob host after redirects): its controller, who shares its streams, what it has shown.
// No I/O: the engine asks what to start and tells what happened. Network thread only; snapshot() values travel.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adaptive/host_budget.h"
#include "adaptive/host_silence.h"
#include "adaptive/path_profile.h"
#include "adaptive/range_planner.h"
#include "adaptive/stream_controller.h"
#include "plugin/config/config.h"
#include "plugin/net/network_thread.h"
#include "plugin/pull/blob_fetch.h"
#include "plugin/pull/snapshot.h"

namespace paceline::pull {

class Path {
 public:
  Path(std::string host, const config::Concurrency& concurrency, std::optional<adaptive::PathProfile> remembered);

  /// Other settings from the next pull on; not while busy().
  void configure(const config::Concurrency& concurrency, std::int64_t wall_seconds);
  [[nodiscard]] const config::Concurrency& concurrency() const { return concurrency_; }

  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] adaptive::HostBudget& budget() { return budget_; }
  [[nodiscard]] adaptive::HostSilence& silence() { return silence_; }

  /// The planner of a pull on this path; made on first use.
  adaptive::RangePlanner& open_planner(PullKey pull, bool foreground);
  /// Null when the pull has nothing here.
  adaptive::RangePlanner* planner(PullKey pull);
  /// Tells a pull's present planner from an earlier one that was closed: range ids are unique within one only. 0: none.
  [[nodiscard]] std::uint64_t serial(PullKey pull) const;
  /// Drops the planner when all its bytes are in.
  void close_if_done(PullKey pull);
  void close(PullKey pull);
  [[nodiscard]] bool busy() const { return !shares_.empty(); }
  [[nodiscard]] std::vector<PullKey> pulls() const;  ///< That have bytes to come from here.

  /// A new piece of work arrived: makes the first choice of n when the path was idle.
  void wake(std::uint64_t total_bytes, unsigned layers, const net::TcpSample& sample, std::int64_t wall_seconds);
  /// How many streams the next pull will begin with, as far as can be told before its size is known.
  [[nodiscard]] unsigned likely_streams(std::int64_t wall_seconds) const;
  /// One look at the path, where `delivering` streams have been answered with data; answers when to look again.
  adaptive::Duration tick(adaptive::Time now, const net::TcpSample& sample, unsigned delivering);
  /// Marks every pull with bytes left as wanting a stream (some may only get one by a split).
  void want_all();

  [[nodiscard]] adaptive::StreamHint hint(PullKey pull) const;
  /// What a stream that is asked to run longer than this without its first byte has to expect.
  void first_byte_seen(Duration first_byte);
  void throttled(adaptive::Time now, Duration retry_after);
  void received(std::uint64_t bytes, bool foreground) {
    bytes_ += bytes;
    (foreground ? counts_.foreground_bytes : counts_.prefetch_bytes) += bytes;
  }
  void request_started() {
    ++requests_;
    ++active_;
  }
  void request_ended() { --active_; }
  void retried(Retry reason) {
    ++retries_;
    ++counts_.retries[reason];
  }
  void ranges_refused() {
    ranges_ = false;
    ++counts_.range_fallbacks;
  }
  [[nodiscard]] bool ranges() const { return ranges_; }

  /// Whether the host has refused requests as too many, now or within memory.
  [[nodiscard]] bool throttled_before() const;

  [[nodiscard]] PathSnapshot snapshot(adaptive::Time now) const;
  [[nodiscard]] adaptive::Snapshot controller() const { return controller_->snapshot(); }
  [[nodiscard]] adaptive::Reason reason() const { return reason_; }
  [[nodiscard]] adaptive::Duration rtt() const { return rtt_; }
  [[nodiscard]] adaptive::Duration first_byte() const { return first_byte_; }
  /// What this path teaches for next time, joined with what was remembered.
  [[nodiscard]] adaptive::PathProfile learned(std::int64_t wall_seconds) const;

  unsigned warming = 0;       ///< Connections on their way; each stands for a stream that will use it.
  bool ticking = false;       ///< The engine has a timer for it.
  bool waking_later = false;  ///< The engine has a timer for the end of its silence.

 private:
  void allow(const adaptive::Decision& decision);

  std::string host_;
  config::Concurrency concurrency_;
  std::unique_ptr<adaptive::StreamController> controller_;
  adaptive::HostBudget budget_;
  adaptive::HostSilence silence_;
  struct Share {
    adaptive::RangePlanner planner;
    std::uint64_t serial = 0;
  };
  std::map<PullKey, Share> shares_;
  std::uint64_t next_serial_ = 1;
  std::optional<adaptive::PathProfile> remembered_;
  adaptive::Duration rtt_{0};
  adaptive::Duration first_byte_{0};  // smoothed, the RTT taken off
  adaptive::Duration retry_after_{0};
  adaptive::Reason reason_ = adaptive::Reason::kIdle;
  bool idle_ = true;
  bool ranges_ = true;
  double best_goodput_ = 0;
  std::uint64_t bytes_ = 0, requests_ = 0, retries_ = 0, throttled_ = 0;
  PathCounts counts_;
  unsigned active_ = 0;
};

}  // namespace paceline::pull
